"""Listings: the files found by the scan of one archive or group of folders, as a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.batches import batched
from tol_luigi.core.parquet import parquet_batches
from tol_luigi.core.reader import Member
from tol_luigi.store.row_groups import Rows, rows_with, table_writer, write_partitions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.reader import Found
    from tol_luigi.core.source import Column

__all__ = [
    "collect_listing",
    "count_states",
    "files_at",
    "images_of",
    "key_fields",
    "listing_schema",
    "members_at",
    "members_named",
    "read_listing",
    "write_listing",
]


def key_fields(columns: tuple[Column, ...]) -> list[pa.Field]:
    """Return the columns of a natural key."""
    return [pa.field(column.name, pa.int64() if column.type is int else pa.string()) for column in columns]


_STORED_AS = "stored_as"
"""The column of ``Member.stored_as``, which exists only in listings with such members."""


def listing_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Return the columns of every listing: location of each file, natural key, and why it is skipped."""
    return pa.schema(
        [
            ("partition", pa.string()),
            ("position", pa.int64()),
            ("member", pa.string()),
            ("size", pa.int64()),
            ("offset", pa.int64()),
            *key_fields(columns),
            ("id", pa.string()),
            ("state", pa.string()),
            ("reason", pa.string()),
        ]
    )


def collect_listing(
    found: Iterable[Found], columns: tuple[Column, ...], progress: Callable[[int], None]
) -> pa.Table:
    """Collect the results of a scan in a table, in their order.

    Args:
        found: The results of the scan.
        columns: The source's natural key.
        progress: Called with the number of files so far, from time to time.
    """
    schema = listing_schema(columns).append(pa.field(_STORED_AS, pa.string()))
    positions: dict[str, int] = {}
    batches = batched(_counted(found, progress))
    pieces = [pa.table(_columns(batch, columns, positions), schema=schema) for batch in batches]
    listing = pa.concat_tables([schema.empty_table(), *pieces])
    has_others = listing[_STORED_AS].null_count < len(listing)
    return listing if has_others else listing.drop_columns(_STORED_AS)


def _counted(found: Iterable[Found], progress: Callable[[int], None]) -> Iterator[Found]:
    for count, item in enumerate(found, start=1):
        yield item
        progress(count)


def write_listing(path: Path, listing: pa.Table) -> None:
    """Write a listing atomically, with separate row groups per partition, so that readers can find them."""
    with table_writer(path, listing.schema) as writer:
        write_partitions(writer, listing)


def count_states(listing: pa.Table) -> dict[str, int]:
    """Count the files of a listing by state; "" is the state of images."""
    return {row["values"]: row["counts"] for row in pc.value_counts(listing["state"]).to_pylist()}


def _columns(
    batch: list[Found], columns: tuple[Column, ...], positions: dict[str, int]
) -> dict[str, list[Any]]:
    """Turn rows into columns, numbering the files of each partition."""
    content: dict[str, list[Any]] = {
        "partition": [item.partition for item in batch],
        "position": [],
        "member": [item.member.name for item in batch],
        "size": [item.member.size for item in batch],
        "offset": [item.member.offset for item in batch],
        "id": [item.id for item in batch],
        "state": [item.state or "" for item in batch],
        "reason": [item.reason for item in batch],
        _STORED_AS: [item.member.stored_as or None for item in batch],
    }
    for index, column in enumerate(columns):
        content[column.name] = [item.key[index] if item.key else None for item in batch]
    for item in batch:
        position = positions.get(item.partition, 0)
        content["position"].append(position)
        positions[item.partition] = position + 1
    return content


def read_listing(path: Path, columns: list[str] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a listing, optionally only some columns, in batches and in order."""
    for batch in parquet_batches(path, columns):
        yield batch.to_pylist()


def members_at(path: Path, partition: str, positions: Iterable[int]) -> list[Member]:
    """Return files of one partition by their positions; see :func:`files_at`."""
    members, _ = files_at(path, partition, positions)
    return members


def files_at(path: Path, partition: str, positions: Iterable[int]) -> tuple[list[Member], dict[int, str]]:
    """Return files of one partition by their positions, and the notes of the scan on them.

    Args:
        path: The listing.
        partition: The partition; row groups of others are not read.
        positions: Ascending positions within the partition.

    Returns:
        A member for each position, and the notes (most files have none) by index into the positions.
    """
    wanted = pa.array(positions, type=pa.int64())
    if not len(wanted):
        return [], {}
    with Rows(path) as file:
        columns = ["member", "size", "offset", *({_STORED_AS} & set(file.names))]
        rows = file.rows({"partition": [partition]}, [*columns, "reason"]).take(wanted)
    members = _members(rows.select(columns))
    notes = rows["reason"]
    places = np.flatnonzero(pc.not_equal(notes, "").to_numpy())
    return members, dict(zip(places.tolist(), notes.take(pa.array(places)).to_pylist(), strict=True))


def members_named(path: Path, partition: str, names: Collection[str]) -> list[Member]:
    """Return the files of one partition with these names, in the order of the scan; several can have one name."""
    with Rows(path) as file:
        columns = ["member", "size", "offset", *({_STORED_AS} & set(file.names))]
        return _members(file.rows({"partition": [partition], "member": names}, columns))


def _members(rows: pa.Table) -> list[Member]:
    return [
        Member(row["member"], row["size"], row["offset"], row.get(_STORED_AS) or "")
        for row in rows.to_pylist()
    ]


def images_of(path: Path, partition: str) -> tuple[list[int], list[Member]]:
    """Return the files of one partition that can be images: their ascending positions and their locations."""
    wanted = {"partition": [partition], "state": [""]}
    positions = rows_with(path, wanted, ["position"])["position"].to_pylist()
    return positions, members_at(path, partition, positions)
