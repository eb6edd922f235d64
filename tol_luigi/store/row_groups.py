"""Reads of some rows of Parquet files, which skip row groups that cannot contain these rows."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.batches import BATCH, batched
from tol_luigi.core.files import committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "Rows",
    "Wanted",
    "partitions_of",
    "pieces",
    "row_writer",
    "rows_digest",
    "rows_with",
    "table_writer",
    "write_partitions",
    "write_rows",
]

Wanted = Mapping[str, Collection[Any]]
"""Allowed values by column; a row matches if each of these columns has one of its values."""


class Rows:
    """A Parquet file that is opened once for many queries.

    (The filters of pyarrow read every row group if a column is dictionary-encoded.)

    Args:
        path: The file. Its page checksums, if any, are verified.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        self._statistics: dict[str, _Statistics] = {}

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        return list(self._file.schema_arrow.names)

    def rows(self, wanted: Wanted, columns: list[str] | None = None) -> pa.Table:
        """Return the matching rows, in the order of the file.

        Args:
            wanted: Allowed values by column; all rows match if it is empty.
            columns: The columns to read; None for all.
        """
        names = self.names if columns is None else columns
        read = list(dict.fromkeys([*names, *wanted]))
        rows = self._file.read_row_groups(self.groups(wanted), columns=read)
        for column, values in wanted.items():
            rows = _matching(rows, column, values)
        return rows.select(names)

    def groups(self, wanted: Wanted) -> list[int]:
        """Return the row groups that can contain a matching row, in order."""
        groups = set(range(self._file.num_row_groups))
        for column, values in wanted.items():
            groups &= self._groups_with(column, values)
        return sorted(groups)

    def _groups_with(self, column: str, values: Collection[Any]) -> set[int]:
        """Return the row groups that can contain one of the values."""
        if column not in self._statistics:
            self._statistics[column] = self._read_statistics(column)
        known = self._statistics[column]
        groups = {group for value in values for group in known.constant.get(value, ())}
        for group, (least, greatest) in known.ranges.items():
            if any(least <= value <= greatest for value in values):
                groups.add(group)
        return groups.union(known.unknown)

    def _read_statistics(self, column: str) -> _Statistics:
        """Read the statistics of a column in all row groups."""
        metadata, result = self._file.metadata, _Statistics({}, {}, [])
        place = {metadata.schema.column(index).path: index for index in range(metadata.num_columns)}[column]
        for group in range(metadata.num_row_groups):
            known = metadata.row_group(group).column(place).statistics
            if known is None or not known.has_min_max:
                result.unknown.append(group)
            elif known.min == known.max:
                result.constant.setdefault(known.min, []).append(group)
            else:
                result.ranges[group] = known.min, known.max
        return result


class _Statistics(NamedTuple):
    """Statistics of a column by row group.

    Attributes:
        constant: The row groups with a single value, by that value.
        ranges: Minimum and maximum of each of the others.
        unknown: The row groups without statistics.
    """

    constant: dict[Any, list[int]]
    ranges: dict[int, tuple[Any, Any]]
    unknown: list[int]


def _matching(rows: pa.Table, column: str, values: Collection[Any]) -> pa.Table:
    """Return the rows that have one of these values in a column."""
    kind = rows.schema.field(column).type
    known = pa.array(list(values), kind.value_type if pa.types.is_dictionary(kind) else kind)
    kept = pc.is_in(rows[column], value_set=known)
    return rows if pc.all(kept).as_py() else rows.filter(kept)


def rows_with(path: Path, wanted: Wanted, columns: list[str] | None = None) -> pa.Table:
    """Open a file and return its matching rows; see :class:`Rows`."""
    with Rows(path) as file:
        return file.rows(wanted, columns)


def pieces(
    path: Path, columns: list[str] | None = None, progress: Callable[[int], None] = lambda _: None
) -> Iterator[pa.Table]:
    """Yield the row groups of a file as tables.

    Args:
        path: The file.
        columns: The columns to read; None for all.
        progress: Called with the number of rows so far.
    """
    rows = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            piece = file.read_row_group(group, columns=columns)
            yield piece
            rows += len(piece)
            progress(rows)


@contextlib.contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Write tables atomically to a Parquet file with page checksums."""
    with (
        committed(path) as scratch,
        pq.ParquetWriter(scratch, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        yield writer


def write_partitions(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    """Write rows with separate row groups per ``partition``, in order, so that readers can find them."""
    for _, mine in partitions_of(rows):
        writer.write_table(mine)


def partitions_of(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of each ``partition``, in the order of the partitions."""
    for partition in sorted(pc.unique(rows["partition"]).to_pylist()):
        yield partition, rows.filter(pc.equal(rows["partition"], partition))


def rows_digest(rows: pa.Table) -> str:
    """Return a SHA-256 of the values of a table of texts and numbers, in their order, however they are stored."""
    digest = hashlib.sha256()
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        digest.update(json.dumps([name, len(column)]).encode())
        digest.update(pc.is_valid(column).to_numpy().tobytes())
        if pa.types.is_string(column.type):
            values = pc.fill_null(column, "")
            digest.update(pc.binary_length(values).to_numpy().tobytes())
            for chunk in values.chunks:
                digest.update(_content(chunk))
        else:
            digest.update(pc.fill_null(column, 0).to_numpy().tobytes())
    return digest.hexdigest()


def _content(texts: pa.StringArray) -> memoryview:
    """Return the texts of an array one after another."""
    _, offsets, content = texts.buffers()
    if not len(texts) or content is None:
        return memoryview(b"")
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(content)[bounds[0] : bounds[-1]]


@contextlib.contextmanager
def row_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[Iterable[dict[str, Any]]], None]]:
    """Write rows like :func:`table_writer`, each time that the yielded function is called; columns missing in a row are null."""
    with table_writer(path, schema) as writer:
        waiting: list[dict[str, Any]] = []

        def write(rows: Iterable[dict[str, Any]], least: int = BATCH) -> None:
            waiting.extend(rows)
            while len(waiting) >= least:
                writer.write_table(pa.Table.from_pylist(waiting[:BATCH], schema=schema))
                del waiting[:BATCH]

        yield write
        if waiting:
            write([], least=len(waiting))


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows like :func:`row_writer`."""
    with row_writer(path, schema) as write:
        for batch in batched(rows):
            write(batch)
