"""What the report on a build is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tol_luigi.core.shards import Shard
    from tol_luigi.report.taxon_tree import TaxonTree

__all__ = ["BuildFigures", "CatalogData", "Group", "Thumbnail"]


@dataclass(frozen=True)
class BuildFigures:
    """What the stages of a build have counted.

    Attributes:
        version: The version of the program.
        digest: What distinguishes the dataset from others, as hexadecimal digits.
        sources: The sources, in the order of the catalogs.
        states: The number of images by (state, source).
        shards: The shards of each split.
        reports: The figures of the reports of other stages, by name; ``settings`` are those of the dataset.
        is_demonstration: Whether the images are the drawn ones of the demonstration.
    """

    version: str
    digest: str
    sources: Sequence[str]
    states: Mapping[tuple[str, str], int]
    shards: Mapping[str, Sequence[Shard]]
    reports: Mapping[str, Any]
    is_demonstration: bool = False


@dataclass(frozen=True)
class Thumbnail:
    """An image that the page shows.

    Attributes:
        node: The number of its taxon in the tree.
        name: Its taxon as text.
        fields: What is known of it, in words.
    """

    node: int
    name: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Images that are shown together.

    Attributes:
        kind: ``flag``, ``split``, ``duplicate`` (identical bytes) or ``near`` (a pair of near-duplicates).
        name: The flag, the split, the id of the first duplicate, or what distinguishes a pair.
        count: How many images are like this.
        thumbnails: The numbers of those that are shown.
    """

    kind: str
    name: str
    count: int
    thumbnails: Sequence[int]


@dataclass(frozen=True)
class CatalogData:
    """What the catalog and the ledgers contain.

    Attributes:
        samples: Samples by (split, source).
        stats: The rows of ``taxa_stats.csv``.
        tree: The tree of lineages.
        by_source: The images of each node of the tree (rows) from each source (columns).
        commons: The common name of each species that has one, by the number of its node.
        species: The number of images of each species, most first.
        flags: Images by (flag, source).
        modes: Images by mode, most first.
        formats: Images by format, most first.
        sides: Images by class of the shorter side: the class in words, and the number.
        aspects: The same by aspect ratio.
        thumbnails: The images that are shown, in the order of the sheets.
        sheets: The sheets of thumbnails, as JPEG.
        groups: Images that are shown together.
        excluded: Examples of images that are in no shard: state, source, partition, name and reason.
    """

    samples: Mapping[tuple[str, str], int]
    stats: Sequence[Mapping[str, Any]]
    tree: TaxonTree
    by_source: np.ndarray[Any, Any]
    commons: Mapping[int, str]
    species: np.ndarray[Any, Any]
    flags: Mapping[tuple[str, str], int]
    modes: Sequence[tuple[str, int]]
    formats: Sequence[tuple[str, int]]
    sides: Sequence[tuple[str, int]]
    aspects: Sequence[tuple[str, int]]
    thumbnails: Sequence[Thumbnail]
    sheets: Sequence[bytes]
    groups: Sequence[Group]
    excluded: Sequence[Mapping[str, str]]

    @property
    def images(self) -> int:
        """The number of images, each once."""
        return sum(count for (split, _), count in self.samples.items() if split != "train_small")
