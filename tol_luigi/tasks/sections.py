"""The sections of ``luigi.cfg`` but for those of sources, which their plugins bring."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import luigi

from tol_luigi.core.image_geometry import FITS
from tol_luigi.core.images import LOSSLESS, ImageSpec
from tol_luigi.core.jpeg_decoding import DECODERS
from tol_luigi.core.perceptual import USUAL_DISTANCE
from tol_luigi.core.resampling import KERNELS
from tol_luigi.core.samples import IMAGE_FORMATS
from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import (
    Address,
    Choice,
    Flag,
    Limit,
    Lines,
    Names,
    Place,
    Sizes,
    Subset,
    Text,
    Whole,
    WholeOr,
    Words,
)
from tol_luigi.core.source_names import base_of, source_of
from tol_luigi.sources import SOURCES, plugin_of, with_labels
from tol_luigi.tasks.name_sections import (
    ItisSection,
    NamesSection,
    PublishedSection,
    ResolvedSection,
    TaxonomySection,
)
from tol_luigi.tasks.publication_settings import PublicationSection
from tol_luigi.tasks.run_sections import (
    DOWNLOAD_SECTION,
    ClusterSection,
    FeaturesSection,
    FilterSection,
    ReportSection,
    SelectSection,
    SlurmSection,
)
from tol_luigi.tasks.url_sections import FetchSection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.core.sections import Setting

__all__ = [
    "CONFIGS",
    "SECTIONS",
    "ChecksSection",
    "DatasetSection",
    "ImagesSection",
    "LeakGuardSection",
    "RareSpeciesSection",
    "RightsSection",
    "ShardsSection",
    "TextsSection",
    "sections_with",
]

_LARGEST = 1_000_000_000
_IMAGE = ImageSpec()
"""How images are made by default."""


@dataclass(frozen=True)
class DatasetSection(Section):
    """The dataset as a whole."""

    section: ClassVar[str] = "dataset"

    root: Path = setting(
        Place("new"), Path("build"), "the folder for datasets; this one is built in <root>/<tag>"
    )
    tag: str = setting(Text(), "dev", "the name of the dataset")
    seed: int = setting(
        Whole(0, _LARGEST),
        17,
        "the seed for splits and for the order of samples",
        determines=True,
    )
    val_percent: int = setting(
        Whole(0, 100), 5, "the percentage of each source in the validation split", determines=True
    )
    train_small_percent: int = setting(
        Whole(0, 100), 10, "the percentage of the training images that train_small repeats", determines=True
    )
    sources: tuple[str, ...] = setting(
        Names(tuple(SOURCES), with_labels()),
        tuple(SOURCES),
        "the sources to use; a source without images is skipped",
    )
    prefer: tuple[str, ...] = setting(
        Subset(tuple(SOURCES), with_labels()),
        (),
        "if several sources have the same image, it is kept from the first of these; the others follow in the order of the catalogs",
        determines=True,
        is_recorded=False,
    )
    reuse: Path | None = setting(
        Place("folder"),
        None,
        "an existing dataset, <root>/<tag>, to copy images from; sources with an empty images key come from it",
    )
    database: str | None = setting(
        Address(),
        None,
        "a PostgreSQL server to copy mapping and names to; later stages read the mapping from it",
    )


@dataclass(frozen=True)
class RareSpeciesSection(Section):
    """The Rare Species benchmark, to be kept out of the training data."""

    section: ClassVar[str] = "rare_species"

    seen: Path | None = setting(
        Place("file"), None, "seen_in_training.json: images to exclude", determines=True
    )
    unseen: Path | None = setting(
        Place("file"), None, "unseen_in_training.json: images and species to exclude", determines=True
    )
    allow_no_match: bool = setting(Flag(), False, "continue if a list matches nothing")


@dataclass(frozen=True)
class LeakGuardSection(Section):
    """Pictures of benchmarks, to be kept out of the dataset whatever their names are."""

    section: ClassVar[str] = "leak_guard"

    images: Path | None = setting(
        Place("folder"),
        None,
        "benchmark images: for each benchmark a sub-folder of images, an archive, or a sub-folder of archives or WebDataset shards",
        determines=True,
    )
    distance: int = setting(
        Whole(-1, 60),
        USUAL_DISTANCE,
        "the largest number of differing bits, of 256, for near-duplicates (perceptual hash); -1 compares bytes only",
        determines=True,
    )


@dataclass(frozen=True)
class ImagesSection(Section):
    """How the images of samples are made."""

    section: ClassVar[str] = "images"

    width: int = setting(Whole(1, 10_000), _IMAGE.width, "the width of a sample in pixels", determines=True)
    height: int = setting(
        Whole(1, 10_000), _IMAGE.height, "the height of a sample in pixels", determines=True
    )
    further_sizes: tuple[str, ...] = setting(
        Sizes(1, 10_000),
        (),
        "further sizes to write shards with the same samples in, to <width>x<height>/; each file is decoded once for all sizes",
        determines=True,
        is_recorded=False,
    )
    fit: str = setting(
        Choice(*FITS),
        _IMAGE.fit,
        "how an image fills its sample: stretched, or with its aspect ratio, cut at two sides (crop) or with bars (pad)",
        determines=True,
        is_recorded=False,
    )
    padding: str = setting(
        Choice("black", "white"),
        _IMAGE.padding,
        "the colour of the bars of fit = pad",
        determines=True,
        is_recorded=False,
    )
    resize: str = setting(
        Choice("exact", "scaled"),
        _IMAGE.resize,
        "the published pixels (exact), or nearly the same pixels in less time (scaled)",
        determines=True,
    )
    format: str = setting(
        Choice(*IMAGE_FORMATS), _IMAGE.format, "the format of samples", determines=True, is_recorded=False
    )
    jpeg_quality: int = setting(
        Whole(1, 100), _IMAGE.jpeg_quality, "the JPEG quality on Pillow's scale", determines=True
    )
    webp_quality: int | str = setting(
        WholeOr(1, 100, LOSSLESS),
        _IMAGE.webp_quality,
        "the same for format = webp",
        determines=True,
        is_recorded=False,
    )
    truncated: str = setting(
        Choice("keep", "drop"), _IMAGE.truncated, "what to do with truncated images", determines=True
    )
    duplicates: str = setting(
        Choice("keep", "flag", "drop"),
        "flag",
        "exact duplicates: ignore them (keep), report them (flag), or write one image of each group (drop)",
        determines=True,
    )
    exif: str = setting(Choice("ignore", "apply"), _IMAGE.exif, "the EXIF orientation", determines=True)
    max_pixels: int = setting(
        Whole(1, 4_000_000_000),
        _IMAGE.max_pixels,
        "the largest size of an image in pixels; a larger one is not decoded",
        determines=True,
    )
    max_memory_mib: int = setting(
        Whole(64, 1_000_000),
        _IMAGE.max_memory_mib,
        "the memory in MiB that decoding an image may take; an image that needs more is not decoded",
        determines=True,
    )
    transparency: str = setting(
        Choice("published", "white", "black"),
        _IMAGE.transparency,
        "what transparent pixels show: the colours stored in the file (published), or a background",
        determines=True,
        is_recorded=False,
    )
    high_bit_depth: str = setting(
        Choice("refuse", "keep", "stretch"),
        _IMAGE.high_bit_depth,
        "images of more than 8 bits per channel: refuse or keep those whose upper 8 bits are nearly black, or stretch all greys from the darkest to the brightest value",
        determines=True,
    )
    decoder: str = setting(
        Choice(*DECODERS),
        _IMAGE.decoder,
        "what decodes JPEGs, with the same bytes: simplejpeg (auto), if it is installed, or Pillow (pillow)",
    )
    kernel: str = setting(
        Choice(*KERNELS),
        _IMAGE.kernel,
        "what resizes images, with the same bytes: compiled code with the vector instructions of the processor (auto) or without (plain), if it was installed, or Pillow (pillow)",
    )
    threads: int = setting(
        Whole(1, 1024), 1, "the threads of a task that decode images; with any number, the bytes are the same"
    )


@dataclass(frozen=True)
class ShardsSection(Section):
    """How samples are packed."""

    section: ClassVar[str] = "shards"

    max_samples: int = setting(
        Whole(1, _LARGEST), 10_000, "the largest number of samples in a shard", determines=True
    )
    order: str = setting(
        Choice("shuffled", "source"), "shuffled", "the order of samples within a partition", determines=True
    )


@dataclass(frozen=True)
class RightsSection(Section):
    """The rights of images (docs/rights.md). Both keys may change under the same dataset."""

    section: ClassVar[str] = "rights"

    allow: tuple[str, ...] | None = setting(
        Words(),
        None,
        "the licences of images that may be in the shards, such as CC0, CC-BY, CC-BY-SA-4.0; unknown for images without one; if empty, all",
    )
    takedowns: Path | None = setting(
        Place("file"),
        None,
        "CSV of images to take out for good, with one of the columns id, url and owner in each line, and optionally date and reason",
    )


@dataclass(frozen=True)
class TextsSection(Section):
    """Texts of the samples: their form, and further ones."""

    section: ClassVar[str] = "texts"

    form: str = setting(
        Choice("files", "json"),
        "files",
        "how samples store texts: files, each a member of its own; json, all in one member json",
        determines=True,
        is_recorded=False,
    )
    templates: tuple[str, ...] | None = setting(
        Lines(),
        None,
        "further members of each sample, one per line: <name>.txt = a text with fields of the taxon or columns of the labels in {braces}, and optional parts in [brackets]",
        determines=True,
        is_recorded=False,
    )


@dataclass(frozen=True)
class ChecksSection(Section):
    """What is too much."""

    section: ClassVar[str] = "checks"

    max_bad_percent: int = setting(
        Whole(0, 100), 5, "the largest percentage of broken images in a partition before the build stops"
    )
    unreadable_archive: str = setting(
        Choice("stop", "skip"), "stop", "what to do with a truncated or damaged archive", determines=True
    )
    unreadable_file: str = setting(
        Choice("stop", "skip"),
        "stop",
        "what to do with a file or folder that exists but cannot be read (permissions, disk errors): stop, or build without it until it can be read",
    )
    min_matched_percent: int = setting(
        Whole(0, 100),
        50,
        "the smallest percentage of a source's images with a name, or of its labels with an image (the higher one counts), before the build stops; a build without any image always stops",
    )
    changed_sources: str = setting(
        Choice("stop", "rebuild"),
        "stop",
        "what to do if sources or tables have changed since they were read and shards are written: stop, or read them again and rebuild everything that depends on them",
    )
    repair: bool = setting(Flag(), True, "rewrite a shard that fails its check")
    max_kingdoms: int | None = setting(Limit(), None, "kingdoms in a catalog")
    max_genus_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to family in rows with a genus"
    )
    max_family_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to order in rows with a family"
    )
    max_order_without_higher: int | None = setting(
        Limit(), None, "missing ranks from kingdom to class in rows with an order"
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
    TaxonomySection,
    PublishedSection,
    ImagesSection,
    ShardsSection,
    TextsSection,
    RightsSection,
    ChecksSection,
    FeaturesSection,
    FilterSection,
    SelectSection,
    ReportSection,
    PublicationSection,
    ClusterSection,
    SlurmSection,
    DOWNLOAD_SECTION,
    FetchSection,
)
"""Every section without a label, in the order of ``luigi.cfg``."""


def sections_with(labelled: Iterable[str]) -> tuple[type[Section], ...]:
    """Return every section, those with a label after the one without.

    Args:
        labelled: The names of sections with a label, or of their sources.
    """
    further = [plugin_of(name).section for name in sorted(set(map(source_of, labelled)))]
    groups = ([one, *(each for each in further if base_of(each.section) == one.section)] for one in SECTIONS)
    return tuple(itertools.chain.from_iterable(groups))


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
