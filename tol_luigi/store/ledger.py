"""The ledger: the end of every image, in Parquet files.

One file a (split, partition), written with its shards; one for what the mapping leaves out and one for
what has no name.
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
"""A row of the ledger: id ("" where none is known), source, partition ("" where none), name of the file within
it, state and reason; of a written sample also the number of its shard, its position, offset and length (in
bytes) there, and the width and height (pixels), mode, format, flags, SHA-256 and MD5 of its original."""


GUARDED_LEDGER = pa.schema(
    [
        *LEDGER,
        ("benchmark", pa.string()),
        ("benchmark_file", pa.string()),
        ("differing_bits", pa.int16()),
    ]
)
"""The same where pictures of benchmarks are kept out: for an image that is one of them also the list, the name
there, and in how many bits the perceptual hashes differ, null where the bytes are the same."""


def ledger_row(  # noqa: PLR0917 (in the order of the columns)
    image: str, source: str, partition: str, name: str, state: str, reason: str
) -> dict[str, Any]:
    """Make the row of an image, with the columns that every image has."""
    return {
        "id": image,
        "source": source,
        "partition": partition,
        "name": name,
        "state": str(state),
        "reason": reason,
    }


def write_ledger(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema = LEDGER) -> None:
    """Write ledger rows, whole or not at all; columns a row does not name are null."""
    write_rows(path, rows, schema)


def read_ledger(path: Path, columns: list[str] | None = None, state: str = "") -> pa.Table:
    """Read a ledger file, or some columns of it, or the rows of one state."""
    return rows_with(path, {"state": [state]} if state else {}, columns)


def ids_by_shard(path: Path) -> dict[int, list[str]]:
    """Give the ids of the samples of each shard, in their order, by the shard's number."""
    written = read_ledger(path, ["id", "shard", "position"], state=State.WRITTEN)
    ids: dict[int, list[str]] = {}
    for row in written.sort_by([("shard", "ascending"), ("position", "ascending")]).to_pylist():
        ids.setdefault(row["shard"], []).append(row["id"])
    return ids
