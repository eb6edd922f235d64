"""Assemble the tables of a source from the columns of its files; record every row that has no place in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TableError
from tol_luigi.taxonomy.importers.sheet import LINE
from tol_luigi.taxonomy.importers.values import (
    constant,
    converted,
    is_first,
    is_one_of,
    is_unranked,
    language_of,
)
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.records import FORWARDS, NAMES, REPAIRS, TAXA, VERNACULARS, Records, Repair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tol_luigi.taxonomy.importers.sheet import Sheet

__all__ = ["ID", "assemble", "repairs_of", "with_columns"]

ID = "id"
"""The column with the id of a synonym of its own."""

_CHAIN = 20
"""The longest chain of replaced ids that is followed."""


def assemble(
    prefix: str,
    sheets: Iterable[Sheet],
    *,
    taxa: pa.Table,
    names: pa.Table | None = None,
    vernaculars: pa.Table | None = None,
    forwards: pa.Table | None = None,
    repairs: Iterable[pa.Table] = (),
    left_out: int = 0,
    joined: int = 0,
    about: Mapping[str, str] | None = None,
) -> Records:
    """Return the tables of a source.

    Args:
        prefix: The prefix of its ids.
        sheets: The tables that were read.
        taxa: ``uid``, ``name`` and any other columns of ``TAXA``, with ranks as the source writes them, and ``line``.
        names: Columns of ``NAMES`` and ``line``; ``uid`` is the id that the source gives for the accepted taxon. ``id`` is
            the id of the synonym itself, if it has one.
        vernaculars: Columns of ``VERNACULARS``, with languages as the source writes them, and ``line``.
        forwards: ``FORWARDS``.
        repairs: Repairs of the importer.
        left_out: The number of rows that are left out by a rule of the format.
        joined: The number of rows that only complete another row.
        about: What is known of the source.

    Raises:
        TableError: There is no taxon.
    """
    sheets = list(sheets)
    log = [*(sheet.repairs for sheet in sheets), *repairs]
    taxa = _without(taxa, pc.equal(taxa["uid"], ""), Repair.NO_ID, log)
    taxa = _without(taxa, _is_repeated(taxa), Repair.REPEATED_ID, log)
    if not taxa.num_rows:
        where = sheets[0].where if sheets else prefix
        raise TableError(where, "contains no taxon", "Fetch the file again, or name another")
    taxa, unknown = _ranked(taxa)
    log.append(unknown)
    replaced = _replaced(taxa, names, forwards)
    known = pa.chunked_array([*taxa["uid"].chunks, *replaced["uid"].chunks])
    if names is not None:
        names = _without(names, pc.equal(names["name"], ""), Repair.NO_NAME, log)
        names = _without(names, _is_missing(names, known), Repair.SYNONYM_OF_NOTHING, log)
    if vernaculars is not None:
        uids = _resolved(vernaculars["uid"], replaced)
        vernaculars = with_columns(vernaculars, uid=uids)
        vernaculars = _without(vernaculars, pc.equal(vernaculars["name"], ""), Repair.NO_NAME, log)
        unknown_uid = _is_missing(vernaculars, taxa["uid"])
        vernaculars = _without(vernaculars, unknown_uid, Repair.VERNACULAR_OF_NOTHING, log)
        languages = converted(vernaculars["language"], language_of, pa.string())
        vernaculars = with_columns(vernaculars, language=languages)
    rows = sum(sheet.rows for sheet in sheets)
    figures = {"rows": str(rows), "left_out": str(left_out), "joined": str(joined)}
    return Records(
        prefix,
        _shaped(taxa, TAXA),
        NAMES.empty_table() if names is None else _shaped(names, NAMES),
        VERNACULARS.empty_table() if vernaculars is None else _shaped(vernaculars, VERNACULARS),
        replaced,
        pa.concat_tables([REPAIRS.empty_table(), *log]).combine_chunks(),
        figures | dict(about or {}),
    )


def with_columns(table: pa.Table, **columns: pa.ChunkedArray | pa.Array) -> pa.Table:
    """Return a table with further columns, or with others in place of its own."""
    own = {name: table[name] for name in table.column_names}
    return pa.table(own | columns)


def repairs_of(
    kind: Repair, uids: pa.Array, lines: pa.Array, before: pa.Array, after: pa.Array | None = None
) -> pa.Table:
    """Return the repairs of rows; without ``after``, they are left out."""
    count = len(uids)
    after = constant("", count, pa.string()) if after is None else after
    columns = [constant(kind.value, count, pa.string()), uids, lines, before, after]
    return pa.table(columns, names=REPAIRS.names).cast(REPAIRS)


def _without(table: pa.Table, mask: pa.ChunkedArray, kind: Repair, log: list[pa.Table]) -> pa.Table:
    """Return a table without some rows, which are recorded."""
    if not pc.any(mask).as_py():
        return table
    rows = table.filter(mask)
    uids = rows[ID] if ID in rows.column_names else rows["uid"]
    log.append(repairs_of(kind, uids, rows[LINE], rows["name"]))
    return table.filter(pc.invert(mask))


def _is_repeated(table: pa.Table) -> pa.Array:
    """Return whether an earlier row has the same id."""
    every = constant(value=True, count=table.num_rows, kind=pa.bool_())
    if pc.count_distinct(table["uid"]).as_py() == table.num_rows:
        return pc.invert(every)
    return pc.invert(is_first(table["uid"], every))


def _is_missing(table: pa.Table, known: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(is_one_of(table["uid"], known))


def _ranked(taxa: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return taxa with known ranks, and the repairs of ranks that are unknown."""
    if "rank" not in taxa.column_names:
        return taxa, REPAIRS.empty_table()
    ranks = converted(taxa["rank"], rank_of, pa.string())
    is_stated = converted(taxa["rank"], lambda text: not is_unranked(text), pa.bool_())
    rows = taxa.filter(pc.and_(pc.equal(ranks, ""), is_stated))
    no_rank = constant("no rank", rows.num_rows, pa.string())
    unknown = repairs_of(Repair.UNKNOWN_RANK, rows["uid"], rows[LINE], rows["rank"], no_rank)
    return with_columns(taxa, rank=ranks), unknown


