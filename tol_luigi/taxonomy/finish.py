"""From a union of sources to the tables of a release."""

from __future__ import annotations

import dataclasses
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import products, records
from tol_luigi.taxonomy.deprecations import deprecated_table
from tol_luigi.taxonomy.identities import forwarded, keys_of_sources, keys_of_taxa
from tol_luigi.taxonomy.ids import PreviousIds, assign_ids
from tol_luigi.taxonomy.ordered_union import OrderedUnion
from tol_luigi.taxonomy.products import ACCEPTED, ReferenceTables
from tol_luigi.taxonomy.records import Records
from tol_luigi.taxonomy.source_ranks import SourceRanks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.ids import Assignment
    from tol_luigi.taxonomy.patched_union import UnionLike

__all__ = ["PREFIX", "finished", "records_of"]

PREFIX = "tol"
"""The prefix of the ids of a release, where it is used as a source."""

_EXAMPLES = 100
"""The most taxa whose records are in several taxa now that are named."""


def finished(
    union: UnionLike,
    *,
    kingdoms: Mapping[str, str],
    sources: Sequence[Records] = (),
    previous: ReferenceTables | None = None,
    about: Mapping[str, object] = MappingProxyType({}),
) -> ReferenceTables:
    """Return the tables of a release. The order of records in the sources does not change them.

    Args:
        union: The union of all sources.
        kingdoms: The kingdom that each name stands for, such as Animalia for Metazoa.
        sources: The sources in order of priority, from which gaps in the seven ranks are filled; none if it is empty.
        previous: The previous release, whose ids are kept.
        about: What to say of the release.
    """
    taxa = OrderedUnion.of(union)
    xref = union.xref
    rows = pa.array(taxa.rows, pa.int32())
    keys = keys_of_taxa(xref, "taxon", rows, taxa.names, taxa.origins)
    assignment = assign_ids(
        len(union),
        keys + forwarded(keys, union.forwards),
        keys_of_sources(taxa.sources),
        PreviousIds.of(previous) if previous else None,
        partial(_aligned, union, previous, taxa.position) if previous else None,
    )
    ranks = taxa.rank_labels(kingdoms)
    filled = ranks.fill([SourceRanks.of(each, xref, "taxon", rows, kingdoms) for each in sources])
    tol_ids = assignment.tol_ids
    by_row = tol_ids[taxa.position]
    tables = ReferenceTables(
        taxa=taxa.table(tol_ids, ranks.columns()),
        names=_names(taxa, union.synonyms, tol_ids),
        xref=_xref(xref, by_row),
        conflicts=_sorted(union.conflicts, "source", "parent", "alice", "bob"),
        vernaculars=_vernaculars(union.vernaculars, taxa.position, by_row),
        forwards=_forwards(assignment),
        about={**about, "ids": _figures(assignment, previous, taxa.names), "filled_ranks": filled},
    )
    if previous is None:
        return tables
    return dataclasses.replace(tables, deprecated=deprecated_table(previous, tables, assignment))


