"""How images are spread over taxa: distinct lineages by rank, rank and abundance, and Hill numbers."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ALL_SOURCES",
    "STATS_COLUMNS",
    "abundance",
    "hill_numbers",
    "lineage_counts",
    "shared_ranks",
    "taxa_stats",
]

ALL_SOURCES = "all"
"""The name of the row of ``taxa_stats.csv`` for all sources."""

STATS_COLUMNS = ("source", "images", "lineages", *RANK_LABELS)
"""The columns of ``taxa_stats.csv``."""

_POINTS = 240
"""The most points of a curve."""


def taxa_stats(
    lineages: Iterable[tuple[Sequence[str], str, int]], sources: Sequence[str]
) -> list[dict[str, Any]]:
    """Count distinct lineages, overall and by source.

    Args:
        lineages: The seven ranks, the source, and the number of images, sorted by ranks.
        sources: The sources, in the order of the catalogs.

    Returns:
        One row for all sources, then one for each: the number of images, of distinct lineages of seven ranks, and for
        each rank of distinct lineages down to it in which it is known.

    Source: the classes of the published name lookups, which count lineages and not names.
    """
    rows = {name: dict.fromkeys(STATS_COLUMNS, 0) for name in (ALL_SOURCES, *sources)}
    last: dict[str, Sequence[str]] = {}
    for ranks, source, count in lineages:
        for name in (ALL_SOURCES, source):
            row, before = rows[name], last.get(name, ())
            row["images"] += count
            row["lineages"] += tuple(ranks) != tuple(before)
            shared = shared_ranks(ranks, before)
            for label, rank in zip(RANK_LABELS[shared:], ranks[shared:], strict=True):
                row[label] += rank != ""
            last[name] = ranks
    return [{**row, "source": name} for name, row in rows.items()]


def shared_ranks(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many of the highest ranks two lineages share."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def lineage_counts(lineages: Iterable[tuple[Sequence[str], str, int]]) -> np.ndarray[Any, Any]:
    """Return the number of images of each distinct species, most first; images without a species do not count."""
    counts: Counter[tuple[str, ...]] = Counter()
    for ranks, _, count in lineages:
        if ranks[-1]:
            counts[tuple(ranks)] += count
    return np.sort(np.fromiter(counts.values(), np.int64, len(counts)))[::-1]


def abundance(counts: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Return points of the curve of rank and abundance: places from 1, at distances that grow, and their counts."""
    if not len(counts):
        return []
    places = np.unique(np.geomspace(1, len(counts), _POINTS).round().astype(np.int64))
    return [(int(place), int(counts[place - 1])) for place in places]


def hill_numbers(counts: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Return the Hill numbers of orders 0, 1 and 2: how many equally frequent species would be as diverse."""
    if not len(counts):
        return 0.0, 0.0, 0.0
    shares = counts / counts.sum()
    return float(len(counts)), float(np.exp(-(shares * np.log(shares)).sum())), float(1 / (shares**2).sum())
