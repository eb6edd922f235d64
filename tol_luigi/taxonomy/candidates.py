"""The candidates of an alignment: for each record, the taxa that have one of its names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest

    Pairs = tuple[Column, Column]

__all__ = ["Candidates", "distinct_pairs"]

_ENDINGS = {"a": "us", "us": "a"}
"""Endings of epithets that authors confuse: the gender of a genus is often a matter of opinion."""

_BINOMIAL = r"^[A-Z][a-z-]+ [a-z-]*"

_MOST_PAIRS = 1 << 20
"""How many pairs are compared at once: a name of thousands of records and thousands of taxa has millions."""


def distinct_pairs(rows: NDArray[np.integer], taxa: NDArray[np.integer], count: int) -> Pairs:
    """Return pairs in order, each once; ``count`` is larger than every taxon."""
    keys = np.unique(rows.astype(np.int64) * count + taxa)
    return (keys // count).astype(np.int32), (keys % count).astype(np.int32)


class Candidates:
    """Pairs of a record and a taxon that may be one: they share a name, or what ``shared`` says.

    A record without such a taxon has those whose binomials differ from its own in the ending of the epithet only.

    Args:
        source: The taxonomy of the records.
        target: The taxonomy of the candidates.
        wanted: Which records have candidates.
        shared: Further pairs.
    """

    def __init__(self, source: Forest, target: Forest, wanted: NDArray[np.bool_], shared: Pairs) -> None:
        self._target = target
        names, rows = source.named
        kept = np.flatnonzero(wanted[rows] & (target.by_name.count(names) > 0))
        kept = kept[np.argsort(rows[kept], kind="stable")]
        self._rows, self._names = rows[kept], names[kept]
        chosen = wanted[shared[0]]
        missing = wanted & ~source.is_informal
        missing[self._rows] = False
        missing[shared[0]] = False
        endings = _by_other_ending(source, target, np.flatnonzero(missing).astype(np.int32))
        further = np.append(shared[0][chosen], endings[0]), np.append(shared[1][chosen], endings[1])
        self._further = distinct_pairs(*further, len(target) + 1)

    def batches(self, wanted: NDArray[np.bool_]) -> Iterator[Pairs]:
        """Yield pairs in order; all those of a record are in one batch.

        Args:
            wanted: For which records.
        """
        chosen, also = wanted[self._rows], wanted[self._further[0]]
        rows, names = self._rows[chosen], self._names[chosen]
        further_rows, further_taxa = self._further[0][also], self._further[1][also]
        number = np.cumsum(self._target.by_name.count(names)) // _MOST_PAIRS
        cuts = np.unique(rows[1:][number[1:] != number[:-1]])
        for low, high in itertools.pairwise([0, *cuts.tolist(), len(wanted)]):
            start, end = np.searchsorted(rows, [low, high])
            places, taxa = self._target.by_name.join(names[start:end])
            first, last = np.searchsorted(further_rows, [low, high])
            yield distinct_pairs(
                np.append(rows[start:end][places], further_rows[first:last]),
                np.append(taxa, further_taxa[first:last]),
                len(self._target) + 1,
            )


def _by_other_ending(source: Forest, target: Forest, rows: Column) -> Pairs:
    """Return pairs of records and taxa whose binomials differ in the ending of the epithet only."""
    texts = source.names.texts(source.name[rows])
    swapped, chosen = [texts[:0]], [rows[:0]]
    for ending, other in _ENDINGS.items():
        fits = pc.match_substring_regex(texts, f"{_BINOMIAL}{ending}$")
        swapped.append(pc.replace_substring_regex(texts.filter(fits), f"{ending}$", other))
        chosen.append(rows[fits.to_numpy(zero_copy_only=False)])
    places, taxa = target.by_name.join(source.names.find(pa.concat_arrays(swapped)))
    return np.concatenate(chosen)[places], taxa
