"""Mapping and names on a PostgreSQL server: copies of the two SQLite files, in a schema of the dataset's own.

A copy comes into place in one transaction, whose last row is its marker, so that whoever reads finds the copy before
or the whole new one. The order of texts is that of their bytes, as in SQLite, whatever the server's language is.
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
"""By peewee's names. EOL's ids need more than 32 bits, which is what PostgreSQL calls an integer."""

_MOST_BYTES = 40


@dataclass(frozen=True)
class Server:
    """Where a dataset's tables are.

    Attributes:
        url: As libpq understands it, without a password.
        schema: The dataset's schema there.
    """

    url: str
    schema: str


def schema_name(directory: Path) -> str:
    """Name the schema of a dataset: after its tag, and told apart from others of that tag by its folder."""
    tag = directory.name.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{tag}_{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


class ServerDatabase(peewee.PostgresqlDatabase):
    """A connection to a server."""

    def streamed(self, query: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 (a peewee query)
        """Run a query, and have its rows come as they are asked for, never all at once."""
        sql, parameters = self.get_sql_context().sql(query).query()
        with self.connection().cursor(name=uuid.uuid4().hex) as cursor:
            cursor.itersize = BATCH
            yield from cursor.execute(sql, parameters)


@contextlib.contextmanager
def serving(server: Server, models: Models) -> Iterator[ServerDatabase]:
    """Connect to a server, in one transaction, for what the models are bound to.

    Raises:
        ServerError: It cannot be reached, or refuses what it is asked for.
    """
    database = ServerDatabase(server.url, prefer_psycopg3=True, application_name="tol_luigi")
    try:
        database.connect()
        with database.bind_ctx(models, bind_refs=False, bind_backrefs=False), database.atomic():
            database.execute_sql(f"SET LOCAL search_path TO {_quoted(server.schema)}")
            yield database
    except (peewee.OperationalError, peewee.ProgrammingError, peewee.InternalError) as error:
        remedy = (
            "See that it runs, and that the user may create schemas there (README of the server, ~/.pgpass)"
        )
        raise ServerError(server.url, " ".join(str(error).split()), remedy) from error
    finally:
        database.close()


def loaded(server: Server, stage: str) -> str:
    """Tell what a stage's tables were copied from; "" if they are not there."""
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
    anew: bool,
    progress: Callable[[int], None],
) -> None:
    """Copy tables to a server, all or none, and mark them as copied.

    Args:
        server: The server.
        tables: Models with their rows, which have the values of the fields in order.
        stage: What the marker calls the tables.
        digest: What they are copied from, for the marker.
        anew: Whether the schema is made again, with nothing in it.
        progress: Told the number of rows so far, from time to time.

    Raises:
        ServerError: The server refuses.
    """
    with serving(server, [Marker, *(model for model, _ in tables)]) as database:
        schema, count = _quoted(server.schema), 0
        # Of two processes that do the same, one waits here for the end of the other.
        database.execute_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (server.schema,))
        if anew:
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
    """Make a table; what the models say of SQLite's ways of storing one is not for a server."""
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