def _aligned(
    union: UnionLike, previous: ReferenceTables, position: NDArray[np.int64], ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the places of the taxa that ids of the previous release are aligned with, -1 for none."""
    known = previous.taxa["tol_id"].sort()
    target = union.align(records_of(previous)).target  # in order of the ids
    rows = target[pc.index_in(pa.array(ids), value_set=known).to_numpy()]
    return np.where(rows >= 0, position[rows], -1)


def records_of(tables: ReferenceTables) -> Records:
    """Return a release as a source, whose identifiers are the ids of its taxa."""
    taxa = tables.taxa.select(["tol_id", *records.TAXA.names[1:]]).rename_columns(records.TAXA.names)
    synonyms = tables.names.filter(pc.not_equal(tables.names["type"], ACCEPTED))
    names = synonyms.select(["tol_id", *records.NAMES.names[1:]]).rename_columns(records.NAMES.names)
    return Records(PREFIX, taxa.cast(records.TAXA), names.cast(records.NAMES))


def _names(taxa: OrderedUnion, synonyms: pa.Table, tol_ids: NDArray[np.int64]) -> pa.Table:
    """Return the accepted names and the synonyms, in the order of the taxa, accepted names first."""
    accepted = pa.table(
        {
            "place": pa.array(np.arange(len(tol_ids))),
            "name": taxa.names,
            "authorship": taxa.authorships,
            "type": pa.repeat(ACCEPTED, len(tol_ids)),
            "source": pc.replace_substring_regex(taxa.origins, ":.*", ""),
        }
    )
    own = pa.array(taxa.position[synonyms["taxon"].to_numpy()])
    renamed = synonyms.select(accepted.column_names[1:]).add_column(0, "place", own)
    is_accepted = pc.and_(
        pc.equal(renamed["name"], taxa.names.take(own)),
        pc.or_(
            pc.equal(renamed["authorship"], ""), pc.equal(renamed["authorship"], taxa.authorships.take(own))
        ),
    )
    distinct = renamed.filter(pc.invert(is_accepted)).group_by(renamed.column_names).aggregate([])
    rest = _sorted(distinct.select(renamed.column_names), *renamed.column_names).cast(accepted.schema)
    table = pa.concat_tables([accepted, rest])
    table = table.take(pa.array(np.argsort(table["place"].to_numpy(), kind="stable")))
    return table.set_column(0, "tol_id", pa.array(tol_ids[table["place"].to_numpy()])).cast(products.NAMES)


def _xref(xref: pa.Table, tol_ids: NDArray[np.int64]) -> pa.Table:
    """Return the records by source, in order of priority, and by id."""
    sources = pc.unique(xref["source"])
    number = pc.index_in(xref["source"], value_set=sources)
    order = pc.sort_indices(
        pa.table({"source": number, "id": xref["source_id"]}),
        sort_keys=[("source", "ascending"), ("id", "ascending")],
    )
    rows = xref.take(order)
    taxon = rows["taxon"].combine_chunks()
    ids = pa.array(tol_ids).take(taxon)
    return rows.set_column(rows.schema.get_field_index("taxon"), "tol_id", ids).cast(products.XREF)


def _vernaculars(vernaculars: pa.Table, position: NDArray[np.int64], tol_ids: NDArray[np.int64]) -> pa.Table:
    """Return the vernacular names in the order of the taxa, the preferred ones of each language first."""
    taxon = vernaculars["taxon"].to_numpy()
    table = vernaculars.append_column("place", pa.array(position[taxon]))
    table = table.set_column(table.schema.get_field_index("taxon"), "tol_id", pa.array(tol_ids[taxon]))
    is_other = pc.invert(table["is_preferred"]).cast(pa.int8())
    table = table.append_column("is_other", is_other)
    ordered = _sorted(table, "place", "language", "is_other", "name", "source")
    return ordered.select(products.VERNACULARS.names).cast(products.VERNACULARS)


def _forwards(assignment: Assignment) -> pa.Table:
    columns = [pa.array([*values], pa.int64()) for values in zip(*assignment.forwards.items(), strict=True)]
    return pa.table(columns, schema=products.FORWARDS) if columns else products.FORWARDS.empty_table()


def _figures(assignment: Assignment, previous: ReferenceTables | None, names: pa.Array) -> dict[str, Any]:
    """Return what became of the ids."""
    count = len(assignment.tol_ids)
    return {
        "previous": len(previous.taxa) if previous else 0,
        "kept": count - assignment.minted - len(assignment.revived),
        "new": assignment.minted,
        "revived": len(assignment.revived),
        "merged": len(assignment.merged),
        "lumped": len(assignment.lumped),
        "retired": len(assignment.retired),
        "collisions": {
            "count": len(assignment.split),
            "examples": [
                f"{old} {names[first]} is in part {assignment.tol_ids[second]} {names[second]}"
                for old, first, second in assignment.split[:_EXAMPLES]
            ],
        },
    }


def _sorted(table: pa.Table, *names: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
