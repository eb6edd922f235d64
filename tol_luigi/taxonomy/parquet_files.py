"""Tables of taxonomies as Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tol_luigi.core.files import committed

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["write_parquet"]

_ROWS_PER_GROUP = 1 << 18


def write_parquet(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write a table atomically to a Parquet file, whose bytes do not depend on how the table is chunked."""
    whole = table.cast(schema).combine_chunks()
    with committed(path) as scratch:
        pq.write_table(
            whole, scratch, compression="zstd", row_group_size=_ROWS_PER_GROUP, write_page_checksum=True
        )
