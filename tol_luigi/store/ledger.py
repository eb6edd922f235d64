"""The ledger: the final state of every image, in Parquet files.

There is one file per (split, source, partition), written with its shards; one for the images that the mapping
excludes; and one for the images without a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.core.ledger import State
from tol_luigi.store.row_groups import rows_with, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["GUARDED_LEDGER", "LEDGER", "ids_by_shard", "ledger_row", "read_ledger", "write_ledger"]

LEDGER = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("partition", pa.string()),
        ("name", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("shard", pa.int32()),
        ("position", pa.int32()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", pa.string()),
        ("format", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("sha256", pa.string()),
        ("md5", pa.string()),
    ]
)
"""Columns: id ("" if unknown), source, partition ("" if none), name of the file within the partition, state
and reason; for a written sample also the number of its shard, its position, offset and length (in bytes)
there, and the width and height (in pixels), mode, format, flags, SHA-256 and MD5 of the original."""


GUARDED_LEDGER = pa.schema(
    [
        *LEDGER,
        ("benchmark", pa.string()),
        ("benchmark_file", pa.string()),
        ("differing_bits", pa.int16()),
    ]
)
"""The same if benchmark images are excluded: for an excluded image also the list, the name of the benchmark
image, and the number of bits in which the perceptual hashes differ (null for an exact duplicate)."""


def ledger_row(  # noqa: PLR0917 (in the order of the columns)
    image: str, source: str, partition: str, name: str, state: str, reason: str
) -> dict[str, Any]:
    """Return the ledger row of an image, with the columns that every image has."""
    return {
        "id": image,
        "source": source,
        "partition": partition,
        "name": name,
        "state": str(state),
        "reason": reason,
    }


def write_ledger(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema = LEDGER) -> None:
    """Write ledger rows atomically; columns missing in a row are null."""
    write_rows(path, rows, schema)


def read_ledger(path: Path, columns: list[str] | None = None, state: str = "") -> pa.Table:
    """Read a ledger file, optionally only some columns or the rows of one state."""
    return rows_with(path, {"state": [state]} if state else {}, columns)


def ids_by_shard(path: Path) -> dict[int, list[str]]:
    """Return the ids of the samples by shard number, in their order in the shard."""
    written = read_ledger(path, ["id", "shard", "position"], state=State.WRITTEN)
    ids: dict[int, list[str]] = {}
    for row in written.sort_by([("shard", "ascending"), ("position", "ascending")]).to_pylist():
        ids.setdefault(row["shard"], []).append(row["id"])
    return ids
