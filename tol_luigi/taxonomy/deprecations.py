"""Why ids of a previous release are no longer in use."""

from __future__ import annotations

import enum
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy.preorder import levels
from tol_luigi.taxonomy.products import DEPRECATED, ReferenceTables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.ids import Assignment

__all__ = ["Cause", "deprecated_table", "is_gender_change", "parent_rows"]

_ENDINGS = ("us", "um", "is", "os", "on", "a", "e")
"""The endings by which the gender of a species shows, longest first."""


class Cause(enum.StrEnum):
    """Why an id was given up; the words of the Open Tree where it has them."""

    MERGED = "merged"
    """Its record and the record of another taxon have become one taxon."""
    PROBABLE_LUMPING = "probable-lumping"
    """Its record is gone, and its name belongs to another taxon of the previous release."""
    GENDER_CHANGE = "gender-change"
    """The ending of its name has another gender."""
    POSSIBLE_SPLITTING = "possible-splitting"
    """Several taxa have its name."""
    CHANGED_DIVISIONS = "changed-divisions"
    """Its name belongs to a taxon of another kingdom."""
    NOT_ALIGNED = "not-aligned"
    """Its name belongs to a taxon that the alignment has found to be another one."""
    NEWLY_HIDDEN = "newly-hidden"
    """Its record exists, but is excluded, or it is uncertain which taxon it is."""
    SOURCE_REMOVED = "source-removed"
    """Its sources are no longer part of the taxonomy."""
    NAME_RETIRED = "name-retired"
    """Its record is gone, and so is its name."""


class _Row(NamedTuple):
    id: int
    size: int
    name: str
    sourceinfo: str
    reason: str
    witness: str
    replacement: str
    status: str


def deprecated_table(previous: ReferenceTables, release: ReferenceTables, assignment: Assignment) -> pa.Table:
    """Return a row for each id that was given up now or earlier, in order of the ids.

    Args:
        previous: The previous release.
        release: The new release; its table of deprecated ids is not used.
        assignment: What became of the ids.
    """
    gone = np.concatenate([assignment.merged, assignment.lumped, assignment.retired])
    lost = _lost_taxa(previous.taxa, gone)
    merged = set(assignment.merged.tolist())
    replacements = {old: assignment.forwards[old] for old in lost if old in assignment.forwards}
    names = _values(release.taxa, set(replacements.values()), "name")
    finder = _Finder(release, [taxon for old, taxon in lost.items() if old not in replacements])
    rows: dict[int, _Row] = {}
    for old, taxon in lost.items():
        new = replacements.get(old)
        if new is None:
            reason, witness = finder.cause(taxon)
        else:
            witness = names[new]
            reason = Cause.MERGED if old in merged else _lumping(taxon.name, witness)
        row = _Row(old, taxon.size, taxon.name, taxon.sources, str(reason), witness, "", "")
        rows[old] = _with_status(row, new)
    rows |= _earlier(previous, assignment, rows)
    columns = zip(*(rows[old] for old in sorted(rows)), strict=True) if rows else [()] * len(DEPRECATED)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, DEPRECATED, strict=True)]
    return pa.table(arrays, schema=DEPRECATED)


def is_gender_change(name: str, other: str) -> bool:
    """Return whether the names of two species differ in the endings of their last words only."""
    return name != other and " " in name and other in _variants(name)


def parent_rows(taxa: pa.Table) -> NDArray[np.int64]:
    """Return the row of the parent of each taxon of a release, -1 for a root."""
    places = pc.index_in(taxa["parent"].combine_chunks(), value_set=taxa["tol_id"].combine_chunks())
    rows: NDArray[np.int64] = pc.fill_null(places, -1).to_numpy().astype(np.int64)
    return rows


class _Taxon(NamedTuple):
    """A taxon of the previous release that lost its id."""

    id: int
    name: str
    sources: str
    kingdom: str
    size: int


def _lost_taxa(taxa: pa.Table, ids: NDArray[np.int64]) -> dict[int, _Taxon]:
    """Return taxa of the previous release by id, in ascending order."""
    if not len(ids):
        return {}
    table = taxa.select(["tol_id", "name", "sources", "kingdom"]).append_column("size", pa.array(_tips(taxa)))
    lost = table.filter(pc.is_in(table["tol_id"], value_set=pa.array(ids))).sort_by("tol_id")
    return {row["tol_id"]: _Taxon(*row.values()) for row in lost.to_pylist()}


def _tips(taxa: pa.Table) -> NDArray[np.int64]:
    """Return the number of tips below each taxon; 1 for a tip."""
    parent = parent_rows(taxa)
    tips = np.ones(len(parent), np.int64)
    tips[parent[parent >= 0]] = 0
    for rows in levels(parent)[:0:-1]:
        np.add.at(tips, parent[rows], tips[rows])
    return tips


