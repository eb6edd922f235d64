"""Ranks that the tree lacks and that a source knows: the order of a family, or a kingdom that is no clade.

A taxon keeps the place of the source with the highest priority, which may have no order above a family, though another
source has one. Then the order is only a label: the tree does not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.preorder import levels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.source_ranks import SourceRanks

    Rows = NDArray[np.int64]
    Numbers = NDArray[np.int32]

__all__ = ["RankLabels"]

_NONE = 0
"""The number of the empty name."""

_NOTHING = -1


class RankLabels:
    """The names of the seven ranks of all taxa, in which gaps are filled.

    Args:
        parent: The row of the parent of each taxon, -1 for a root.
        ranks: The rank of each taxon.
        is_taxon: Which taxa are no tombstones.
        columns: For each label of a rank, the name of each taxon, "" if there is none.
    """

    def __init__(
        self, parent: Rows, ranks: pa.Array, is_taxon: NDArray[np.bool_], columns: Mapping[str, pa.Array]
    ) -> None:
        self._parent = parent
        self._levels = levels(parent)
        own = pc.fill_null(pc.index_in(ranks, value_set=pa.array(RANK_LABELS)), _NOTHING).to_numpy()
        self._rank = own
        self._own = np.where(is_taxon, own, _NOTHING)
        self._numbers: dict[str, int] = {"": _NONE}
        self._labels = np.array([self._numbered(columns[label]) for label in RANK_LABELS])
        self._known = [self._first_called(rank) for rank in range(len(RANK_LABELS))]

    def columns(self) -> dict[str, pa.Array]:
        """Return the names of the seven ranks."""
        names = pa.array([*self._numbers], pa.string())
        return {
            label: names.take(pa.array(own)) for label, own in zip(RANK_LABELS, self._labels, strict=True)
        }

    def fill(self, sources: Sequence[SourceRanks]) -> dict[str, int]:
        """Fill the gaps above the lowest rank of taxa, and return the number of taxa filled by rank.

        The highest taxon below a gap is filled, and all taxa below it that have the same gap inherit the names. So a
        family never has two orders. The name of a rank is the one that the first source has above its record of the
        taxon. If there is a taxon of this name, the ranks above are those of that taxon; if they contradict ranks that
        the tree has, nothing is filled. So an order never is in two classes.

        Args:
            sources: The sources, the one with the highest priority first.
        """
        before = (self._labels != _NONE).sum(axis=1)
        for rank in range(1, len(RANK_LABELS)):
            filled = np.zeros(len(self._parent), np.bool_)
            wanted = (self._own == rank) & (self._labels[rank - 1] == _NONE)
            for source in sources:
                taxa = self._fill_from(source, rank, wanted)
                filled[taxa] = True
                wanted[taxa] = False
            self._inherit(rank, filled)
        counts = (self._labels != _NONE).sum(axis=1) - before
        return {label: int(count) for label, count in zip(RANK_LABELS[:-1], counts, strict=False)}

    def _numbered(self, names: pa.Array) -> Numbers:
        encoded = names.dictionary_encode()
        numbers = [
            self._numbers.setdefault(name, len(self._numbers)) for name in encoded.dictionary.to_pylist()
        ]
        table = np.array([*numbers, _NONE], np.int32)
        numbered: Numbers = table[encoded.indices.to_numpy(zero_copy_only=False)]
        return numbered

    def _first_called(self, rank: int) -> dict[int, int]:
        """Return the first taxon of a rank that is called by each name."""
        rows = np.flatnonzero(self._own == rank)
        numbers, first = np.unique(self._labels[rank][rows], return_index=True)
        return dict(zip(numbers.tolist(), rows[first].tolist(), strict=True))

    def _fill_from(self, source: SourceRanks, rank: int, wanted: NDArray[np.bool_]) -> Rows:
        """Fill the gaps of taxa of a rank from a source, and return those that were filled."""
        rows = source.first_records(wanted, RANK_LABELS[:rank])
        taxa = source.taxon[rows]
        names = self._names_above(source, rows, rank)
        gap = np.logical_and.accumulate(self._labels[:rank, taxa][::-1] == _NONE)[::-1]
        agrees = _agree(self._labels[:rank, taxa], names).all(axis=0)
        rows, taxa, names = rows[agrees], taxa[agrees], np.where(gap, names, _NONE)[:, agrees]
        for higher in range(rank):
            self._labels[higher, taxa] = np.where(
                names[higher] != _NONE, names[higher], self._labels[higher, taxa]
            )
        for higher in range(rank):
            self._empty_contradictions(higher, taxa[names[higher] != _NONE])
        is_filled = ((names != _NONE) & (self._labels[:rank, taxa] != _NONE)).any(axis=0)
        filled: Rows = taxa[is_filled]
        return filled

    def _names_above(self, source: SourceRanks, rows: Rows, rank: int) -> Numbers:
        """Return the names above records at each of the ranks above one.

        From the lowest rank upwards, names are those of the source until one of them is a taxon, and from there on those
        of that taxon.
        """
        names = np.full((rank, len(rows)), _NONE, np.int32)
        anchor = np.full(len(rows), _NOTHING, np.int64)
        for higher in reversed(range(rank)):
            given, owners = source.names_at(rows, RANK_LABELS[higher])
            is_anchor = (anchor < 0) & (owners >= 0) & (self._own[owners] == higher)
            anchor = np.where(is_anchor, owners, anchor)
            names[higher] = np.where(anchor >= 0, self._labels[higher, anchor], self._numbered(given))
        return names

    def _empty_contradictions(self, rank: int, taxa: Rows) -> None:
        """Empty the new names of taxa at a rank if they have other higher ranks than where they are known from.

        A name is known from the first taxon that is called so, or else from the first that has it as a label.
        """
        known, numbers = self._known[rank], self._labels[rank, taxa].tolist()
        for number, taxon in zip(numbers, taxa.tolist(), strict=True):
            known.setdefault(number, taxon)
        first = np.array([known[number] for number in numbers], np.int64)
        agrees = _agree(self._labels[:rank, taxa], self._labels[:rank, first]).all(axis=0)
        self._labels[rank, taxa[~agrees]] = _NONE

    def _inherit(self, rank: int, is_filled: NDArray[np.bool_]) -> None:
        """Write the names of taxa that were filled to the gaps of those below them."""
        if not is_filled.any():
            return
        above = np.where(is_filled, np.arange(len(self._parent)), _NOTHING)
        for rows in self._levels[1:]:
            above[rows] = np.where(above[rows] < 0, above[self._parent[rows]], above[rows])
        below = np.flatnonzero(above >= 0)
        for higher in range(rank):
            is_lower = (self._rank[below] > higher) | (self._rank[below] < 0)
            rows = below[is_lower & (self._labels[higher, below] == _NONE)]
            self._labels[higher, rows] = self._labels[higher, above[rows]]


def _agree(some: Numbers, others: Numbers) -> NDArray[np.bool_]:
    """Return whether names are equal, or one of them is unknown."""
    agree: NDArray[np.bool_] = (some == others) | (some == _NONE) | (others == _NONE)
    return agree
