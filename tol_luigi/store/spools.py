"""Rows in more parts than fit into memory at the same time, in a scratch file.

A stage adds its rows in the order in which it finds them, and takes them part by part: by ranges of ids, which are
uniformly distributed, or by partitions. So its memory depends on the size of a part, not on the number of rows.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from tol_luigi.core.files import clear_disk_errors, scratch_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

__all__ = ["PART_ROWS", "Spool", "leading_numbers", "number_of_parts", "parts_of_ids", "spooled"]

PART_ROWS = 1 << 20
"""The most rows in memory before they are written to the scratch file, and the size of a part."""

_DIGITS = 8
"""The first hexadecimal digits of an id, before its first hyphen."""


class Spool:
    """Rows by the number of their part; those of a part are in the order in which they were added.

    Args:
        path: The scratch file, which is written only if there are more rows than fit into memory.
        schema: The columns.
        held: The most rows in memory.
    """

    def __init__(self, path: Path, schema: pa.Schema, held: int = PART_ROWS) -> None:
        self.schema, self._path, self._most = schema, path, held
        self._tables: list[pa.Table] = []
        self._parts: list[Numbers] = []
        self._held = 0
        self._writer: ipc.RecordBatchFileWriter | None = None
        self._reader: ipc.RecordBatchFileReader | None = None
        self._batches: dict[int, list[int]] = {}
        self._count = 0
        self._last: tuple[pa.Table, Numbers] | None = None

    def add(self, rows: pa.Table, parts: Numbers) -> None:
        """Add rows, given the number of the part of each.

        All rows must be added before any is taken.
        """
        self._tables.append(rows.select(self.schema.names).cast(self.schema))
        self._parts.append(parts)
        self._held += len(rows)
        if self._held >= self._most:
            self._flush()

    def part(self, number: int) -> pa.Table:
        """Return the rows of a part."""
        if self._writer is None:
            rows, parts = self._in_memory()
            start, end = np.searchsorted(parts, [number, number + 1])
            return rows.slice(start, end - start)
        if self._reader is None:
            self._flush()
            self._writer.close()
            self._reader = ipc.open_file(pa.OSFile(str(self._path)))
        batches = [self._reader.get_batch(batch) for batch in self._batches.get(number, ())]
        return pa.Table.from_batches(batches, self.schema)

    def close(self) -> None:
        """Remove the scratch file."""
        with contextlib.suppress(OSError):  # the disk is not writable, which has been reported
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _sorted(self) -> tuple[pa.Table, Numbers]:
        """Return the rows in memory and their parts, in the order of the parts."""
        rows = pa.concat_tables([self.schema.empty_table(), *self._tables]).combine_chunks()
        parts = np.concatenate([np.empty(0, np.int64), *self._parts])
        self._tables, self._parts, self._held = [], [], 0
        if (parts[1:] >= parts[:-1]).all():
            return rows, parts
        order = np.argsort(parts, kind="stable")
        return rows.take(pa.array(order)), parts[order]

    def _in_memory(self) -> tuple[pa.Table, Numbers]:
        if self._last is None:
            self._last = self._sorted()
        return self._last

    def _flush(self) -> None:
        """Write the rows in memory to the scratch file, each part in a batch of its own."""
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            options = ipc.IpcWriteOptions(compression="lz4")
            self._writer = ipc.new_file(self._path, self.schema, options=options)
        rows, parts = self._sorted()
        numbers, starts = np.unique(parts, return_index=True)
        sizes = np.diff(np.append(starts, len(parts)))
        for number, start, size in zip(numbers.tolist(), starts.tolist(), sizes.tolist(), strict=True):
            for batch in rows.slice(start, size).to_batches():
                self._writer.write_batch(batch)
                self._batches.setdefault(number, []).append(self._count)
                self._count += 1


@contextlib.contextmanager
def spooled(output: Path, schema: pa.Schema, held: int = PART_ROWS) -> Iterator[Spool]:
    """Open a spool, whose scratch file is in the folder of the file that is being written, and remove it at the end.

    Raises:
        DiskError: See :func:`~tol_luigi.core.files.clear_disk_errors`.
    """
    spool = Spool(scratch_path(output), schema, held)
    with clear_disk_errors(output):
        try:
            yield spool
        finally:
            spool.close()


def number_of_parts(rows: int, size: int = PART_ROWS) -> int:
    """Return the number of parts for a number of rows, at least 1."""
    return max(1, -(-rows // size))


def parts_of_ids(ids: pa.Array | pa.ChunkedArray, count: int) -> Numbers:
    """Return the part of each image id: the parts are ranges of ids, in order, and about equally large."""
    if count == 1:
        return np.zeros(len(ids), np.int64)
    return (leading_numbers(ids, _DIGITS).astype(np.int64) * count) >> (4 * _DIGITS)


def leading_numbers(texts: pa.Array | pa.ChunkedArray, digits: int = 16) -> NDArray[np.uint64]:
    """Return the first hexadecimal digits of each text, 8 or 16, as a number."""
    if not len(texts):
        return np.empty(0, np.uint64)
    plain = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    found = pc.utf8_slice_codeunits(plain, 0, digits).buffers()[2]  # concatenated
    return np.frombuffer(bytes.fromhex(found.to_pybytes().decode()), f">u{digits // 2}").astype(np.uint64)
