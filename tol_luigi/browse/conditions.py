"""Conditions on the columns of catalog, features and selections, in SQL; they need DuckDB."""

from __future__ import annotations

import glob
import importlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.browse.joined_tables import joined_tables
from tol_luigi.core.errors import DatasetError
from tol_luigi.dataset.reading import damaged, reading
from tol_luigi.features.expressions import connect, validate_expression
from tol_luigi.features.selection import sample_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tol_luigi.browse.joined_tables import JoinedTable
    from tol_luigi.core.layout import Layout

__all__ = ["matching_rows"]

_SECONDS = 60
_MEMORY = "1GB"


def matching_rows(layout: Layout, condition: str) -> NDArray[np.int64]:
    """Return the rows of a catalog that meet a condition, in order.

    A condition is one expression, validated as a rule of ``[filter] rules``: it can read nothing but columns. Those are
    the columns of the catalog, of the features, and of the selections.

    Args:
        layout: The paths of the dataset.
        condition: The condition.

    Raises:
        SettingsError: DuckDB is not installed, or the condition is wrong.
        DatasetError: The condition fails for a row, takes too long, or takes too much memory.
        DamagedError: A table cannot be read.
    """
    connection = connect()
    duckdb = importlib.import_module("duckdb")
    with reading(layout.catalog):
        schema = pq.read_schema(layout.catalog)
    tables = joined_tables(layout, schema.names)
    own = [pa.field(column.name, column.kind) for table in tables for column in table.columns]
    columns = pa.schema([*sample_columns(schema, [], near=False), *own])
    validate_expression("filter", condition, columns, "BOOLEAN")
    used = [table for table in tables if table.is_used_in(condition)]
    # What does not fit into memory is written to no disk.
    connection.execute(f"SET memory_limit = '{_MEMORY}'; SET temp_directory = ''")
    # The statistics of Parquet ignore what is not a number, so what they seem to imply may be wrong.
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    timer = threading.Timer(_SECONDS, connection.interrupt)
    timer.start()
    try:
        files = [[glob.escape(str(layout.catalog))], *(table.patterns for table in used)]
        found = connection.execute(_query(used, condition), files).fetchnumpy()
    except duckdb.InterruptException as error:
        remedy = "Simplify it, or read the catalog with DuckDB (docs/reading.md)"
        raise DatasetError(f"filter = {condition}", f"takes more than {_SECONDS} s", remedy) from error
    except duckdb.OutOfMemoryException as error:
        remedy = "Use columns of fewer features, or read the tables with DuckDB (docs/reading.md)"
        raise DatasetError(f"filter = {condition}", f"takes more than {_MEMORY} of memory", remedy) from error
    except duckdb.Error as error:
        read = [layout.catalog, *(path for table in used for path in table.paths)]
        if path := next((path for path in read if str(path) in str(error)), None):
            raise damaged(path, error) from error
        what = str(error).partition("\n")[0]
        raise DatasetError(f"filter = {condition}", f"fails ({what})", "Correct the expression") from error
    finally:
        timer.cancel()
        connection.close()
    return np.sort(np.asarray(found["number"], np.int64))


def _query(tables: Sequence[JoinedTable], condition: str) -> str:
    """Return a query of the rows that meet a validated condition; its parameters are the files of catalog and tables."""
    columns = "".join(
        f", {column.sql(f't{number}')}" for number, table in enumerate(tables) for column in table.columns
    )
    # Ids as numbers take a third of the memory of texts.
    joins = " ".join(
        f"LEFT JOIN read_parquet(?) t{number} ON CAST(t{number}.{table.id} AS UUID) = CAST(c.treeoflife_id AS UUID)"
        for number, table in enumerate(tables)
    )
    samples = f"SELECT c.*{columns} FROM read_parquet(?, file_row_number = true) c {joins}"  # noqa: S608 (names of columns)
    return f"SELECT file_row_number AS number FROM ({samples}) AS samples WHERE (\n{condition}\n)"  # noqa: S608 (validated)
