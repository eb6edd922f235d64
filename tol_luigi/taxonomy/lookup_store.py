"""Write ``lookup.sqlite``: the names, ids and records of a reference taxonomy, to look them up in milliseconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.databases import created, insert_rows, insert_table
from tol_luigi.taxonomy import lookup_models as models
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.name_keys import name_keys
from tol_luigi.taxonomy.products import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import peewee

    from tol_luigi.taxonomy.products import ReferenceTables

__all__ = ["LOOKUP", "write_lookup"]

LOOKUP = "lookup.sqlite"
"""The name of the database in the folder of a reference taxonomy."""

_HIGHER = RANK_LABELS[:-1]
_SPECIES = RANK_LABELS[-1]

_INDEXES = (
    "CREATE INDEX taxon_parent ON taxon (parent)",
    "CREATE INDEX name_synonym ON name (tol_id) WHERE type IS NOT NULL",
    "CREATE INDEX record_taxon ON record (tol_id) WHERE tol_id IS NOT NULL",
    "CREATE INDEX vernacular_key ON vernacular (key)",
)
"""The indexes besides the keys; an index of a complete table is written faster than one that grows with it."""


def write_lookup(
    path: Path, tables: ReferenceTables, progress: Callable[[int], None] = lambda _: None
) -> None:
    """Write the database of a reference taxonomy.

    The same taxonomy results in the same bytes, also with its rows in another order.

    Args:
        path: The database; it is complete or absent.
        tables: The taxonomy.
        progress: Called with the number of rows of the table that is being written.
    """
    taxa = _taxa(tables.taxa)
    with created(path, models.MODELS) as database:
        for model, table in _contents(tables, taxa):
            for count in insert_table(database, model, table):
                progress(count)
        _insert_json(database, tables)
        for index in _INDEXES:
            database.execute_sql(index)


def _contents(tables: ReferenceTables, taxa: pa.Table) -> Iterator[tuple[type[peewee.Model], pa.Table]]:
    """Yield the rows of each table that is not written as JSON, in the order of its key."""
    lineages, ids = _lineages(taxa)
    yield models.LineageRow, lineages
    yield models.TaxonRow, _taxon_rows(taxa, ids)
    names = _names(tables.names)
    yield models.NameRow, names
    yield models.Word, _words(names, taxa)
    yield models.VernacularRow, _vernaculars(tables.vernaculars)
    yield models.SourceRecord, _records(tables.xref, taxa)
    yield models.Identifier, _identifiers(taxa, tables.xref)
    yield models.Forward, tables.forwards.sort_by([("id", "ascending")])


def _sorted(table: pa.Table, *keys: str) -> pa.Table:
    """Return a table in the order of some columns, then of all others, as one chunk."""
    columns = [*keys, *(name for name in table.column_names if name not in keys)]
    return table.sort_by([(name, "ascending") for name in columns]).combine_chunks()


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("number", pa.array(np.arange(table.num_rows)))


def _column(table: pa.Table, name: str) -> pa.Array:
    """Return a column as one array."""
    return table[name].combine_chunks()


def _taxa(taxa: pa.Table) -> pa.Table:
    return taxa.sort_by([("tol_id", "ascending")]).combine_chunks()


def _lineages(taxa: pa.Table) -> tuple[pa.Table, pa.Array]:
    """Return the distinct lineages above the species with their ids, and the id for each taxon."""
    encoded = [_column(taxa, label).dictionary_encode() for label in _HIGHER]
    codes = np.column_stack([column.indices.to_numpy() for column in encoded])
    # One void value per row: numpy sorts these an order of magnitude faster than rows of a matrix.
    rows = (
        np.ascontiguousarray(codes).view(np.dtype((np.void, codes.dtype.itemsize * codes.shape[1]))).ravel()
    )
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))  # numbered as the taxa come, whatever the codes are
    distinct = taxa.select(list(_HIGHER)).take(pa.array(np.sort(first)))
    return distinct.append_column("id", pa.array(np.arange(len(first)))), pa.array(rank[inverse])


def _taxon_rows(taxa: pa.Table, lineage: pa.Array) -> pa.Table:
    species = _column(taxa, _SPECIES)
    is_own = pc.equal(species, _column(taxa, "name"))
    kept = pc.if_else(is_own, pa.scalar(None, pa.string()), species)
    index = taxa.schema.get_field_index(_SPECIES)
    return taxa.set_column(index, _SPECIES, kept).append_column("lineage", lineage)


def _names(names: pa.Table) -> pa.Table:
    keys = name_keys(_column(names, "name"))
    is_accepted = pc.equal(_column(names, "type"), ACCEPTED)
    null = pa.scalar(None, pa.string())
    rows = names.append_column("key", keys)
    for column in ("name", "type"):
        place = rows.schema.get_field_index(column)
        rows = rows.set_column(place, column, pc.if_else(is_accepted, null, _column(names, column)))
    return _numbered(_sorted(rows, "key", "tol_id"))


def _words(names: pa.Table, taxa: pa.Table) -> pa.Table:
    """Return the first words of names that a code of nomenclature could know."""
    flags = _column(taxa, "flags").take(_rows_of(names, taxa))
    is_formal = pc.equal(pc.bit_wise_and(flags, pa.scalar(int(Flag.INFORMAL), pa.uint32())), 0)
    first = pc.replace_substring_regex(_column(names, "key").filter(is_formal), " .*", "")
    words = pc.unique(first.filter(pc.match_substring_regex(first, "^[a-z-]+$")))
    return pa.table({"word": words}).sort_by("word")


def _rows_of(rows: pa.Table, taxa: pa.Table) -> pa.Array:
    """Return for each row with a ``tol_id`` the row of its taxon, null if there is none."""
    return pc.index_in(_column(rows, "tol_id"), value_set=_column(taxa, "tol_id"))


def _vernaculars(vernaculars: pa.Table) -> pa.Table:
    """Return the vernacular names by taxon, the preferred ones of each language first."""
    rows = vernaculars.append_column("key", name_keys(_column(vernaculars, "name")))
    rows = rows.append_column("is_other", pc.invert(rows["is_preferred"]).cast(pa.int8()))
    return _numbered(_sorted(rows, "tol_id", "language", "is_other", "name"))


def _records(xref: pa.Table, taxa: pa.Table) -> pa.Table:
    rows = _numbered(_sorted(xref, "source", "source_id"))
    place = _rows_of(rows, taxa)
    for name in ("name", "rank"):
        own, taxon = _column(rows, name), _column(taxa, name).take(place)
        is_same = pc.fill_null(pc.equal(own, taxon), False)
        kept = pc.if_else(is_same, pa.scalar(None, pa.string()), own)
        rows = rows.set_column(rows.schema.get_field_index(name), name, kept)
    return rows


def _identifiers(taxa: pa.Table, xref: pa.Table) -> pa.Table:
    """Return the identifiers of taxa that are not identifiers of a record."""
    lists = pc.split_pattern(_column(taxa, "sources"), ",")
    identifiers = pc.list_flatten(lists)
    ids = _column(taxa, "tol_id").take(pc.list_parent_indices(lists))
    records = pc.binary_join_element_wise(_column(xref, "source"), _column(xref, "source_id"), ":")
    is_further = pc.and_not(pc.not_equal(identifiers, ""), pc.is_in(identifiers, value_set=records))
    table = pa.table({"identifier": identifiers.filter(is_further), "tol_id": ids.filter(is_further)})
    return _sorted(table.group_by(table.column_names).aggregate([]), "identifier", "tol_id")


def _insert_json(database: peewee.SqliteDatabase, tables: ReferenceTables) -> None:
    """Insert what is only shown, and never searched by a column of its own."""
    mentions: set[tuple[str, int]] = set()
    rows = []
    for number, row in enumerate(_sorted(tables.conflicts, "source", "parent").to_pylist()):
        rows.append((number, json.dumps(row, ensure_ascii=False)))
        texts = {value for value in row.values() if isinstance(value, str) and value} - {row["source"]}
        mentions.update((text, number) for text in texts)
    insert_rows(database, models.Conflict, rows)
    insert_rows(database, models.Mention, sorted(mentions))
    deprecated = tables.deprecated.sort_by([("id", "ascending")]).to_pylist()
    insert_rows(
        database,
        models.Deprecated,
        ((row["id"], json.dumps(row, ensure_ascii=False)) for row in deprecated),
    )
    about = {**tables.about, "format": models.FORMAT}
    insert_rows(
        database,
        models.About,
        ((key, json.dumps(about[key], ensure_ascii=False, sort_keys=True)) for key in sorted(about)),
    )