def _replaced(taxa: pa.Table, names: pa.Table | None, forwards: pa.Table | None) -> pa.Table:
    """Return the ids that are replaced: ids that were given up, and the ids of synonyms; no id of a taxon."""
    parts = [FORWARDS.empty_table()]
    if forwards is not None:
        parts.append(_shaped(forwards, FORWARDS))
    if names is not None and ID in names.column_names:
        parts.append(pa.table([names[ID], names["uid"]], schema=FORWARDS))
    replaced = pa.concat_tables(parts)
    is_useless = pc.or_(
        is_one_of(replaced["uid"], taxa["uid"]),
        pc.or_(pc.equal(replaced["uid"], ""), pc.equal(replaced["replacement"], "")),
    )
    replaced = replaced.filter(pc.invert(is_useless))
    return replaced.filter(pc.invert(_is_repeated(replaced)))


def _resolved(uids: pa.ChunkedArray, replaced: pa.Table) -> pa.ChunkedArray:
    """Return ids, or those that replace them in the end."""
    old, new = (replaced[name].combine_chunks() for name in FORWARDS.names)
    for _ in range(_CHAIN if len(old) else 0):
        uids = pc.coalesce(new.take(pc.index_in(uids, value_set=old)), uids)
    return uids


def _shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the columns of a schema; those that a table lacks are "", 0 or null."""
    columns = []
    for field in schema:
        if field.name in table.column_names:
            column = table[field.name]
            if field.nullable and pa.types.is_string(field.type):
                column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        else:
            value = "" if pa.types.is_string(field.type) else 0
            column = constant(None if field.nullable else value, table.num_rows, field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)
