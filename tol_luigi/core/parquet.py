"""Reads of Parquet files from beginning to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tol_luigi.core.batches import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

__all__ = ["parquet_batches", "parquet_stream"]


def parquet_stream(path: Path, *, has_checksums: bool = False) -> pq.ParquetFile:
    """Open a file of which ``iter_batches`` holds one row group at a time.

    (By default, pyarrow keeps the compressed bytes of every row group that it has read until the file is closed.)

    Args:
        path: The file.
        has_checksums: Whether it has page checksums, which are verified.
    """
    return pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=has_checksums)


def parquet_batches(
    path: Path, columns: Sequence[str] | None = None, rows: int = BATCH
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file with page checksums in batches of at most ``rows``, in memory bounded for any size.

    Args:
        path: The file.
        columns: The columns to read; None for all.
        rows: The most rows of a batch.
    """
    with parquet_stream(path, has_checksums=True) as file:
        yield from file.iter_batches(rows, columns=columns)
