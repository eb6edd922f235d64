"""Parquet files of which only some rows are wanted: row groups that cannot hold any of them are not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["Rows", "Wanted", "rows_with"]

Wanted = Mapping[str, Collection[Any]]
"""Values by column: a row is wanted that has one of them in each."""


class Rows:
    """A Parquet file, opened once to be asked for rows many times.

    (The filters of pyarrow itself read every row group where a column is dictionary-encoded.)

    Args:
        path: The file.
        checked: Whether the checksums of its pages are to be verified, where it has some.
    """

    def __init__(self, path: Path, *, checked: bool = False) -> None:
        self._file = pq.ParquetFile(path, page_checksum_verification=checked)
        self._ranges: dict[str, list[tuple[Any, Any] | None]] = {}

    def __enter__(self) -> Self:
        """Leave it open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._file.close()

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        return list(self._file.schema_arrow.names)

    def rows(self, wanted: Wanted, columns: list[str] | None = None) -> pa.Table:
        """Read the rows that are wanted, in the order of the file.

        Args:
            wanted: What they have; all rows are wanted where it is empty.
            columns: What to read of the rows; None for all columns.
        """
        groups = [group for group in range(self._file.num_row_groups) if self._can_hold(group, wanted)]
        names = self.names if columns is None else columns
        read = list(dict.fromkeys([*names, *wanted]))
        rows = self._file.read_row_groups(groups, columns=read)
        for column, values in wanted.items():
            rows = _having(rows, column, values)
        return rows.select(names)

    def _can_hold(self, group: int, wanted: Wanted) -> bool:
        for column, values in wanted.items():
            if column not in self._ranges:
                self._ranges[column] = self._read_ranges(column)
            known = self._ranges[column][group]
            if known and not any(known[0] <= value <= known[1] for value in values):
                return False
        return True

    def _read_ranges(self, column: str) -> list[tuple[Any, Any] | None]:
        """Give the least and the greatest value of each row group, None where the file does not tell them."""
        told = self._file.metadata
        place = {told.schema.column(index).path: index for index in range(told.num_columns)}[column]
        found = [told.row_group(group).column(place).statistics for group in range(told.num_row_groups)]
        return [(one.min, one.max) if one and one.has_min_max else None for one in found]


def _having(rows: pa.Table, column: str, values: Collection[Any]) -> pa.Table:
    """Keep the rows that have one of these values."""
    kind = rows.schema.field(column).type
    known = pa.array(list(values), kind.value_type if pa.types.is_dictionary(kind) else kind)
    kept = pc.is_in(rows[column], value_set=known)
    return rows if pc.all(kept).as_py() else rows.filter(kept)


def rows_with(
    path: Path, wanted: Wanted, columns: list[str] | None = None, *, checked: bool = False
) -> pa.Table:
    """Read rows of a file that is opened for that only; see :class:`Rows`."""
    with Rows(path, checked=checked) as file:
        return file.rows(wanted, columns)
