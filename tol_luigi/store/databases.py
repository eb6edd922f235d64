"""SQLite files that are safe on a network file system.

One process writes a file under a scratch name, without a journal, and renames it when it is complete.
All others open it read-only and immutable: without locks, without a journal, and without files next to it.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import peewee
import pyarrow as pa

from tol_luigi.core.batches import BATCH, batched
from tol_luigi.core.files import committed
from tol_luigi.store.server import Server, ServerDatabase, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Models = Sequence[type[peewee.Model]]

__all__ = [
    "created",
    "fetch",
    "fetch_table",
    "fetch_tables",
    "insert_rows",
    "insert_table",
    "opened",
    "read_only",
]

_WRITING = {"journal_mode": "off", "synchronous": "off", "cache_size": -64 * 1024}
"""Without a journal, a crash damages only a scratch file, which nobody opens. A negative cache size is in
KiB."""

_FETCHED = 2_000
"""Rows per fetch. Many small tuples trigger the garbage collector, which walks the list that contains them:
with ten times as many rows, the predicted catalog takes a quarter longer."""


def read_only(path: Path) -> str:
    """Return the address with which SQLite opens a complete database: read-only, and without locks."""
    return f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"


@contextlib.contextmanager
def created(
    path: Path,
    models: Models,
    *,
    copy_of: Path | None = None,
    attached: Mapping[str, Path] | None = None,
    first_wins: bool = False,
) -> Iterator[peewee.SqliteDatabase]:
    """Write a database atomically.

    Args:
        path: The path of the database.
        models: The models to bind to it; missing tables are created.
        copy_of: A database to copy first; it may be ``path`` itself, which is then replaced.
        attached: Further databases to read from, by schema name.
        first_wins: See :func:`tol_luigi.core.files.committed`.

    Yields:
        The open database, in a transaction.
    """
    with committed(path, first_wins=first_wins) as scratch:
        if copy_of:
            shutil.copyfile(copy_of, scratch)
        uri = f"file:{quote(str(scratch.absolute()))}"
        with _connected(peewee.SqliteDatabase(uri, pragmas=_WRITING, uri=True), models, attached) as database:
            database.create_tables(models)
            yield database


@contextlib.contextmanager
def opened(
    path: Path | Server, models: Models, *, attached: Mapping[str, Path] | None = None
) -> Iterator[peewee.Database]:
    """Open a complete database for reading.

    Args:
        path: The database, which no process may be writing; or a server with one schema for all tables.
        models: The models to bind to it.
        attached: Further databases to read from, by schema name.
    """
    if isinstance(path, Server):
        with serving(path, models) as database:
            yield database
        return
    with _connected(peewee.SqliteDatabase(read_only(path), uri=True), models, attached) as database:
        yield database


@contextlib.contextmanager
def _connected(
    database: peewee.SqliteDatabase, models: Models, attached: Mapping[str, Path] | None
) -> Iterator[peewee.SqliteDatabase]:
    for schema, path in (attached or {}).items():
        database.attach(read_only(path), schema)
    database.connect()
    try:
        with database.bind_ctx(models, bind_refs=False, bind_backrefs=False), database.atomic():
            yield database
    finally:
        database.close()


def insert_rows(
    database: peewee.SqliteDatabase,
    model: type[peewee.Model],
    rows: Iterable[Sequence[Any]],
    *,
    ignore: bool = False,
) -> None:
    """Insert many rows, each with the values of the model's fields in order.

    Args:
        database: The database to which the model is bound.
        model: The model.
        rows: The rows.
        ignore: Whether to skip rows with an existing key.
    """
    # peewee builds the SQL once for all rows: building a query costs more than running it.
    fields = model._meta.sorted_fields  # noqa: SLF001 (peewee's own spelling of its public model metadata)
    query = model.insert(dict.fromkeys(fields, 0))
    sql: str = (query.on_conflict_ignore() if ignore else query).sql()[0]
    database.connection().executemany(sql, rows)


def insert_table(
    database: peewee.SqliteDatabase, model: type[peewee.Model], table: pa.Table
) -> Iterator[int]:
    """Insert the rows of a table in batches; the order of the model's key is the fastest.

    Args:
        database: The database to which the model is bound.
        model: The model.
        table: The rows, with a column for each of its fields.

    Yields:
        The number of rows so far.
    """
    names = [field.column_name for field in model._meta.sorted_fields]  # noqa: SLF001 (as above)
    count = 0
    for batch in table.select(names).to_batches(BATCH):
        columns = (column.to_pylist() for column in batch.columns)
        insert_rows(database, model, zip(*columns, strict=True))
        count += batch.num_rows
        yield count


def fetch(database: peewee.Database, query: Any) -> Iterator[list[tuple[Any, ...]]]:  # noqa: ANN401
    """Run a peewee query and yield its rows in batches."""
    if isinstance(database, ServerDatabase):
        return batched(database.streamed(query), _FETCHED)
    return batched(database.execute(query), _FETCHED)


def fetch_tables(
    database: peewee.Database,
    query: Any,  # noqa: ANN401 (as above)
    schema: pa.Schema,
    size: int,
) -> Iterator[pa.Table]:
    """Run a peewee query and yield its rows as tables, each of ``size`` rows or a little more; the last may be shorter.

    The arguments are those of :func:`fetch_table`.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    for rows in fetch(database, query):
        waiting.append(_record_batch(rows, schema))
        count += len(rows)
        if count >= size:
            yield pa.Table.from_batches(waiting, schema)
            waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, schema)


def fetch_table(database: peewee.Database, query: Any, schema: pa.Schema) -> pa.Table:  # noqa: ANN401 (as above)
    """Run a peewee query and return its rows as a table.

    Args:
        database: The database.
        query: A query of tuples, with a value for each field of the schema in order.
        schema: Names and types of the columns.

    Raises:
        pyarrow.ArrowException: A value does not have the type in the schema.
    """
    batches = [_record_batch(rows, schema) for rows in fetch(database, query)]
    return pa.Table.from_batches(batches, schema)


def _record_batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.record_batch([pa.array(column, field.type) for column, field in columns], schema=schema)
