"""The sections of ``luigi.cfg``: one Luigi Config class each, with every key, its default and what it does.

Luigi names a section after its class, so the classes are written in lower case.
"""

from __future__ import annotations

from pathlib import Path

import luigi

from tol_luigi.core.perceptual import USUAL_DISTANCE
from tol_luigi.downloads import catalogue
from tol_luigi.sources import SOURCES
from tol_luigi.tasks.parameters import (
    Address,
    Choice,
    Flag,
    Formed,
    Limit,
    Names,
    Numbers,
    Pairs,
    Place,
    Setting,
    Text,
    Whole,
)  # fmt: skip

__all__ = [
    "SECTIONS",
    "bioscan",
    "checks",
    "cluster",
    "dataset",
    "download",
    "eol",
    "folder",
    "images",
    "inat21",
    "itis",
    "leak_guard",
    "names",
    "published",
    "rare_species",
    "resolved",
    "shards",
    "slurm",
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


class leak_guard(luigi.Config):
    """Pictures of benchmarks, to be kept out of the dataset whatever their names are."""

    images: Path | None = Place(
        kind="folder",
        description="for each benchmark a sub-folder of pictures, or an archive or WebDataset shards of them",
    )
    distance: int = Whole(
        default=USUAL_DISTANCE,
        low=-1,
        high=60,
        description="the most bits, of 256, in which pictures differ that look the same; -1 compares bytes only",
    )


class names(luigi.Config):
    """How images are named."""

    method: str = Choice(
        default="published",
        words=("published",),
        description="by the rules of the published dataset, also where they are wrong about nature (docs/reproduce.md)",
    )


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
    duplicates: str = Choice(
        default="flag",
        words=("keep", "flag", "drop"),
        description="images with the same bytes: say nothing, tell which they are, or write one of each",
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
    unreadable_file: str = Choice(
        default="stop",
        words=("stop", "skip"),
        description="what to do about a file or folder that cannot be read just now, as it is not allowed or as its disk fails: "
        "stop, or build without it until it can be read",
    )
    changed_sources: str = Choice(
        default="stop",
        words=("stop", "rebuild"),
        description="what to do about sources and tables that have changed since they were read: stop, or read them again "
        "and build again all that follows from them",
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


class cluster(luigi.Config):
    """A build on several nodes: luigid, the workers it hands tasks to, and the foreman."""

    bind: str = Text(
        default="127.0.0.1",
        description="the address that luigid listens on; that of its node, for other nodes",
    )
    port: int = Whole(default=0, low=0, high=65_535, description="its port; 0 is any that is free")
    password: bool = Flag(
        default=True,
        description="have luigid ask for a password, on its page as well; without a file of yours it makes one",
    )
    password_file: Path | None = Place(
        kind="file",
        description="your own password, in a file of mode 600, in place of the one that luigid makes",
    )
    metrics: bool = Flag(default=False, description="give figures for Prometheus, at /metrics")
    retries: int = Whole(
        default=3, low=1, high=1000, description="how often a task may fail before it is given up"
    )
    retry_seconds: int = Whole(
        default=60, low=0, high=86_400, description="how long a failed task waits before it is tried again"
    )
    losses: int = Whole(
        default=5,
        low=1,
        high=1000,
        description="how many workers may be lost at a task before it is given up",
    )
    bad_node_failures: int = Whole(
        default=3,
        low=1,
        high=1000,
        description="so many tasks that fail on a node in a row, where others do well, and it gets no more",
    )
    lost_seconds: int = Whole(
        default=120,
        low=1,
        high=86_400,
        description="a worker not heard of for so long is lost, and its task free",
    )
    ping_seconds: int = Whole(
        default=10,
        low=1,
        high=3600,
        description="how often a worker says that it is there; luigid may be busy",
    )
    poll_seconds: int = Whole(
        default=5, low=1, high=3600, description="how often, at most, a worker without a task asks for one"
    )
    idle_seconds: int = Whole(
        default=600, low=0, high=_LARGEST, description="a worker that gets no task for so long leaves"
    )
    patience_seconds: int = Whole(
        default=900, low=1, high=_LARGEST, description="how long luigid may be away before others give up"
    )
    settle_seconds: int = Whole(
        default=30,
        low=0,
        high=3600,
        description="how long a file of another node may be late, where the file system is slow to show it",
    )
    save_seconds: int = Whole(
        default=5, low=1, high=3600, description="how often, at most, luigid saves what it knows"
    )
    finish: bool = Flag(default=True, description="luigid and workers leave when the foreman has ended")


class slurm(luigi.Config):
    """How a build on several nodes is submitted to Slurm."""

    account: str | None = Formed(description="whom the time is charged to; empty is your own default")
    partition: str | None = Formed(description="where the jobs run; empty is the cluster's default")
    time: str | None = Formed(
        description="how long a job may run; empty is the partition's default; what is left to do then, others go on with",
        form=r"(\d+-)?\d+(:\d+){0,2}",
        allowed="as sbatch takes it, such as 12:00:00 or 2-00:00:00",
    )
    memory: str | None = Formed(
        description="the memory of a worker; empty is the cluster's default",
        default="4G",
        form=r"\d+[KMGT]",
        allowed="a number with K, M, G or T",
    )
    most_memory: str | None = Formed(
        description="where that was too little, new workers get twice as much, up to this",
        default="32G",
        form=r"\d+[KMGT]",
        allowed="a number with K, M, G or T",
    )
    cpus: int = Whole(
        default=1,
        low=1,
        high=1024,
        description="the processors of an element of the array, with a worker on each",
    )
    array: int = Whole(default=64, low=1, high=100_000, description="the most elements of the array")
    limit: int = Whole(
        default=0, low=0, high=100_000, description="the most elements that run at once; 0 is no limit"
    )
    warning_seconds: int = Whole(
        default=900,
        low=1,
        high=65_535,
        description="so long before its time is up a worker takes no more tasks",
    )
    requeue: bool = Flag(default=True, description="a job whose node is lost, or taken away, starts again")
    options: str | None = Formed(
        description="more options of sbatch, for all jobs, such as --constraint=ib --qos=long"
    )
    before: str | None = Formed(description="bash to run first in every job, such as module load python/3.11")


class download(luigi.Config):
    """Where the sources come from, and how they are fetched."""

    folder: Path | None = Place(
        kind="new",
        description="where DownloadSources leaves what no other setting places, and where a build then finds it",
    )
    sources: tuple[str, ...] = Names(names=catalogue.SOURCES, description="what to fetch")
    eol_sets: tuple[int, ...] = Numbers(
        default=tuple(range(1, 64)), description="which image sets of EOL, by number"
    )
    huggingface: str = Setting(
        default=catalogue.BASES["huggingface"], description="address or folder of TreeOfLife-10M"
    )
    inat_competition: str = Setting(
        default=catalogue.BASES["inat_competition"], description="address or folder of train.tar.gz"
    )
    zenodo: str = Setting(
        default=catalogue.BASES["zenodo"], description="address or folder of cropped_256.zip"
    )
    inaturalist: str = Setting(
        default=catalogue.BASES["inaturalist"],
        description="address or folder of inaturalist-taxonomy.dwca.zip",
    )
    eol_open_data: str = Setting(
        default=catalogue.BASES["eol_open_data"], description="address or folder of EOL's tables"
    )
    checksums: tuple[tuple[str, str], ...] = Pairs(
        default=(("inat21/train.tar.gz", "md5:e0526d53c7f7b2e3167b2b43bb2690ed"),),
        description="what files have to have, by their names in sources.lock",
        value_pattern="md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64}",
        allowed="name=md5:... or name=sha256:..., with commas between them",
    )
    extract: bool = Flag(default=False, description="unpack the archives of images, too")
    counts: tuple[tuple[str, str], ...] = Pairs(
        default=tuple((name, str(count)) for name, count in catalogue.COUNTS.items()),
        description="how many files the unpacked archives of a source have to hold",
        value_pattern="[0-9]{1,9}",
        names=tuple(catalogue.UNPACKED),
        allowed="eol, inat21 or bioscan = number, with commas between them",
    )
    files: int = Whole(default=2, low=1, high=32, description="how many files at once, of each source")
    connections: int = Whole(default=4, low=1, high=32, description="over how many connections a file comes")
    host_connections: int = Whole(
        default=8, low=1, high=64, description="how many connections to one server, for each source"
    )
    retries: int = Whole(
        default=8, low=0, high=1000, description="how often to try again in a row, with no byte in between"
    )
    pause_seconds: int = Whole(
        default=1,
        low=0,
        high=300,
        description="before trying again; twice as long each time, up to 5 minutes",
    )
    stall_seconds: int = Whole(
        default=60, low=1, high=3600, description="a connection is broken off after so long without a byte"
    )
    token_variable: str = Text(
        default="HF_TOKEN", description="the environment variable that holds an access token"
    )
    token_host: str = Setting(default="huggingface.co", description="the only server that is shown the token")
    where: str = Choice(
        default="here",
        words=("here", "slurm"),
        description="fetch in this process, or in a Slurm job a source, as [slurm] says",
    )
    slurm_time: tuple[tuple[str, str], ...] = Pairs(
        default=(("metadata", "0:20:00"), ("eol", "18:00:00"), ("inat21", "4:00:00"), ("bioscan", "2:00:00")),
        description="time limit of each job",
        value_pattern=r"(\d+-)?\d+(:\d+){0,2}",
        names=catalogue.SOURCES,
        allowed="source=time as Slurm writes it, with commas between them",
    )
    slurm_cores: tuple[tuple[str, str], ...] = Pairs(
        default=(("metadata", "1"), ("eol", "4"), ("inat21", "4"), ("bioscan", "2")),
        description="cores of each job",
        value_pattern="[1-9][0-9]{0,2}",
        names=catalogue.SOURCES,
        allowed="source=number, with commas between them",
    )


SECTIONS: tuple[type[luigi.Config], ...] = (
    dataset, eol, inat21, bioscan, folder, itis, resolved, rare_species, leak_guard, names, published, images, shards, checks,
    cluster, slurm, download,
)  # fmt: skip
"""Every section of ours, in the order of ``luigi.cfg``."""
