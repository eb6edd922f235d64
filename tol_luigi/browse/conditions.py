"""Conditions on the columns of a catalog, in SQL; they need DuckDB."""

from __future__ import annotations

import glob
import importlib
import threading
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from tol_luigi.core.errors import DatasetError
from tol_luigi.dataset.reading import damaged, reading
from tol_luigi.features.expressions import connect, validate_expression
from tol_luigi.features.selection import sample_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["matching_rows"]

_SECONDS = 60
_MEMORY = "1GB"


def matching_rows(catalog: Path, condition: str) -> NDArray[np.int64]:
    """Return the rows of a catalog that meet a condition, in order.

    A condition is one expression, validated as a rule of ``[filter] rules``: it can read nothing but columns.

    Args:
        catalog: The path of ``catalog.parquet``.
        condition: The condition.

    Raises:
        SettingsError: DuckDB is not installed, or the condition is wrong.
        DatasetError: The condition fails for a row, or takes too long.
        DamagedError: The catalog cannot be read.
    """
    connection = connect()
    duckdb = importlib.import_module("duckdb")
    with reading(catalog):
        columns = sample_columns(pq.read_schema(catalog), [], near=False)
    validate_expression("filter", condition, columns, "BOOLEAN")
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    timer = threading.Timer(_SECONDS, connection.interrupt)
    timer.start()
    try:
        found = connection.execute(
            f"SELECT file_row_number AS number FROM read_parquet(?, file_row_number = true) AS samples WHERE (\n{condition}\n)",  # noqa: S608 (validated)
            [glob.escape(str(catalog))],
        ).fetchnumpy()
    except duckdb.InterruptException as error:
        remedy = "Simplify it, or read the catalog with DuckDB (docs/reading.md)"
        raise DatasetError(f"filter = {condition}", f"takes more than {_SECONDS} s", remedy) from error
    except duckdb.IOException as error:
        raise damaged(catalog, error) from error
    except duckdb.Error as error:
        what = str(error).partition("\n")[0]
        raise DatasetError(f"filter = {condition}", f"fails ({what})", "Correct the expression") from error
    finally:
        timer.cancel()
        connection.close()
    return np.sort(np.asarray(found["number"], np.int64))
