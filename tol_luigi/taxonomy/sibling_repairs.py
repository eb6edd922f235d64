"""Siblings with the same name and rank, as taxa that a source has twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.flags import TOMBSTONES, Flag
from tol_luigi.taxonomy.parent_links import UidIndex, natural_order, roots_of
from tol_luigi.taxonomy.records import FORWARDS, Repair

if TYPE_CHECKING:
    import numpy.typing as npt

    from tol_luigi.taxonomy.draft import Draft

    Integers = npt.NDArray[np.int64]

__all__ = ["fold_siblings"]


def fold_siblings(draft: Draft, vernaculars: pa.Table, forwards: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Fold siblings with the same name and rank into the one with the smallest identifier.

    It gets their children (which may be folded in turn), their names and, if it has none, their authorship; it stays
    extinct only if all are. Their identifiers are replaced by its own. Tombstones are never folded.

    Returns:
        The vernacular names and the forwards, with identifiers replaced.

    Source: ``Taxonomy.smush`` of the Open Tree, which ignores ranks.
    """
    into = _targets(draft)
    lost = np.flatnonzero(into != np.arange(len(into)))
    if not len(lost):
        return vernaculars, forwards
    kept = into[lost]
    draft.log.add(
        Repair.REPEATED_SIBLING, draft.uids_of(lost), draft.names.take(pa.array(lost)), draft.uids_of(kept)
    )
    _merge_properties(draft, into, lost)
    moved = pa.table([draft.uids_of(lost), draft.uids_of(kept)], schema=FORWARDS)
    olds = draft.index

    def renamed(table: pa.Table, column: str) -> pa.Table:
        place = table.schema.get_field_index(column)
        rows = olds.find(table[column].combine_chunks())
        return table.set_column(place, table.schema.field(place), draft_uids.take(pa.array(into[rows])))

    draft_uids = draft.uids
    draft.synonyms = renamed(draft.synonyms, "uid").combine_chunks()
    vernaculars = renamed(vernaculars, "uid")
    forwards = pa.concat_tables([renamed(forwards, "replacement"), moved]).combine_chunks()
    forwards = forwards.sort_by([("uid", "ascending")])
    _drop(draft, into)
    return vernaculars.combine_chunks(), forwards.combine_chunks()


def _targets(draft: Draft) -> Integers:
    """Return the row that every row is folded into, itself for most."""
    order = np.empty(len(draft), np.int64)
    order[natural_order(draft.uids)] = np.arange(len(draft))
    names = draft.names.dictionary_encode().indices.to_numpy().astype(np.int64)
    ranks = draft.ranks.dictionary_encode().indices.to_numpy().astype(np.int64)
    is_fixed = (draft.parents < 0) | ((draft.flags & np.uint32(TOMBSTONES)) != 0)
    into = np.arange(len(draft))
    while True:
        parents = np.where(draft.parents >= 0, into[draft.parents], -1)
        rows = np.flatnonzero(~is_fixed & (into == np.arange(len(into))))
        rows = rows[np.lexsort((order[rows], ranks[rows], names[rows], parents[rows]))]
        keys = np.stack([parents[rows], names[rows], ranks[rows]], axis=1)
        is_first = np.ones(len(rows), bool)
        is_first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        if is_first.all():
            return into
        firsts = rows[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]
        into[rows] = firsts
        into = roots_of(np.where(into == np.arange(len(into)), -1, into))


def _merge_properties(draft: Draft, into: Integers, lost: Integers) -> None:
    is_extant = np.zeros(len(draft), bool)
    is_extant[into[lost][(draft.flags[lost] & np.uint32(Flag.EXTINCT)) == 0]] = True
    draft.flags = np.where(is_extant, draft.flags & ~np.uint32(Flag.EXTINCT), draft.flags).astype(np.uint32)
    authorships = draft.authorships.to_pylist()
    for row in lost.tolist():
        authorships[into[row]] = authorships[into[row]] or authorships[row]
    draft.authorships = pa.array(authorships, pa.string())


def _drop(draft: Draft, into: Integers) -> None:
    is_kept = into == np.arange(len(into))
    new_rows = np.cumsum(is_kept) - 1
    chosen = pa.array(is_kept)
    parents = draft.parents[is_kept]
    draft.parents = np.where(parents >= 0, new_rows[into[parents]], -1)
    draft.flags = draft.flags[is_kept]
    for column in ("uids", "names", "authorships", "ranks", "codes", "parsed_codes", "sources"):
        setattr(draft, column, pc.filter(getattr(draft, column), chosen))
    draft.index = UidIndex(draft.uids)
