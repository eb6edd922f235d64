"""The catalog of a dataset, as Arrow, pandas and DuckDB have tables."""

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
"""Which rows are wanted: a condition in DuckDB's SQL, or an expression of Arrow."""

_BATCH = 65_536
"""Rows read at a time."""


class Catalog:
    """The rows of ``catalog.parquet``: one for each sample, in the order of the shards.

    Nothing is read until rows are asked for, and then only the columns and row groups that are needed. The columns are
    described in ``docs/files.md``.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        """Name the file."""
        return f"Catalog({str(self.path)!r})"

    def __len__(self) -> int:
        """Count the rows; samples of train_small repeat some of train."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """The number of samples of each split."""
        with reading(self.path):
            return count_by_split(self.path)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.arrow_dataset().schema

    def arrow_dataset(self) -> pds.Dataset:
        """Return it as a dataset of Arrow, to be scanned, filtered and joined without loading it."""
        with reading(self.path):
            return pds.dataset(self.path, format="parquet")

    def to_arrow(self, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
        """Read rows into a table of Arrow.

        Args:
            columns: Which columns; None for all.
            where: Which rows; None for all.

        Raises:
            DatasetError: The condition or a column is wrong, or DuckDB is needed and not installed.

        >>> dataset.catalog.to_arrow(["treeoflife_id", "species"], "genus = 'Apis'").num_columns
        2
        """
        schema = self._selected(columns)
        return pa.Table.from_batches(self.batches(columns, where), schema)

    def to_pandas(self, columns: Sequence[str] | None = None, where: Where | None = None) -> pd.DataFrame:
        """Read rows into a frame of pandas; arguments and errors are those of :meth:`to_arrow`.

        >>> dataset.catalog.to_pandas(["class"], "split = 'train'")["class"].value_counts().idxmax()
        'Insecta'
        """
        frame: pd.DataFrame = self.to_arrow(columns, where).to_pandas()
        return frame

    def to_duckdb(self, connection: Any = None) -> Any:  # noqa: ANN401 (DuckDB is optional)
        """Return it as a relation of DuckDB, which reads the file when it is asked for rows.

        Args:
            connection: The connection that the relation belongs to; a new one by default.

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
        """Read rows some thousands at a time, in their order; arguments and errors are those of :meth:`to_arrow`.

        Args:
            columns: Which columns; None for all.
            where: Which rows; None for all.
            split: The split that they belong to; None for all.
        """
        schema = self._selected(columns)
        if isinstance(where, str):
            return self._from_duckdb(schema, where, split)
        return self._from_arrow(schema, where, split)

    def _selected(self, columns: Sequence[str] | None) -> pa.Schema:
        schema = self.schema
        if columns is None:
            return schema
        if unknown := [name for name in columns if name not in schema.names]:
            what = f"there is no column {', '.join(unknown)}"
            raise DatasetError(self.path, what, f"Its columns are {', '.join(schema.names)}")
        return pa.schema([schema.field(name) for name in columns])

    def _from_arrow(
        self, schema: pa.Schema, where: pc.Expression | None, split: str | None
    ) -> Iterator[pa.RecordBatch]:
        condition = pc.scalar(True) if where is None else where
        wanted = {} if split is None else {"split": [split]}
        if split is not None:
            condition &= pc.field("split") == split
        with reading(self.path), Rows(self.path) as file:
            groups = file.groups(wanted)  # pyarrow's own filter reads those of other splits, too
        (fragment,) = self.arrow_dataset().get_fragments()
        try:
            scanner = fragment.subset(row_group_ids=groups).scanner(
                columns=schema.names, filter=condition, batch_size=_BATCH, batch_readahead=1
            )
        except (pa.ArrowException, TypeError) as error:
            raise _wrong(where, error) from error
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
            raise _wrong(where, error) from error

    def row(self, split: str, source: str, partition: str, image: str) -> Mapping[str, Any]:
        """Return the row of one sample; row groups of other partitions are not read."""
        wanted = {"split": split, "source": source, "partition": partition, "treeoflife_id": image}
        with reading(self.path):
            rows = rows_with(self.path, {column: [value] for column, value in wanted.items()})
            found: Mapping[str, Any] = rows.to_pylist()[0]
            return found


def _duckdb() -> Any:  # noqa: ANN401 (optional)
    """Import DuckDB.

    Raises:
        DatasetError: It is not installed.
    """
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        remedy = "Install it (pip install 'tol_luigi[duckdb]'), or give a condition of pyarrow.compute"
        raise DatasetError("duckdb", "the package is not installed", remedy) from error


def _wrong(where: object, error: Exception) -> DatasetError:
    first = str(error).partition("\n")[0]
    remedy = 'Columns are listed in docs/files.md; names such as "order" need double quotes in SQL'
    return DatasetError(f"where = {where}", f"not a condition on the catalog ({first})", remedy)
