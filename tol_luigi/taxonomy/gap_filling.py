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
from tol_luigi.taxonomy.projection import kingdoms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.source_ranks import SourceRanks

__all__ = ["RankLabels"]

_NONE = 0
"""The number of the empty name."""


class RankLabels:
    """The names of the seven ranks of all taxa, in which gaps are filled.

    Args:
        parent: The row of the parent of each taxon, -1 for a root.
        ranks: The rank of each taxon.
        is_taxon: Which taxa are no tombstones.
        columns: For each label of a rank, the name of each taxon, "" if there is none.
    """

    def __init__(
        self,
        parent: NDArray[np.int64],
        ranks: pa.Array,
        is_taxon: NDArray[np.bool_],
        columns: Mapping[str, pa.Array],
    ) -> None:
        self._parent, self._is_taxon = parent, is_taxon
        self._levels = levels(parent)
        self._own = pc.fill_null(pc.index_in(ranks, value_set=pa.array(RANK_LABELS)), -1).to_numpy()
        self._numbers: dict[str, int] = {"": _NONE}
        self._labels = [self._numbered(columns[label]) for label in RANK_LABELS]

    def columns(self) -> dict[str, pa.Array]:
        """Return the names of the seven ranks."""
        names = pa.array([*self._numbers], pa.string())
        return {
            label: names.take(pa.array(numbers))
            for label, numbers in zip(RANK_LABELS, self._labels, strict=True)
        }

    def fill(self, sources: Sequence[SourceRanks], kingdoms: Mapping[str, str]) -> dict[str, int]:
        """Fill gaps above the lowest rank of taxa, and return the number of taxa filled by rank.

        The highest taxon below a gap gets the name that the first source has above it, and so do all taxa below that
        have the same gap. So a family never has two orders. A name is not used if the source, or the taxon that has it,
        has another class than the family, so an order never is in two classes either.

        Args:
            sources: The sources, the one with the highest priority first.
            kingdoms: The kingdom that each name stands for.
        """
        filled = {}
        for rank, label in enumerate(RANK_LABELS[:-1]):
            wanted = self._highest_below(rank)
            found = np.full(len(self._parent), _NONE, np.int32)
            for source in sources:
                taxa, names = self._proposals(_Labelled(source, kingdoms), rank, wanted & (found == _NONE))
                fits = self._fits(rank, taxa, names, found)
                first = np.unique(taxa[fits], return_index=True)[1]
                found[taxa[fits][first]] = names[fits][first]
            filled[label] = self._inherit(rank, found)
        return filled

    def _numbered(self, names: pa.Array) -> NDArray[np.int32]:
        encoded = names.dictionary_encode()
        numbers = [
            self._numbers.setdefault(name, len(self._numbers)) for name in encoded.dictionary.to_pylist()
        ]
        table = np.array([*numbers, _NONE], np.int32)
        numbered: NDArray[np.int32] = table[encoded.indices.to_numpy(zero_copy_only=False)]
        return numbered

    def _highest_below(self, rank: int) -> NDArray[np.bool_]:
        """Return the taxa with a gap whose own rank is the first of the seven below it that is known."""
        wanted = self._is_taxon & (self._own > rank) & (self._labels[rank] == _NONE)
        for between in range(rank + 1, len(RANK_LABELS)):
            wanted &= (self._own <= between) | (self._labels[between] == _NONE)
        highest: NDArray[np.bool_] = wanted
        return highest

    def _proposals(
        self, source: _Labelled, rank: int, wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return taxa, and the number of the name that a source has for each; ranks above it agree with the tree."""
        rows = source.rows_with(rank)
        rows = rows[wanted[source.ranks.taxon[rows]]]
        rows = rows[source.ranks.sorted_by_taxon(rows)]
        taxa = source.ranks.taxon[rows]
        fits = np.ones(len(rows), np.bool_)
        for higher in range(rank):
            fits &= _agree(self._labels[higher][taxa], self._names_of(source, rows, higher))
        return taxa[fits], self._names_of(source, rows[fits], rank)

    def _names_of(self, source: _Labelled, rows: NDArray[np.int64], rank: int) -> NDArray[np.int32]:
        """Return the names that records of a source have at a rank, as the taxa of this rank are called here."""
        names, owners = source.names(rows, rank)
        is_rank = (owners >= 0) & self._is_taxon[owners] & (self._own[owners] == rank)
        own_name = self._labels[rank][owners]
        numbers: NDArray[np.int32] = np.where(is_rank & (own_name != _NONE), own_name, self._numbered(names))
        return numbers

    def _fits(
        self, rank: int, taxa: NDArray[np.int64], names: NDArray[np.int32], found: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Return whether each new name has the same higher ranks wherever it is used.

        They are compared with the first taxon that is called so, or else that has it as a label, or else will have it.
        """
        reference = np.full(len(self._numbers), -1, np.int64)
        filled = np.flatnonzero(found != _NONE)
        called = np.flatnonzero(self._is_taxon & (self._own == rank))
        for rows, numbers in ((taxa, names), (filled, found[filled]), (called, self._labels[rank][called])):
            first, place = np.unique(numbers, return_index=True)
            reference[first] = rows[place]
        fits = np.ones(len(taxa), np.bool_)
        for higher in range(rank):
            fits &= _agree(self._labels[higher][taxa], self._labels[higher][reference[names]])
        return fits

    def _inherit(self, rank: int, found: NDArray[np.int32]) -> int:
        """Write names to taxa and to those below that have the same gap; return the number of taxa."""
        for rows in self._levels[1:]:
            above = found[self._parent[rows]]
            may_inherit = (found[rows] == _NONE) & ((self._own[rows] > rank) | (self._own[rows] < 0))
            found[rows] = np.where(may_inherit, above, found[rows])
        is_filled = (self._labels[rank] == _NONE) & (found != _NONE)
        self._labels[rank] = np.where(is_filled, found, self._labels[rank])
        return int(is_filled.sum())


class _Labelled:
    """The names that the records of a source have at the seven ranks."""

    def __init__(self, ranks: SourceRanks, kingdoms: Mapping[str, str]) -> None:
        self.ranks, self._kingdoms = ranks, kingdoms

    def rows_with(self, rank: int) -> NDArray[np.int64]:
        """Return the records that are part of a taxon and have a name at a rank."""
        nearest = self.ranks.nearest[RANK_LABELS[rank]]
        return np.flatnonzero((self.ranks.taxon >= 0) & (nearest >= 0))

    def names(self, rows: NDArray[np.int64], rank: int) -> tuple[pa.Array, NDArray[np.int64]]:
        """Return the names of records at a rank, and the taxa that have become of these names, -1 for none."""
        above = self.ranks.nearest[RANK_LABELS[rank]][rows]
        names = pc.fill_null(self.ranks.names.take(pa.array(above, mask=above < 0)), "")
        if rank == 0:
            names = kingdoms_of(names, self._kingdoms)
        return names, np.where(above >= 0, self.ranks.taxon[above], -1)


def _agree(some: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return whether names are equal, or one of them is unknown."""
    agree: NDArray[np.bool_] = (some == others) | (some == _NONE) | (others == _NONE)
    return agree
