"""From a union of sources to the tables of a release."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.deprecations import deprecated_table
from tol_luigi.taxonomy.identities import forwarded, keys_of_records, keys_of_sources
from tol_luigi.taxonomy.ids import PreviousIds, assign_ids
from tol_luigi.taxonomy.ordered_union import OrderedUnion
from tol_luigi.taxonomy.products import ACCEPTED, ReferenceTables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from tol_luigi.taxonomy.ids import Aligned, Assignment
    from tol_luigi.taxonomy.union import Union

    Align = Callable[[ReferenceTables], NDArray[np.integer[Any]]]

__all__ = ["finished"]


def finished(
    union: Union,
    *,
    kingdoms: Mapping[str, str],
    previous: ReferenceTables | None = None,
    align: Align | None = None,
    about: Mapping[str, object] = MappingProxyType({}),
) -> ReferenceTables:
    """Return the tables of a release. The order of records in the sources does not change them.

    Args:
        union: The union of all sources.
        kingdoms: The kingdom that each name stands for, such as Animalia for Metazoa.
        previous: The previous release, whose ids are kept.
        align: Returns for each taxon of the previous release its row in the union, -1 if there is none; called if
            ids of the previous release cannot be followed by the records of their taxa.
        about: What to say of the release.
    """
    taxa = OrderedUnion.of(union)
    records = keys_of_records(union.xref, "taxon").owned_by(taxa.position).named(taxa.names)
    assignment = assign_ids(
        len(union),
        records + forwarded(records, union.forwards),
        keys_of_sources(taxa.sources),
        PreviousIds.of(previous) if previous else None,
        _aligned(previous, align, taxa.position),
    )
    tol_ids = assignment.tol_ids
    by_row = tol_ids[taxa.position]
    tables = ReferenceTables(
        taxa=taxa.table(tol_ids, kingdoms),
        names=_names(taxa, union.synonyms, tol_ids),
        xref=_xref(union.xref, by_row),
        conflicts=_sorted(union.conflicts, "source", "parent", "alice", "bob"),
        vernaculars=_vernaculars(union.vernaculars, taxa.position, by_row),
        forwards=_forwards(assignment),
        about={**about, "ids": _figures(assignment, previous)},
    )
    if previous is None:
        return tables
    return dataclasses.replace(tables, deprecated=deprecated_table(previous, tables, assignment))


def _aligned(previous: ReferenceTables | None, align: Align | None, position: NDArray[np.int64]) -> Aligned:
    """Return what aligns ids of the previous release with the taxa in their order."""

    def aligned(ids: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.full(len(ids), -1, np.int64)
        if previous is not None and align is not None:
            places = pc.index_in(pa.array(ids), value_set=previous.taxa["tol_id"].combine_chunks())
            rows = align(previous)[places.to_numpy()].astype(np.int64)
            found[rows >= 0] = position[rows[rows >= 0]]
        return found

    return aligned


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
    rest = _sorted(distinct.select(renamed.column_names), *renamed.column_names)
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


def _figures(assignment: Assignment, previous: ReferenceTables | None) -> dict[str, Any]:
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
        "collisions": [
            {"id": old, "taxon": int(assignment.tol_ids[first]), "other": int(assignment.tol_ids[second])}
            for old, first, second in assignment.split
        ],
    }


def _sorted(table: pa.Table, *names: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])
