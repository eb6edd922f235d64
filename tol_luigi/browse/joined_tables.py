"""The tables of a dataset whose columns a condition can use next to those of the catalog: features and selections."""

from __future__ import annotations

import glob
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.splits import SPLITS
from tol_luigi.dataset.reading import reading
from tol_luigi.features.column_names import joined_columns
from tol_luigi.features.extractor import Family
from tol_luigi.features.family_files import KEY_COLUMNS
from tol_luigi.store.selections import SELECTION_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.layout import Layout

__all__ = ["JoinedColumn", "JoinedTable", "joined_tables"]


@dataclass(frozen=True)
class JoinedColumn:
    """A column of a joined table.

    Attributes:
        name: What conditions call it.
        kind: Its type.
        stored: The name of the column in the table.
        form: The value in SQL, where ``{0}`` stands for the column of the table.
    """

    name: str
    kind: pa.DataType
    stored: str
    form: str = "{0}"

    def sql(self, table: str) -> str:
        """Return the value with its name, in SQL; whatever a dataset calls its columns, they are names only."""
        return f"{self.form.format(f'{table}.{_quoted(self.stored)}')} AS {_quoted(self.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class JoinedTable:
    """A table with a row for each sample, or for some.

    Attributes:
        paths: Its files.
        id: The column with the ids of the samples.
        columns: Its columns.
    """

    paths: Sequence[Path]
    id: str
    columns: Sequence[JoinedColumn]

    def is_used_in(self, condition: str) -> bool:
        """Return whether a condition may use a column: all that it uses are found, and few others."""
        plain = condition.replace('""', '"').lower()
        return any(column.name.lower() in plain for column in self.columns)

    @property
    def patterns(self) -> list[str]:
        """The paths as DuckDB takes them: brackets and stars in them are no patterns."""
        return [glob.escape(str(path)) for path in self.paths]


def joined_tables(layout: Layout, catalog: Sequence[str]) -> list[JoinedTable]:
    """Return the tables of features, near-duplicates and selections that a dataset has.

    Of columns with the same name, apart from case, the first counts.

    Args:
        layout: The paths of the dataset.
        catalog: The columns of the catalog, whose names no other column gets.

    Raises:
        DamagedError: A table cannot be read.
    """
    near = layout.near_duplicates
    tables = [
        *_families(layout, catalog),
        *([JoinedTable([near], "id", _NEAR)] if near.exists() else []),
        *(_selection(layout, name) for name in layout.selections()),
    ]
    known = {name.lower() for name in catalog}
    distinct = []
    for table in tables:
        columns = []
        for column in table.columns:
            if column.name.lower() not in known:
                known.add(column.name.lower())
                columns.append(column)
        distinct.append(replace(table, columns=columns))
    return distinct


_NEAR = (
    JoinedColumn("near_cluster", pa.int64(), "cluster"),
    # A sample without near-duplicates is the one to keep.
    JoinedColumn("near_keep", pa.bool_(), "keep", "coalesce({0}, true)"),
)


def _families(layout: Layout, catalog: Sequence[str]) -> Iterator[JoinedTable]:
    """Yield the tables of the families; the samples of train_small are copies, so they have none of their own."""
    found: list[tuple[Family, list[Path]]] = []
    for folder in sorted(path for path in layout.features.glob("*") if path.is_dir()):
        paths = [path for split in SPLITS for path in sorted(folder.glob(f"{split}/shard-*.parquet"))]
        if paths:
            with reading(paths[0]):
                schema = pq.read_schema(paths[0])
            keys = {column.name for column in KEY_COLUMNS}
            own = tuple(column for column in schema if column.name not in keys)
            found.append((Family(folder.name, own), paths))
    columns: list[list[JoinedColumn]] = [[] for _ in found]
    for number, name, column in joined_columns([family for family, _ in found], catalog):
        form = "CASE WHEN isnan({0}) THEN NULL ELSE {0} END" if pa.types.is_floating(column.type) else "{0}"
        columns[number].append(JoinedColumn(name, column.type, column.name, form))
    for (_, paths), own_columns in zip(found, columns, strict=True):
        yield JoinedTable(paths, "key", own_columns)


def _selection(layout: Layout, name: str) -> JoinedTable:
    prefix = f"selection_{name.replace('-', '_')}"
    columns = [
        JoinedColumn(prefix, pa.string(), "state"),
        JoinedColumn(f"{prefix}_score", pa.float64(), "score"),
    ]
    return JoinedTable([layout.selection(name) / SELECTION_TABLE], "id", columns)
