"""Names that tell homonyms apart, such as "Ficus variegata (species in phylum Mollusca)".

Source: the column ``uniqname`` of the Open Tree's reference taxonomy (``doc/interim-format.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.flags import Flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.preorder import Preorder

__all__ = ["synonym_names", "unique_names"]

_MERGED, _INCONSISTENT = int(Flag.MERGED), int(Flag.INCONSISTENT)


def unique_names(
    order: Preorder,
    names: pa.Array,
    *,
    ranks: pa.Array,
    flags: NDArray[np.uint32],
    origins: pa.Array,
    synonyms: pa.Array,
) -> pa.Array:
    """Return a text for each taxon that no other taxon has; "" if its name is unique already.

    It is ``Name (rank in rank Ancestor)``, with the lowest ancestor that is needed to separate the taxon from all its
    homonyms. If none separates them, it is ``Name (rank origin)``. A record that was merged or found inconsistent is
    ``Name (merged with Parent)`` or ``Name (inconsistent in Parent)`` if another taxon has its name or had it as a
    synonym. It does not make the name of another taxon ambiguous.

    Args:
        order: The forest of the taxa.
        names: The name of each taxon.
        ranks: The rank of each taxon, "" if it has none.
        flags: The flags of each taxon.
        origins: The identifier of each taxon in its source, such as ``ncbi:2952``.
        synonyms: All synonyms.
    """
    encoded = names.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    is_lost = (flags & np.uint32(_MERGED | _INCONSISTENT)) != 0
    uses = np.bincount(codes[~is_lost], minlength=len(encoded.dictionary))
    homonyms = np.flatnonzero(~is_lost & (uses[codes] > 1))
    separating = _separating(homonyms, codes, order)
    is_separated = separating >= 0
    texts = _Texts(names, ranks, origins)
    texts.write_origin(homonyms[~is_separated])
    texts.write_ancestor(homonyms[is_separated], separating[is_separated])

    uses += np.bincount(codes[is_lost], minlength=len(uses))
    is_synonym = pc.is_in(encoded.dictionary, value_set=synonyms).to_numpy(zero_copy_only=False)
    lost = np.flatnonzero(is_lost & ((uses > 1) | is_synonym)[codes])
    texts.write_lost(lost, order.parent[lost], (flags[lost] & _MERGED) != 0)
    return texts.distinct()


def synonym_names(synonyms: pa.Array, accepted: pa.Array) -> pa.Array:
    """Return ``X (synonym for Y)`` for each synonym and the accepted name of its taxon."""
    return pc.binary_join_element_wise(synonyms, " (synonym for ", accepted, ")", "")


def _separating(rows: NDArray[np.int64], codes: NDArray[np.int32], order: Preorder) -> NDArray[np.int64]:
    """Return the ancestor that separates each row from all others of its name, -1 if none does.

    The deepest common ancestor of a row with any of its homonyms is the one with its neighbour in preorder, so
    comparing neighbours suffices however many homonyms a name has.
    """
    by_name = np.lexsort((order.position[rows], codes[rows]))
    ordered = rows[by_name]
    lowest = np.full(len(rows), -1, np.int64)
    depth = np.full(len(rows), -1, np.int16)
    is_above = np.zeros(len(rows), np.bool_)
    first = np.flatnonzero(codes[ordered[1:]] == codes[ordered[:-1]])
    for mine, other in ((first, first + 1), (first + 1, first)):
        ancestor = _below_meeting(ordered[mine], ordered[other], order)
        is_above[mine] |= ancestor < 0
        is_lower = order.depth[ancestor] > depth[mine]
        lowest[mine] = np.where(is_lower, ancestor, lowest[mine])
        depth[mine] = np.where(is_lower, order.depth[ancestor], depth[mine])
    lowest[is_above | (lowest == ordered)] = -1
    result = np.empty_like(lowest)
    result[by_name] = lowest
    return result


def _below_meeting(rows: NDArray[np.int64], others: NDArray[np.int64], order: Preorder) -> NDArray[np.int64]:
    """Return for each row its highest ancestor that is not above the other row, -1 if the row itself is above it."""
    ancestor = rows.copy()
    climbing = np.arange(len(rows))
    while len(climbing):
        above = order.parent[ancestor[climbing]]
        may_climb = (above >= 0) & ~order.are_below(others[climbing], above)
        climbing = climbing[may_climb]
        ancestor[climbing] = above[may_climb]
    return np.where(order.are_below(others, rows), -1, ancestor)


class _Texts:
    """The unique names of all taxa, as they are found."""

    def __init__(self, names: pa.Array, ranks: pa.Array, origins: pa.Array) -> None:
        self._names, self._ranks, self._origins = names, ranks, origins
        self._texts = np.full(len(names), "", object)

    def write_ancestor(self, rows: NDArray[np.int64], ancestors: NDArray[np.int64]) -> None:
        """Write ``Name (rank in rank Ancestor)``."""
        names, above = self._names.take(pa.array(rows)), self._names.take(pa.array(ancestors))
        self._write(rows, names, " (", self._rank(rows), "in ", self._rank(ancestors), above, ")")

    def write_origin(self, rows: NDArray[np.int64]) -> None:
        """Write ``Name (rank origin)``."""
        names, origins = self._names.take(pa.array(rows)), self._origins.take(pa.array(rows))
        self._write(rows, names, " (", self._rank(rows), origins, ")")

    def write_lost(
        self, rows: NDArray[np.int64], parents: NDArray[np.int64], are_merged: NDArray[np.bool_]
    ) -> None:
        """Write ``Name (merged with Parent)`` or ``Name (inconsistent in Parent)``."""
        names, above = self._names.take(pa.array(rows)), self._names.take(pa.array(parents, mask=parents < 0))
        what = pc.if_else(pa.array(are_merged), " (merged with ", " (inconsistent in ")
        self._write(rows, names, what, pc.fill_null(above, "life"), ")")

    def distinct(self) -> pa.Array:
        """Return all texts, those of several taxa replaced by the one with the origin."""
        texts = pa.array(self._texts, pa.string())
        counts = pc.value_counts(texts)
        repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        is_repeated = pc.and_(pc.is_in(texts, value_set=repeated), pc.not_equal(texts, ""))
        rows = np.flatnonzero(is_repeated.to_numpy(zero_copy_only=False))
        if len(rows):
            self.write_origin(rows)
            texts = pa.array(self._texts, pa.string())
        return texts

    def _rank(self, rows: NDArray[np.int64]) -> pa.Array:
        """Return the ranks of rows, each with a space, "" if it has none."""
        ranks = self._ranks.take(pa.array(rows))
        return pc.if_else(pc.equal(ranks, ""), "", pc.binary_join_element_wise(ranks, " ", ""))

    def _write(self, rows: NDArray[np.int64], *parts: pa.Array | str) -> None:
        self._texts[rows] = pc.binary_join_element_wise(*parts, "").to_numpy(zero_copy_only=False)
