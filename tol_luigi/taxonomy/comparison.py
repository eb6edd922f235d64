"""Compare two releases of a reference taxonomy, as figures."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.deprecations import is_gender_change
from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, Flag
from tol_luigi.taxonomy.ids import PreviousIds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.products import ReferenceTables

__all__ = ["compare"]

_EXAMPLES = 10


def compare(previous: ReferenceTables, new: ReferenceTables) -> dict[str, Any]:
    """Return what differs between two releases, as JSON; taxa are the same if they have the same id."""
    pair = _Pair(previous, new)
    return {
        "taxa": {"previous": len(previous.taxa), "new": len(new.taxa), "both": len(pair.old_rows)},
        "added": _by_rank(new.taxa, pair.is_added),
        "removed": _removed(pair),
        "merged": _merged(pair),
        "split": _split(previous, new),
        "renamed": _renamed(pair),
        "moved": _moved(pair),
        "ranks": {label: _changed(pair, label) for label in RANK_LABELS},
        "flags": _flags(pair),
        "fates": _fates(previous.xref, new.xref),
    }


class _Pair:
    """Two releases, and the rows of the taxa that both have."""

    def __init__(self, previous: ReferenceTables, new: ReferenceTables) -> None:
        self.previous, self.new = previous, new
        old_ids, new_ids = previous.taxa["tol_id"].to_numpy(), new.taxa["tol_id"].to_numpy()
        _, old_rows, new_rows = np.intersect1d(old_ids, new_ids, assume_unique=True, return_indices=True)
        order = np.argsort(new_rows)  # examples in the order of the new release, which is a tree
        self.old_rows, self.new_rows = old_rows[order], new_rows[order]
        self.is_added = ~np.isin(new_ids, old_ids)
        self.is_removed = ~np.isin(old_ids, new_ids)

    @cached_property
    def forwards(self) -> dict[int, int]:
        """The ids that the new release has replaced."""
        columns = (self.new.forwards[name].to_pylist() for name in ("id", "replacement"))
        return dict(zip(*columns, strict=True))

    def old(self, column: str) -> pa.Array:
        """Return a column of the previous release, for the taxa that both have."""
        return self.previous.taxa[column].combine_chunks().take(pa.array(self.old_rows))

    def present(self, column: str) -> pa.Array:
        """Return a column of the new release, for the taxa that both have."""
        return self.new.taxa[column].combine_chunks().take(pa.array(self.new_rows))


def _by_rank(taxa: pa.Table, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the number of some taxa by rank, and the first of them."""
    rows = taxa.filter(pa.array(chosen)).select(["name", "rank"])
    ranks = Counter(rows["rank"].to_pylist())
    return {
        "count": len(rows),
        "ranks": {rank or "no rank": ranks[rank] for rank in sorted(ranks)},
        "examples": rows["name"].slice(0, _EXAMPLES).to_pylist(),
    }


def _removed(pair: _Pair) -> dict[str, Any]:
    """Return the taxa that the new release lacks, by the reason why their ids were given up."""
    gone = pair.previous.taxa.filter(pa.array(pair.is_removed)).select(["tol_id", "name"])
    deprecated = pair.new.deprecated
    places = pc.index_in(gone["tol_id"], value_set=deprecated["id"].combine_chunks())
    reasons = pc.fill_null(deprecated["reason"].take(places), "not listed").to_pylist()
    named = list(zip(gone["name"].to_pylist(), reasons, strict=True))
    return {
        "count": len(gone),
        "reasons": dict(sorted(Counter(reasons).items())),
        "examples": [f"{name}: {reason}" for name, reason in _of_each(named)],
    }


