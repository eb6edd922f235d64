"""The sections of ``luigi.cfg``: one Luigi Config class each, with every key, its default and what it does.

Luigi names a section after its class, so the classes are written in lower case.
"""

from __future__ import annotations

from pathlib import Path

import luigi

from tol_luigi.sources import SOURCES
from tol_luigi.tasks.parameters import Address, Choice, Flag, Limit, Names, Place, Text, Whole

__all__ = [
    "SECTIONS",
    "bioscan",
    "checks",
    "dataset",
    "eol",
    "folder",
    "images",
    "inat21",
    "itis",
    "published",
    "rare_species",
    "resolved",
    "shards",
]

_LARGEST = 1_000_000_000


class dataset(luigi.Config):
    """The dataset as a whole."""

    root: Path = Place(
        kind="new", description="where datasets are built; this one in <root>/<tag>", default=Path("build")
    )
    tag: str = Text(default="dev", description="the dataset's name")
    seed: int = Whole(
        default=17,
        low=0,
        high=_LARGEST,
        description="another seed gives other splits and another order of samples",
    )
    val_percent: int = Whole(
        default=5, low=0, high=100, description="how much of each source is held out for validation"
    )
    train_small_percent: int = Whole(
        default=10, low=0, high=100, description="how much of the training images the small set repeats"
    )
    sources: tuple[str, ...] = Names(
        names=tuple(SOURCES), description="the sources to use; one without images is left out"
    )
    reuse: Path | None = Place(
        kind="folder",
        description="an older dataset, <root>/<tag>: what it has of the same images is copied, and sources "
        "that name no images are taken as they were there",
    )
    database: str | None = Address(
        description="a PostgreSQL server that mapping and names are copied to; later stages read the mapping there"
    )


class eol(luigi.Config):
    """Encyclopedia of Life."""

    images: Path | None = Place(
        kind="either",
        description="a folder of archives image_set_NN.tar.gz (or .tar, .zip, or folders), or one",
    )
    taxon_tab: Path | None = Place(kind="file", description="taxon.tab of the EOL Dynamic Hierarchy")
    scraped_page_ids: Path | None = Place(
        kind="file", description="CSV with names for pages that the hierarchy lacks"
    )
    vernacular_names: Path | None = Place(kind="file", description="vernacularnames.csv, for common names")
    media_manifests: Path | None = Place(
        kind="folder", description="folder of media_manifest_<n>.csv, for licenses.csv"
    )


class inat21(luigi.Config):
    """The training set of the iNat Challenge 2021."""

    images: Path | None = Place(
        kind="either", description="the folder of class folders, or train.tar, train.tar.gz or a zip"
    )
    taxa: Path | None = Place(
        kind="file", description="taxa.csv of the iNaturalist taxonomy, for common names"
    )
    vernacular_names: Path | None = Place(kind="file", description="VernacularNames-english.csv of the same")
    partitions: int = Whole(
        default=100, low=1, high=10_000, description="over how many partitions the classes are dealt"
    )


class bioscan(luigi.Config):
    """BIOSCAN-1M."""

    images: Path | None = Place(
        kind="either", description="the folder of part folders, or cropped_256.zip or a tar"
    )
    metadata: Path | None = Place(kind="file", description="BIOSCAN_Insect_Dataset_metadata, .jsonld or .tsv")
    partitions: int = Whole(
        default=113, low=1, high=10_000, description="over how many partitions the parts are dealt"
    )


class folder(luigi.Config):
    """A collection of your own."""

    images: Path | None = Place(kind="either", description="a folder or archive of images")
    labels: Path | None = Place(
        kind="file", description="CSV: file, kingdom to species, and if you like common, license, owner"
    )
    name: str = Text(default="own", description="how the catalog calls the collection")
    partitions: int = Whole(
        default=4, low=1, high=10_000, description="over how many partitions the images are dealt"
    )


class itis(luigi.Config):
    """Integrated Taxonomic Information System: higher ranks and common names."""

    chains: Path | None = Place(kind="file", description="species_level_taxonomy_chains.csv")


class resolved(luigi.Config):
    """Names that resolvers have found higher ranks for."""

    jsonl: Path | None = Place(kind="file", description="resolved.jsonl")


class rare_species(luigi.Config):
    """The Rare Species benchmark, to be kept out of the training data."""

    seen: Path | None = Place(kind="file", description="seen_in_training.json: images to leave out")
    unseen: Path | None = Place(
        kind="file", description="unseen_in_training.json: images and species to leave out"
    )
    allow_no_match: bool = Flag(default=False, description="go on with a list that matches nothing at all")


class published(luigi.Config):
    """A dataset published before, whose ids and names to keep."""

    mapping: Path | None = Place(kind="file", description="mapping.sqlite: ids and splits")
    names: Path | None = Place(kind="folder", description="folder of <source>_name_lookup.json files")


class images(luigi.Config):
    """How pictures are made."""

    width: int = Whole(default=224, low=1, high=10_000, description="pixels")
    height: int = Whole(default=224, low=1, high=10_000, description="pixels")
    resize: str = Choice(
        default="exact",
        words=("exact", "scaled"),
        description="the published pixels, or a faster way to nearly the same",
    )
    jpeg_quality: int = Whole(default=100, low=1, high=100, description="on Pillow's scale")
    truncated: str = Choice(
        default="keep", words=("keep", "drop"), description="what to do with pictures that break off"
    )
    exif: str = Choice(
        default="ignore", words=("ignore", "apply"), description="the orientation that a camera noted"
    )
    max_pixels: int = Whole(
        default=900_000_000, low=1, high=4_000_000_000, description="a larger picture is not opened"
    )


class shards(luigi.Config):
    """How samples are packed."""

    max_samples: int = Whole(
        default=10_000, low=1, high=_LARGEST, description="the most samples in one shard"
    )
    order: str = Choice(
        default="shuffled",
        words=("shuffled", "source"),
        description="the order of samples within a partition",
    )


class checks(luigi.Config):
    """What is too much."""

    max_bad_percent: int = Whole(
        default=5, low=0, high=100, description="the most broken images in a partition, before it stops"
    )
    unreadable_archive: str = Choice(
        default="stop", words=("stop", "skip"), description="what to do about an archive that is not whole"
    )
    repair: bool = Flag(default=True, description="write a shard that fails its check once more")
    max_kingdoms: int | None = Limit(description="kingdoms in a catalog")
    max_genus_without_higher: int | None = Limit(
        description="missing ranks from kingdom to family, where there is a genus"
    )
    max_family_without_higher: int | None = Limit(
        description="missing ranks from kingdom to order, where there is a family"
    )
    max_order_without_higher: int | None = Limit(
        description="missing ranks from kingdom to class, where there is an order"
    )
    max_species_without_genus: int | None = Limit(
        description="rows with a species and a higher rank, but no genus"
    )
    max_species_of_many_words: int | None = Limit(description="rows whose species has several words")
    max_species_unidentified: int | None = Limit(description="rows whose species is (unidentified)")
    max_missing_common: int | None = Limit(description="rows without a common name")


SECTIONS: tuple[type[luigi.Config], ...] = (
    dataset, eol, inat21, bioscan, folder, itis, resolved, rare_species, published, images, shards, checks,
)  # fmt: skip
"""Every section of ours, in the order of ``luigi.cfg``."""
