"""Read the catalog of a dataset with Arrow, pandas or DuckDB."""

from __future__ import annotations

import glob
import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds

from tol_luigi.core.errors import DatasetError
from tol_luigi.dataset.reading import damaged, reading
from tol_luigi.store.catalogs import count_by_split
from tol_luigi.store.row_groups import Rows, rows_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

__all__ = ["Catalog", "Where"]

Where: TypeAlias = "str | pc.Expression"
"""The condition that rows must meet: DuckDB SQL, or an Arrow expression."""

_BATCH = 65_536
"""Rows read at a time."""


class Catalog:
    """The rows of ``catalog.parquet``: one per sample, in the order of the shards.

    Rows are read when they are requested, and only from the columns and row groups that are needed.
    ``docs/files.md`` describes the columns.

    Args:
        path: The path of ``catalog.parquet``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        """Return an expression with the path."""
        return f"Catalog({str(self.path)!r})"

    def __len__(self) -> int:
        """Count the rows. The samples of train_small repeat samples of train."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """The number of samples per split."""
        with reading(self.path):
            return count_by_split(self.path)

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""
        return self.arrow_dataset().schema

    def arrow_dataset(self) -> pds.Dataset:
        """Return the catalog as an Arrow dataset, to scan, filter and join without loading it."""
        with reading(self.path):
            return pds.dataset(self.path, format="parquet")

    def to_arrow(self, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
        """Read rows into an Arrow table.

        Args:
            columns: The columns to read, or None for all.
            where: The condition on the rows, or None for all.

        Raises:
            DatasetError: The condition or a column is invalid, or DuckDB is needed but not installed.

        >>> dataset.catalog.to_arrow(["treeoflife_id", "species"], "genus = 'Apis'").num_columns
        2
        """
        schema = self._selected_schema(columns)
        return pa.Table.from_batches(self.batches(columns, where), schema)

    def to_pandas(self, columns: Sequence[str] | None = None, where: Where | None = None) -> pd.DataFrame:
        """Read rows into a pandas DataFrame. See :meth:`to_arrow` for arguments and errors.

        >>> dataset.catalog.to_pandas(["class"], "split = 'train'")["class"].value_counts().idxmax()
        'Insecta'
        """
        frame: pd.DataFrame = self.to_arrow(columns, where).to_pandas()
        return frame

    def to_duckdb(self, connection: Any = None) -> Any:  # noqa: ANN401 (DuckDB is optional)
        """Return the catalog as a DuckDB relation, which reads the file when rows are requested.

        Args:
            connection: The DuckDB connection; a new one by default.

        Raises:
            DatasetError: DuckDB is not installed.

        >>> dataset.catalog.to_duckdb().aggregate("split, count(*)").order("split").fetchall()
        [('train', 107), ('train_small', 10), ('val', 5)]
        """
        duckdb = _duckdb()
        source = duckdb.connect() if connection is None else connection
        try:
            return source.read_parquet(glob.escape(str(self.path)))
        except duckdb.Error as error:
            raise damaged(self.path, error) from error

    def batches(
        self, columns: Sequence[str] | None = None, where: Where | None = None, *, split: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows in batches, in their order. See :meth:`to_arrow` for errors.

        Args:
            columns: The columns to read, or None for all.
            where: The condition on the rows, or None for all.
            split: The split of the rows, or None for all.
        """
        schema = self._selected_schema(columns)
        if isinstance(where, str):
            return self._from_duckdb(schema, where, split)
        return self._from_arrow(schema, where, split)

    def _selected_schema(self, columns: Sequence[str] | None) -> pa.Schema:
        schema = self.schema
        if columns is None:
            return schema
        if unknown := [name for name in columns if name not in schema.names]:
            what = f"unknown column ({', '.join(unknown)})"
            raise DatasetError(self.path, what, f"Use columns of the catalog: {', '.join(schema.names)}")
        return pa.schema([schema.field(name) for name in columns])

    def _from_arrow(
        self, schema: pa.Schema, where: pc.Expression | None, split: str | None
    ) -> Iterator[pa.RecordBatch]:
        condition = pc.scalar(True) if where is None else where
        wanted = {} if split is None else {"split": [split]}
        if split is not None:
            condition &= pc.field("split") == split
        with reading(self.path), Rows(self.path) as file:
            groups = file.groups(wanted)  # pyarrow's filter also reads the row groups of other splits
        (fragment,) = self.arrow_dataset().get_fragments()
        try:
            scanner = fragment.subset(row_group_ids=groups).scanner(
                columns=schema.names, filter=condition, batch_size=_BATCH, batch_readahead=1
            )
        except (pa.ArrowException, TypeError) as error:
            raise _condition_error(where, error) from error
        with reading(self.path):
            yield from (batch for batch in scanner.to_batches() if batch.num_rows)

    def _from_duckdb(self, schema: pa.Schema, where: str, split: str | None) -> Iterator[pa.RecordBatch]:
        duckdb, relation = _duckdb(), self.to_duckdb()
        try:
            found = relation if split is None else relation.filter(f"split = '{split}'")
            found = found.filter(where).select(*map(duckdb.ColumnExpression, schema.names))
            # fetch_arrow_reader until DuckDB 1.4
            read = getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader
            for batch in read(_BATCH):
                yield batch.cast(schema)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise damaged(self.path, error) from error
        except duckdb.Error as error:
            raise _condition_error(where, error) from error

    def row(self, split: str, source: str, partition: str, image: str) -> Mapping[str, Any]:
        """Return the row of one sample. Row groups of other partitions are not read."""
        wanted = {"split": split, "source": source, "partition": partition, "treeoflife_id": image}
        with reading(self.path):
            rows = rows_with(self.path, {column: [value] for column, value in wanted.items()})
            found: Mapping[str, Any] = rows.to_pylist()[0]
            return found


def _duckdb() -> Any:  # noqa: ANN401 (optional)
    """Import DuckDB.

    Raises:
        DatasetError: DuckDB is not installed.
    """
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        remedy = "Install it (pip install 'tol_luigi[duckdb]'), or use a pyarrow.compute expression"
        raise DatasetError("duckdb", "the package is not installed", remedy) from error


def _condition_error(where: object, error: Exception) -> DatasetError:
    first = str(error).partition("\n")[0]
    remedy = 'See docs/files.md for the columns. Put names such as "order" in double quotes in SQL'
    return DatasetError(f"where = {where}", f"is not a condition on the catalog ({first})", remedy)