def _of_each(named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return some pairs, so that each second value occurs if there is room."""
    first = {reason: (name, reason) for name, reason in reversed(named)}
    rest = [pair for pair in named if pair not in first.values()]
    return [*sorted(first.values(), key=lambda pair: pair[1]), *rest][:_EXAMPLES]


def _merged(pair: _Pair) -> dict[str, Any]:
    """Return the taxa whose ids the new release replaces."""
    taxa = pair.previous.taxa.filter(pa.array(pair.is_removed)).select(["tol_id", "name"])
    replaced = [row for row in taxa.to_pylist() if row["tol_id"] in pair.forwards]
    wanted = [pair.forwards[row["tol_id"]] for row in replaced[:_EXAMPLES]]
    names = _names(pair.new.taxa, wanted)
    return {
        "count": len(replaced),
        "examples": [f"{row['name']} is {names[new]}" for row, new in zip(replaced, wanted, strict=False)],
    }


def _names(taxa: pa.Table, ids: Iterable[int]) -> dict[int, str]:
    rows = taxa.filter(pc.is_in(taxa["tol_id"], value_set=pa.array(sorted(set(ids)), pa.int64())))
    return dict(zip(rows["tol_id"].to_pylist(), rows["name"].to_pylist(), strict=True))


def _split(previous: ReferenceTables, new: ReferenceTables) -> dict[str, Any]:
    """Return the taxa whose records are in several taxa of the new release."""
    before, after = PreviousIds.of(previous), PreviousIds.of(new)
    owners, found = before.records.pairs(after.records)
    pairs = np.unique(np.column_stack([owners, found]), axis=0).reshape(-1, 2)
    several = np.flatnonzero(np.bincount(pairs[:, 0], minlength=1) > 1)
    shown = several[:_EXAMPLES]
    names = _names(previous.taxa, before.ids[shown].tolist())
    examples = []
    for owner in shown.tolist():
        parts = after.ids[pairs[pairs[:, 0] == owner, 1]].tolist()
        known = _names(new.taxa, parts)
        examples.append(f"{names[int(before.ids[owner])]} is {' and '.join(known[part] for part in parts)}")
    return {"count": len(several), "examples": examples}


def _renamed(pair: _Pair) -> dict[str, Any]:
    """Return the taxa with another name, and how many differ in the gender of their species only."""
    before, after = pair.old("name"), pair.present("name")
    is_other = pc.not_equal(before, after)
    names = list(zip(before.filter(is_other).to_pylist(), after.filter(is_other).to_pylist(), strict=True))
    return {
        "count": len(names),
        "only the gender": sum(is_gender_change(old, new) for old, new in names),
        "examples": [f"{old} is {new}" for old, new in names[:_EXAMPLES]],
    }


def _moved(pair: _Pair) -> dict[str, Any]:
    """Return the taxa with another parent, by rank and by what has happened to the parent."""
    before, after = _parents(pair, pair.old("parent")), _parents(pair, pair.present("parent"))
    moved = np.flatnonzero(before != after)
    causes = _Causes(pair)
    flags = [pair.old("flags").to_numpy()[moved], pair.present("flags").to_numpy()[moved]]
    found = [
        causes.cause(int(before[row]), int(after[row]), int(old), int(new))
        for row, old, new in zip(moved.tolist(), *flags, strict=True)
    ]
    ranks = Counter(pair.present("rank").take(pa.array(moved)).to_pylist())
    names = pair.present("name").take(pa.array(moved)).to_pylist()
    shown = _of_each(list(zip(names, found, strict=True)))
    return {
        "count": len(moved),
        "ranks": {rank or "no rank": ranks[rank] for rank in sorted(ranks)},
        "causes": dict(sorted(Counter(found).items())),
        "examples": [f"{name}: {cause}" for name, cause in shown],
    }


def _parents(pair: _Pair, parents: pa.Array) -> NDArray[np.int64]:
    """Return ids of parents, replaced ones as their replacement, -1 for a root."""
    ids: NDArray[np.int64] = pc.fill_null(parents, -1).to_numpy(zero_copy_only=False).copy()
    replaced = np.flatnonzero(np.isin(ids, np.array([*pair.forwards], np.int64)))
    ids[replaced] = [pair.forwards[old] for old in ids[replaced].tolist()]
    return ids


class _Causes:
    """Why taxa have another parent."""

    def __init__(self, pair: _Pair) -> None:
        self._live = set(pair.new.taxa["tol_id"].to_pylist())
        self._added = set(pair.new.taxa["tol_id"].filter(pa.array(pair.is_added)).to_pylist())
        self._new_parent = _parents_of(pair.new)
        self._old_parent = _parents_of(pair.previous)

    def cause(self, before: int, after: int, old_flags: int, new_flags: int) -> str:
        """Return the cause of a move.

        Args:
            before: The previous parent, -1 for none.
            after: The new parent, -1 for none.
            old_flags: The previous flags of the taxon.
            new_flags: The new flags of the taxon.
        """
        was_placed, is_placed = (not flags & int(INCERTAE_SEDIS) for flags in (old_flags, new_flags))
        if was_placed != is_placed:
            return "its place is known now" if is_placed else "its place is unknown now"
        if after in self._added:
            inserted = self._new_parent.get(after) == before
            return "a new taxon comes between it and its parent" if inserted else "its parent is new"
        if before >= 0 and before not in self._live:
            lifted = self._old_parent.get(before) == after
            return "the taxon between it and its parent is gone" if lifted else "its parent is gone"
        return "another parent"


def _parents_of(tables: ReferenceTables) -> dict[int, int]:
    columns = (tables.taxa[name].to_pylist() for name in ("tol_id", "parent"))
    return {tol_id: -1 if parent is None else parent for tol_id, parent in zip(*columns, strict=True)}


def _changed(pair: _Pair, label: str) -> dict[str, Any]:
    """Return how many taxa have another name at one of the seven ranks, have one now, or have none any more."""
    before, after = pair.old(label), pair.present(label)
    had, has = pc.not_equal(before, ""), pc.not_equal(after, "")
    is_other = pc.and_(pc.not_equal(before, after), pc.and_(had, has))
    values = zip(before.filter(is_other).to_pylist(), after.filter(is_other).to_pylist(), strict=True)
    changes = Counter(values)
    return {
        "changed": changes.total(),
        "filled": pc.sum(pc.and_not(has, had)).as_py() or 0,
        "emptied": pc.sum(pc.and_not(had, has)).as_py() or 0,
        "examples": [
            f"{old} is {new} for {count:,}"
            for (old, new), count in sorted(changes.items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES]
        ],
    }


def _flags(pair: _Pair) -> dict[str, dict[str, int]]:
    """Return how many taxa have got and have lost each flag."""
    before, after = pair.old("flags").to_numpy(), pair.present("flags").to_numpy()
    found = {}
    for flag in Flag:
        had, has = before & np.uint32(flag) != 0, after & np.uint32(flag) != 0
        gained, lost = int((has & ~had).sum()), int((had & ~has).sum())
        if gained or lost:
            found[str(flag.name).lower()] = {"gained": gained, "lost": lost}
    return found


def _fates(previous: pa.Table, new: pa.Table) -> dict[str, dict[str, int]]:
    """Return the number of records by source and change of their fate."""
    keys = ["source", "source_id"]
    both = previous.select([*keys, "fate"]).join(
        new.select([*keys, "fate"]), keys, join_type="full outer", right_suffix="_new", coalesce_keys=True
    )
    counts = both.group_by(["source", "fate", "fate_new"]).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, dict[str, int]] = {}
    for row in sorted(counts, key=lambda row: (row["source"], row["fate"] or "", row["fate_new"] or "")):
        if row["fate"] != row["fate_new"]:
            change = f"{row['fate'] or 'not a record'} to {row['fate_new'] or 'not a record'}"
            found.setdefault(row["source"], {})[change] = row["count_all"]
    return found
