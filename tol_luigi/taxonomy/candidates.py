"""The candidates of an alignment: for each record, the taxa that have one of its names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["batches", "candidates", "distinct_pairs"]

_MOST_PAIRS = 1 << 20
"""How many pairs are compared at once: a name of thousands of records and thousands of taxa has millions."""

_ENDINGS = {"a": "us", "us": "a"}
"""Endings of epithets that authors confuse: the gender of a genus is often a matter of opinion."""

_BINOMIAL = r"^[A-Z][a-z-]+ [a-z-]*"


def distinct_pairs(
    source: NDArray[np.integer], target: NDArray[np.integer], count: int
) -> tuple[Column, Column]:
    """Return pairs in order, each once; ``count`` is larger than every target."""
    keys = np.unique(source.astype(np.int64) * count + target)
    return (keys // count).astype(np.int32), (keys % count).astype(np.int32)


def batches(source: Forest, target: Forest, wanted: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Yield the wanted records in batches that have a limited number of candidates."""
    name, rows = source.named
    counts = np.zeros(len(source.names), dtype=np.int64)
    counts[: len(target.by_name.counts)] = target.by_name.counts
    pairs = np.bincount(rows, weights=counts[name], minlength=len(source)) * wanted
    number = np.cumsum(pairs) // _MOST_PAIRS
    starts = np.flatnonzero(np.append(True, number[1:] != number[:-1])) if len(source) else []
    for start, end in itertools.pairwise([*starts, len(source)]):
        batch = np.zeros(len(source), dtype=bool)
        batch[start:end] = wanted[start:end]
        yield batch


def candidates(source: Forest, target: Forest, wanted: NDArray[np.bool_]) -> tuple[Column, Column]:
    """Return pairs of a record of ``source`` and a taxon of ``target`` that share a name, in order.

    Args:
        source: The taxonomy of the records.
        target: The taxonomy of the candidates.
        wanted: For which records.
    """
    name, rows = source.named
    open_names = wanted[rows]
    name, rows = name[open_names], rows[open_names]
    places, found = target.by_name.join(name)
    pairs = rows[places], found
    missing = wanted & ~source.is_informal
    missing[pairs[0]] = False
    swapped = _by_other_ending(source, target, np.flatnonzero(missing).astype(np.int32))
    return distinct_pairs(*map(np.concatenate, zip(pairs, swapped, strict=True)), len(target) + 1)


def _by_other_ending(source: Forest, target: Forest, rows: Column) -> tuple[Column, Column]:
    """Return pairs of records and taxa whose binomials differ in the ending of the epithet only."""
    texts = source.names.texts(source.name[rows])
    found_rows, found_taxa = [rows[:0]], [rows[:0]]
    for ending, other in _ENDINGS.items():
        fits = pc.match_substring_regex(texts, f"{_BINOMIAL}{ending}$")
        swapped = pc.replace_substring_regex(texts.filter(fits), f"{ending}$", other)
        numbers = _numbers(source, swapped)
        places, taxa = target.by_name.join(numbers)
        found_rows.append(rows[fits.to_numpy(zero_copy_only=False)][places])
        found_taxa.append(taxa)
    return np.concatenate(found_rows), np.concatenate(found_taxa)


def _numbers(source: Forest, texts: pa.Array) -> Column:
    """Return the numbers of texts, without giving new ones."""
    return source.names.find(texts) if len(texts) else np.full(0, NONE, dtype=np.int32)
