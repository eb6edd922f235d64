"""Identifiers that stand for a taxon: those of synonyms and those that a source has given up; and other names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.parent_links import UidIndex, roots_of
from tol_luigi.taxonomy.records import FORWARDS, NAMES, VERNACULARS, Repair

if TYPE_CHECKING:
    import numpy.typing as npt

    from tol_luigi.taxonomy.draft import Draft

__all__ = ["Forwards", "settle_synonyms", "settle_vernaculars", "without_repeats"]


class Forwards:
    """The taxa that replaced identifiers lead to, through chains of any length.

    Forwards that lead to no taxon, or in a circle, are left out and recorded; so are those from a taxon that exists, and
    all but the first replacement of an identifier.
    """

    def __init__(self, draft: Draft, forwards: pa.Table) -> None:
        forwards = forwards.select(FORWARDS.names).sort_by(
            [("uid", "ascending"), ("replacement", "ascending")]
        )
        olds, replacements = (forwards[name].combine_chunks() for name in FORWARDS.names)
        index = UidIndex(olds)
        is_needed = (index.find(olds) == np.arange(len(olds))) & (draft.index.find(olds) < 0)
        _record(draft, Repair.REPEATED_ID, ~is_needed, olds, replacements)
        targets = draft.index.find(replacements)
        following = np.where(targets >= 0, -1, index.find(replacements))
        ends = roots_of(following)
        self._targets = np.where(is_needed, targets[ends], -1)
        self._is_loop = following[ends] >= 0
        lost = is_needed & (self._targets < 0)
        _record(draft, Repair.SYNONYM_CHAIN, lost & self._is_loop, olds, replacements)
        _record(draft, Repair.SYNONYM_OF_NOTHING, lost & ~self._is_loop, olds, replacements)
        self._olds, self._index = olds, index

    def find(self, uids: pa.Array) -> npt.NDArray[np.int64]:
        """Return the rows of the taxa that identifiers are replaced by, -1 if there is none."""
        rows = self._index.find(uids)
        return np.where(rows >= 0, np.append(self._targets, -1)[rows], -1)

    def is_loop(self, uids: pa.Array) -> npt.NDArray[np.bool_]:
        """Return whether identifiers replace each other in a circle."""
        rows = self._index.find(uids)
        is_loop: npt.NDArray[np.bool_] = (rows >= 0) & np.append(self._is_loop, False)[rows]
        return is_loop

    def table(self, draft: Draft) -> pa.Table:
        """Return the forwards that lead to a taxon, each straight to it, in order of the identifiers."""
        is_kept = self._targets >= 0
        return pa.table(
            [self._olds.filter(pa.array(is_kept)), draft.uids_of(self._targets[is_kept])], schema=FORWARDS
        )


def settle_synonyms(draft: Draft, forwards: Forwards) -> None:
    """Attach every synonym to its taxon, also through other synonyms; leave out and record those of nothing."""
    draft.synonyms, lost, is_loop, moved = _attached(draft, forwards, draft.synonyms)
    draft.log.add(Repair.SYNONYM_CHAIN, moved["before"], moved["before"], moved["after"])
    for mask, repair in ((is_loop, Repair.SYNONYM_CHAIN), (~is_loop, Repair.SYNONYM_OF_NOTHING)):
        part = lost.filter(pa.array(mask))
        draft.log.add(repair, part["uid"].combine_chunks(), part["name"].combine_chunks())


def settle_vernaculars(
    draft: Draft, forwards: Forwards, vernaculars: pa.Table, *, in_order: bool
) -> pa.Table:
    """Return the vernacular names of taxa; leave out and record those of nothing."""
    table = vernaculars.select(VERNACULARS.names).combine_chunks()
    if in_order:
        table = table.sort_by([(name, "ascending") for name in VERNACULARS.names])
    kept, lost, _, _ = _attached(draft, forwards, table)
    draft.log.add(Repair.VERNACULAR_OF_NOTHING, lost["uid"].combine_chunks(), lost["name"].combine_chunks())
    return kept


def without_repeats(draft: Draft, *, in_order: bool) -> None:
    """Leave out and record synonyms that equal the name of their taxon, or another synonym of it.

    Args:
        draft: The source.
        in_order: Whether synonyms are sorted; of equal ones, one with an authorship stays then, else the first.
    """
    table = draft.synonyms
    rows = draft.index.find(table["uid"].combine_chunks())
    if in_order:
        keys = [
            ("row", "ascending"),
            ("name", "ascending"),
            ("authorship", "descending"),
            ("type", "ascending"),
        ]
        table = table.append_column("row", pa.array(rows)).sort_by(keys).drop_columns("row")
        rows = draft.index.find(table["uid"].combine_chunks())
    names = table["name"].combine_chunks()
    is_repeat = pc.equal(names, draft.names.take(pa.array(rows))).to_numpy(zero_copy_only=False)
    codes = names.dictionary_encode().indices.to_numpy()
    _, firsts = np.unique(rows * (int(codes.max(initial=0)) + 1) + codes, return_index=True)
    is_first = np.zeros(len(rows), bool)
    is_first[firsts] = True
    is_kept = is_first & ~is_repeat
    _record(draft, Repair.REPEATED_NAME, ~is_kept, table["uid"].combine_chunks(), names)
    draft.synonyms = table.filter(pa.array(is_kept)).combine_chunks()


def _attached(
    draft: Draft, forwards: Forwards, table: pa.Table
) -> tuple[pa.Table, pa.Table, npt.NDArray[np.bool_], dict[str, pa.Array]]:
    """Return the rows of taxa, the rows of nothing, whether these are so for a circle, and the identifiers replaced."""
    uids = table["uid"].combine_chunks()
    direct = draft.index.find(uids)
    rows = np.where(direct >= 0, direct, forwards.find(uids))
    is_lost = rows < 0
    is_moved = (direct < 0) & ~is_lost
    moved = {"before": uids.filter(pa.array(is_moved)), "after": draft.uids_of(rows[is_moved])}
    kept = table.filter(pa.array(~is_lost)).set_column(0, NAMES.field("uid"), draft.uids_of(rows[~is_lost]))
    lost = table.filter(pa.array(is_lost))
    return kept.combine_chunks(), lost, forwards.is_loop(uids)[is_lost], moved


def _record(
    draft: Draft, repair: Repair, mask: npt.NDArray[np.bool_], uids: pa.Array, before: pa.Array
) -> None:
    draft.log.add(repair, uids.filter(pa.array(mask)), before.filter(pa.array(mask)))
