"""Mapping and names on a PostgreSQL server: copies of the two SQLite files, in one schema per dataset.

A copy is written in one transaction that ends with its marker, so readers see either the previous copy or the
complete new one. Texts are ordered by their bytes, as in SQLite, independent of the server's locale.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee

from tol_luigi.core.batches import BATCH
from tol_luigi.core.errors import ServerError
from tol_luigi.store.models import Marker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    Models = Sequence[type[peewee.Model]]
    Rows = Iterable[tuple[Any, ...]]

__all__ = ["Server", "ServerDatabase", "fill_schema", "loaded", "schema_name", "serving"]

_TYPES = {"INT": "BIGINT", "TEXT": 'TEXT COLLATE "C"'}
"""Column types by peewee's names. EOL's ids need more than the 32 bits of PostgreSQL's INTEGER."""

_MOST_BYTES = 40


@dataclass(frozen=True)
class Server:
    """The location of a dataset's tables.

    Attributes:
        url: A libpq connection URI, without a password.
        schema: The dataset's schema.
    """

    url: str
    schema: str


def schema_name(directory: Path) -> str:
    """Return the schema name of a dataset: its tag and a digest of its folder, which makes it unique."""
    tag = directory.name.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{tag}_{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


class ServerDatabase(peewee.PostgresqlDatabase):
    """A connection to a server."""

    def streamed(self, query: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a peewee query)
        """Run a query and yield its rows from a server-side cursor."""
        sql, parameters = self.get_sql_context().sql(query).query()
        with self.connection().cursor(name=uuid.uuid4().hex) as cursor:
            cursor.itersize = BATCH
            yield from cursor.execute(sql, parameters)


@contextlib.contextmanager
def serving(server: Server, models: Models) -> Iterator[ServerDatabase]:
    """Connect to a server, bind the models, and start a transaction.

    Raises:
        ServerError: The server cannot be reached, or rejects a query.
    """
    database = ServerDatabase(server.url, prefer_psycopg3=True, application_name="tol_luigi")
    try:
        database.connect()
        with database.bind_ctx(models, bind_refs=False, bind_backrefs=False), database.atomic():
            database.execute_sql(f"SET LOCAL search_path TO {_quoted(server.schema)}")
            yield database
    except (peewee.OperationalError, peewee.ProgrammingError, peewee.InternalError) as error:
        remedy = (
            "Check that it runs, and that the user may create schemas there (README of the server, ~/.pgpass)"
        )
        raise ServerError(server.url, " ".join(str(error).split()), remedy) from error
    finally:
        database.close()


def loaded(server: Server, stage: str) -> str:
    """Return the digest from the marker of a stage's tables; "" if they do not exist."""
    with serving(server, [Marker]) as database:
        if "marker" not in database.get_tables(schema=server.schema):
            return ""
        row = Marker.get_or_none(Marker.stage == stage)
        return str(row.digest) if row else ""


def fill_schema(
    server: Server,
    tables: Sequence[tuple[type[peewee.Model], Rows]],
    *,
    stage: str,
    digest: str,
    recreate: bool,
    progress: Callable[[int], None],
) -> None:
    """Copy tables to a server in one transaction, and write their marker.

    Args:
        server: The server.
        tables: Models with their rows, which have the values of the fields in order.
        stage: The name of the tables in the marker.
        digest: The digest of the copied files, for the marker.
        recreate: Whether to drop the schema first.
        progress: Called with the number of rows so far, from time to time.

    Raises:
        ServerError: The server cannot be reached, or rejects a query.
    """
    with serving(server, [Marker, *(model for model, _ in tables)]) as database:
        schema, count = _quoted(server.schema), 0
        # If two processes copy the same tables, one waits here for the other to finish.
        database.execute_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (server.schema,))
        if recreate:
            database.execute_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            database.execute_sql(f"CREATE SCHEMA {schema}")
            _create(database, Marker)
        for model, rows in tables:
            _create(database, model)
            columns = ", ".join(_quoted(name) for name in _columns(model))
            statement = f"COPY {_table(model)} ({columns}) FROM STDIN"
            with database.connection().cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
                    count += 1
                    if count % BATCH == 0:
                        progress(count)
            keys = ", ".join(_quoted(field.column_name) for field in model._meta.get_primary_keys())  # noqa: SLF001 (as below)
            database.execute_sql(f"ALTER TABLE {_table(model)} ADD PRIMARY KEY ({keys})")
            database.execute_sql(f"ANALYZE {_table(model)}")
        Marker.delete().where(Marker.stage == stage).execute()
        Marker.create(stage=stage, digest=digest)
        progress(count)


def _create(database: ServerDatabase, model: type[peewee.Model]) -> None:
    """Create a table, without the SQLite storage options of the model."""
    fields = model._meta.sorted_fields  # noqa: SLF001 (peewee's own spelling of its public model metadata)
    columns = ", ".join(f"{_quoted(field.column_name)} {_TYPES[field.field_type]}" for field in fields)
    database.execute_sql(f"DROP TABLE IF EXISTS {_table(model)}")
    database.execute_sql(f"CREATE TABLE {_table(model)} ({columns})")


def _columns(model: type[peewee.Model]) -> list[str]:
    return [field.column_name for field in model._meta.sorted_fields]  # noqa: SLF001 (as above)


def _table(model: type[peewee.Model]) -> str:
    return _quoted(model._meta.table_name)  # noqa: SLF001 (as above)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