class _Finder:
    """Finds what a new release knows about taxa without an id."""

    def __init__(self, release: ReferenceTables, taxa: Sequence[_Taxon]) -> None:
        self._sources = set(pc.unique(release.xref["source"]).to_pylist())
        self._fates = _fates(release.xref, {key for taxon in taxa for key in taxon.sources.split(",")})
        wanted = {variant for taxon in taxa for variant in (taxon.name, *_variants(taxon.name))}
        self._taxa = _taxa_by_name(release.names, wanted)
        found = {tol_id for ids in self._taxa.values() for tol_id in ids}
        self._kingdoms = _values(release.taxa, found, "kingdom")

    def cause(self, taxon: _Taxon) -> tuple[Cause, str]:
        """Return why a taxon has no id any more, and what shows it."""
        for key in taxon.sources.split(","):
            if key in self._fates:
                return Cause.NEWLY_HIDDEN, f"{key} {self._fates[key]}"
        if ids := self._taxa.get(taxon.name):
            return self._same_name(taxon, sorted(ids))
        for variant in _variants(taxon.name):
            if variant in self._taxa:
                return Cause.GENDER_CHANGE, variant
        prefixes = sorted({key.partition(":")[0] for key in taxon.sources.split(",")})
        if self._sources.isdisjoint(prefixes):
            return Cause.SOURCE_REMOVED, ",".join(prefixes)
        return Cause.NAME_RETIRED, ""

    def _same_name(self, taxon: _Taxon, ids: list[int]) -> tuple[Cause, str]:
        if len(ids) > 1:
            return Cause.POSSIBLE_SPLITTING, ",".join(map(str, ids))
        kingdom = self._kingdoms[ids[0]]
        if taxon.kingdom and kingdom and taxon.kingdom != kingdom:
            return Cause.CHANGED_DIVISIONS, f"{taxon.kingdom} to {kingdom}"
        return Cause.NOT_ALIGNED, str(ids[0])


def _fates(xref: pa.Table, keys: set[str]) -> dict[str, str]:
    """Return the fates of those records of a set that have not become part of a taxon."""
    rows = xref.filter(xref["tol_id"].is_null())
    known = pc.binary_join_element_wise(rows["source"], rows["source_id"], ":")
    rows = rows.append_column("key", known)
    found = rows.filter(pc.is_in(rows["key"], value_set=pa.array(sorted(keys), pa.string()))).to_pylist()
    return {row["key"]: ": ".join(filter(None, (row["fate"], row["reason"]))) for row in found}


def _taxa_by_name(names: pa.Table, wanted: set[str]) -> dict[str, set[int]]:
    """Return the taxa that have names of a set as accepted names or synonyms."""
    rows = names.filter(pc.is_in(names["name"], value_set=pa.array(sorted(wanted), pa.string())))
    found: defaultdict[str, set[int]] = defaultdict(set)
    for name, tol_id in zip(rows["name"].to_pylist(), rows["tol_id"].to_pylist(), strict=True):
        found[name].add(tol_id)
    return dict(found)


def _values(taxa: pa.Table, ids: set[int], column: str) -> dict[int, str]:
    rows = taxa.filter(pc.is_in(taxa["tol_id"], value_set=pa.array(sorted(ids), pa.int64())))
    return dict(zip(rows["tol_id"].to_pylist(), rows[column].to_pylist(), strict=True))


def _variants(name: str) -> list[str]:
    """Return the name of a species with each other ending of gender; none for a name of one word."""
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    if not ending or " " not in name:
        return []
    stem = name.removesuffix(ending)
    return [stem + other for other in _ENDINGS if other != ending]


def _lumping(name: str, other: str) -> Cause:
    return Cause.GENDER_CHANGE if is_gender_change(name, other) else Cause.PROBABLE_LUMPING


def _with_status(row: _Row, replacement: int | None) -> _Row:
    if replacement is None:
        return row._replace(replacement="", status="retired")
    return row._replace(replacement=str(replacement), status="forwarded")


def _earlier(previous: ReferenceTables, assignment: Assignment, rows: Mapping[int, _Row]) -> dict[int, _Row]:
    """Return the ids that were given up earlier and that no taxon has, with their present replacements."""
    revived = set(assignment.revived.tolist())
    kept = {
        row["id"]: _with_status(_Row(**row), assignment.forwards.get(row["id"]))
        for row in previous.deprecated.to_pylist()
        if row["id"] not in revived and row["id"] not in rows
    }
    for row in previous.forwards.to_pylist():
        old, new = row["id"], row["replacement"]
        if old not in kept and old not in rows and old not in assignment.forwards and new in rows:
            kept[old] = rows[new]._replace(id=old, size=0)  # its replacement is gone for the same reason
    return kept
