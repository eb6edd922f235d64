"""The sections of ``luigi.cfg`` but for those of sources, which their plugins bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import luigi

from tol_luigi.core.images import ImageSpec
from tol_luigi.core.perceptual import USUAL_DISTANCE
from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import (
    Address,
    Choice,
    Flag,
    Limit,
    Names,
    Place,
    Text,
    Whole,
)
from tol_luigi.sources import SOURCES
from tol_luigi.tasks.run_sections import DOWNLOAD_SECTION, ClusterSection, SlurmSection

if TYPE_CHECKING:
    from tol_luigi.core.sections import Setting

__all__ = [
    "CONFIGS",
    "SECTIONS",
    "ChecksSection",
    "DatasetSection",
    "ImagesSection",
    "ItisSection",
    "LeakGuardSection",
    "NamesSection",
    "PublishedSection",
    "RareSpeciesSection",
    "ResolvedSection",
    "ShardsSection",
]

_LARGEST = 1_000_000_000
_IMAGE = ImageSpec()
"""How images are made by default."""


@dataclass(frozen=True)
class DatasetSection(Section):
    """The dataset as a whole."""

    section: ClassVar[str] = "dataset"

    root: Path = setting(Place("new"), Path("build"), "where datasets are built; this one in <root>/<tag>")
    tag: str = setting(Text(), "dev", "the dataset's name")
    seed: int = setting(
        Whole(0, _LARGEST),
        17,
        "another seed gives other splits and another order of samples",
        determines=True,
    )
    val_percent: int = setting(
        Whole(0, 100), 5, "how much of each source is held out for validation", determines=True
    )
    train_small_percent: int = setting(
        Whole(0, 100), 10, "how much of the training images the small set repeats", determines=True
    )
    sources: tuple[str, ...] = setting(
        Names(tuple(SOURCES)), tuple(SOURCES), "the sources to use; one without images is left out"
    )
    reuse: Path | None = setting(
        Place("folder"),
        None,
        "an older dataset, <root>/<tag>: what it has of the same images is copied, and sources that name no images are taken as they were there",
    )
    database: str | None = setting(
        Address(),
        None,
        "a PostgreSQL server that mapping and names are copied to; later stages read the mapping there",
    )


@dataclass(frozen=True)
class ItisSection(Section):
    """Integrated Taxonomic Information System: higher ranks and common names."""

    section: ClassVar[str] = "itis"

    chains: Path | None = setting(Place("file"), None, "species_level_taxonomy_chains.csv", determines=True)


@dataclass(frozen=True)
class ResolvedSection(Section):
    """Names that resolvers have found higher ranks for."""

    section: ClassVar[str] = "resolved"

    jsonl: Path | None = setting(Place("file"), None, "resolved.jsonl", determines=True)


@dataclass(frozen=True)
class RareSpeciesSection(Section):
    """The Rare Species benchmark, to be kept out of the training data."""

    section: ClassVar[str] = "rare_species"

    seen: Path | None = setting(
        Place("file"), None, "seen_in_training.json: images to leave out", determines=True
    )
    unseen: Path | None = setting(
        Place("file"), None, "unseen_in_training.json: images and species to leave out", determines=True
    )
    allow_no_match: bool = setting(Flag(), False, "go on with a list that matches nothing at all")


@dataclass(frozen=True)
class LeakGuardSection(Section):
    """Pictures of benchmarks, to be kept out of the dataset whatever their names are."""

    section: ClassVar[str] = "leak_guard"

    images: Path | None = setting(
        Place("folder"),
        None,
        "for each benchmark a sub-folder of pictures, or an archive or WebDataset shards of them",
        determines=True,
    )
    distance: int = setting(
        Whole(-1, 60),
        USUAL_DISTANCE,
        "the most bits, of 256, in which pictures differ that look the same; -1 compares bytes only",
        determines=True,
    )


@dataclass(frozen=True)
class NamesSection(Section):
    """How images are named."""

    section: ClassVar[str] = "names"

    method: str = setting(
        Choice("published"),
        "published",
        "by the rules of the published dataset, also where they are wrong about nature (docs/reproduce.md)",
        determines=True,
    )


@dataclass(frozen=True)
class PublishedSection(Section):
    """A dataset published before, whose ids and names to keep."""

    section: ClassVar[str] = "published"

    mapping: Path | None = setting(Place("file"), None, "mapping.sqlite: ids and splits", determines=True)
    names: Path | None = setting(
        Place("folder"), None, "folder of <source>_name_lookup.json files", determines=True
    )


@dataclass(frozen=True)
class ImagesSection(Section):
    """How pictures are made."""

    section: ClassVar[str] = "images"

    width: int = setting(Whole(1, 10_000), _IMAGE.width, "pixels", determines=True)
    height: int = setting(Whole(1, 10_000), _IMAGE.height, "pixels", determines=True)
    resize: str = setting(
        Choice("exact", "scaled"),
        _IMAGE.resize,
        "the published pixels, or a faster way to nearly the same",
        determines=True,
    )
    jpeg_quality: int = setting(Whole(1, 100), _IMAGE.jpeg_quality, "on Pillow's scale", determines=True)
    truncated: str = setting(
        Choice("keep", "drop"), _IMAGE.truncated, "what to do with pictures that break off", determines=True
    )
    duplicates: str = setting(
        Choice("keep", "flag", "drop"),
        "flag",
        "images with the same bytes: say nothing, tell which they are, or write one of each",
        determines=True,
    )
    exif: str = setting(
        Choice("ignore", "apply"), _IMAGE.exif, "the orientation that a camera noted", determines=True
    )
    max_pixels: int = setting(
        Whole(1, 4_000_000_000), _IMAGE.max_pixels, "a larger picture is not opened", determines=True
    )
    max_memory_mib: int = setting(
        Whole(64, 1_000_000),
        _IMAGE.max_memory_mib,
        "MiB; a picture that takes more memory to open is not opened",
        determines=True,
    )
    transparency: str = setting(
        Choice("published", "white", "black"),
        _IMAGE.transparency,
        "what shows at transparent pixels: the colours that the file hides there, or a ground",
        determines=True,
        is_recorded=False,
    )
    high_bit_depth: str = setting(
        Choice("refuse", "keep", "stretch"),
        _IMAGE.high_bit_depth,
        "pictures of more than 8 bits per channel: of those whose upper 8 bits show nearly nothing, refuse or keep the samples; or stretch all such greys from their darkest to their brightest value",
        determines=True,
    )


@dataclass(frozen=True)
class ShardsSection(Section):
    """How samples are packed."""

    section: ClassVar[str] = "shards"

    max_samples: int = setting(Whole(1, _LARGEST), 10_000, "the most samples in one shard", determines=True)
    order: str = setting(
        Choice("shuffled", "source"), "shuffled", "the order of samples within a partition", determines=True
    )


@dataclass(frozen=True)
class ChecksSection(Section):
    """What is too much."""

    section: ClassVar[str] = "checks"

    max_bad_percent: int = setting(Whole(0, 100), 5, "the most broken images in a partition, before it stops")
    unreadable_archive: str = setting(
        Choice("stop", "skip"), "stop", "what to do about an archive that is not whole", determines=True
    )
    unreadable_file: str = setting(
        Choice("stop", "skip"),
        "stop",
        "what to do about a file or folder that cannot be read just now, as it is not allowed or as its disk fails: stop, or build without it until it can be read",
    )
    min_matched_percent: int = setting(
        Whole(0, 100),
        50,
        "the least percentage of a source's images with a name, or of its labels with an image (the higher counts), before it stops; a build without any image always stops",
    )
    changed_sources: str = setting(
        Choice("stop", "rebuild"),
        "stop",
        "what to do about sources and tables that have changed since they were read: stop, or read them again and build again all that follows from them",
    )
    repair: bool = setting(Flag(), True, "write a shard that fails its check once more")
    max_kingdoms: int | None = setting(Limit(), None, "kingdoms in a catalog")
    max_genus_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to family, where there is a genus"
    )
    max_family_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to order, where there is a family"
    )
    max_order_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to class, where there is an order"
    )
    max_species_without_genus: int | None = setting(
        Limit(), None, "rows with a species and a higher rank, but no genus"
    )
    max_species_of_many_words: int | None = setting(Limit(), None, "rows whose species has several words")
    max_species_unidentified: int | None = setting(Limit(), None, "rows whose species is (unidentified)")
    max_missing_common: int | None = setting(Limit(), None, "rows without a common name")


SECTIONS: tuple[type[Section], ...] = (
    DatasetSection,
    *(plugin.section for plugin in SOURCES.values()),
    ItisSection,
    ResolvedSection,
    RareSpeciesSection,
    LeakGuardSection,
    NamesSection,
    PublishedSection,
    ImagesSection,
    ShardsSection,
    ChecksSection,
    ClusterSection,
    SlurmSection,
    DOWNLOAD_SECTION,
)
"""Every section, in the order of ``luigi.cfg``."""


class _SettingParameter(luigi.Parameter):
    """A setting as Luigi knows it: on the command line, and in ``--help-all``."""

    def __init__(self, given: Setting) -> None:
        super().__init__(default=given.default, description=given.description)
        self.kind = given.kind

    def parse(self, raw: str) -> Any:  # noqa: ANN401 (a value of any kind)
        """Return the value of a text."""
        return self.kind.parse(raw)

    def serialize(self, value: Any) -> str:  # noqa: ANN401 (as above)
        """Return the text of a value."""
        return "" if value is None else self.kind.serialize(value)


def _config(section: type[Section]) -> type[luigi.Config]:
    """Return a section as a Luigi Config class, which Luigi names after the class."""
    parameters = {key: _SettingParameter(given) for key, given in section.settings().items()}
    content = {"__doc__": section.__doc__, "__module__": __name__, **parameters}
    return type(section.section, (luigi.Config,), content)


CONFIGS = {section.section: _config(section) for section in SECTIONS}
"""By the name of the section, its Luigi Config class."""
