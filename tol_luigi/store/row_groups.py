"""Parquet files of which only some rows are wanted: row groups that cannot hold any of them are not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.batches import batched
from tol_luigi.core.files import committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["Rows", "Wanted", "pieces", "rows_with", "write_rows"]

Wanted = Mapping[str, Collection[Any]]
"""Values by column: a row is wanted that has one of them in each."""


class Rows:
    """A Parquet file, opened once to be asked for rows many times.

    (The filters of pyarrow itself read every row group where a column is dictionary-encoded.)

    Args:
        path: The file. The checksums of its pages are verified, where it has some.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        self._known: dict[str, _Contents] = {}

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
        names = self.names if columns is None else columns
        read = list(dict.fromkeys([*names, *wanted]))
        rows = self._file.read_row_groups(self.groups(wanted), columns=read)
        for column, values in wanted.items():
            rows = _having(rows, column, values)
        return rows.select(names)

    def groups(self, wanted: Wanted) -> list[int]:
        """Return the row groups that can hold a row that is wanted, in order."""
        groups = set(range(self._file.num_row_groups))
        for column, values in wanted.items():
            groups &= self._holding(column, values)
        return sorted(groups)

    def _holding(self, column: str, values: Collection[Any]) -> set[int]:
        """Give the row groups that can hold one of the values."""
        if column not in self._known:
            self._known[column] = self._contents(column)
        known = self._known[column]
        holding = {group for value in values for group in known.alone.get(value, ())}
        for group, (least, greatest) in known.several.items():
            if any(least <= value <= greatest for value in values):
                holding.add(group)
        return holding.union(known.untold)

    def _contents(self, column: str) -> _Contents:
        """Read what the file tells of its row groups."""
        told, contents = self._file.metadata, _Contents({}, {}, [])
        place = {told.schema.column(index).path: index for index in range(told.num_columns)}[column]
        for group in range(told.num_row_groups):
            known = told.row_group(group).column(place).statistics
            if known is None or not known.has_min_max:
                contents.untold.append(group)
            elif known.min == known.max:
                contents.alone.setdefault(known.min, []).append(group)
            else:
                contents.several[group] = known.min, known.max
        return contents


class _Contents(NamedTuple):
    """What row groups hold in a column.

    Attributes:
        alone: Those with one value only, by that value.
        several: The least and the greatest value of each of the others.
        untold: Those of which the file does not tell it.
    """

    alone: dict[Any, list[int]]
    several: dict[int, tuple[Any, Any]]
    untold: list[int]


def _having(rows: pa.Table, column: str, values: Collection[Any]) -> pa.Table:
    """Keep the rows that have one of these values."""
    kind = rows.schema.field(column).type
    known = pa.array(list(values), kind.value_type if pa.types.is_dictionary(kind) else kind)
    kept = pc.is_in(rows[column], value_set=known)
    return rows if pc.all(kept).as_py() else rows.filter(kept)


def rows_with(path: Path, wanted: Wanted, columns: list[str] | None = None) -> pa.Table:
    """Read rows of a file that is opened for that only; see :class:`Rows`."""
    with Rows(path) as file:
        return file.rows(wanted, columns)


def pieces(
    path: Path, columns: list[str] | None = None, progress: Callable[[int], None] = lambda _: None
) -> Iterator[pa.Table]:
    """Read a file a row group at a time.

    Args:
        path: The file.
        columns: What to read of it; None for all columns.
        progress: Told the number of rows so far.
    """
    rows = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            piece = file.read_row_group(group, columns=columns)
            yield piece
            rows += len(piece)
            progress(rows)


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows to a Parquet file with page checksums, complete or not at all; columns a row does not name are null."""
    with (
        committed(path) as scratch,
        pq.ParquetWriter(scratch, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for batch in batched(rows):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
