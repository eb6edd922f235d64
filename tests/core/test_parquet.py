"""Reads of Parquet files from beginning to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tol_luigi.core.parquet import parquet_batches

if TYPE_CHECKING:
    from pathlib import Path

GROUPS, BYTES = 40, 1 << 20


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    with pq.ParquetWriter(path, pa.schema([("noise", pa.binary())]), write_page_checksum=True) as writer:
        for _ in range(GROUPS):
            writer.write_table(pa.table({"noise": [os.urandom(BYTES // 8) for _ in range(8)]}))
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in parquet_batches(path, rows=4):
        rows += len(batch)
        most = max(most, pa.total_allocated_bytes() - before)

    assert rows == 8 * GROUPS
    assert most < 10 * BYTES


def test_columns_and_checksums(tmp_path: Path) -> None:
    path = tmp_path / "small.parquet"
    pq.write_table(
        pa.table({"a": list(range(1000)), "b": ["x"] * 1000}),
        path,
        write_page_checksum=True,
        compression="none",
    )
    assert [batch.column_names for batch in parquet_batches(path, ["b"], 600)] == [["b"], ["b"]]
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        list(parquet_batches(path))
