"""Existing shards without some of their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.copying import SampleRef, remove_samples
from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.core.receipts import FileRecord
from tol_luigi.core.shards import shard_number
from tol_luigi.store.ledger import read_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Withheld
    from tol_luigi.core.shards import Shard

__all__ = ["without_samples"]


def without_samples(
    ledger: Path, shards: Sequence[Shard], folder: Path, withheld: Mapping[str, Withheld]
) -> tuple[list[Shard], list[dict[str, Any]]] | None:
    """Write those shards of a partition again that contain withheld images, from their own bytes.

    Args:
        ledger: The ledger of the partition.
        shards: The shards in its receipt.
        folder: The folder of the shards.
        withheld: The withheld images of the partition by id, including those that its shards lack already.

    Returns:
        The shards, and the rows of the ledger, as if all had been written again from the images; None if that is required,
        because an image is no longer withheld, or a shard is missing or damaged.
    """
    rows = read_ledger(ledger).to_pylist()
    if any(row["state"] in WITHHELD and row["id"] not in withheld for row in rows):
        return None
    affected = {row["shard"] for row in rows if row["state"] == State.WRITTEN and row["id"] in withheld}
    kept = [shard for shard in shards if shard_number(shard.name) not in affected]
    if not all(FileRecord(shard.size, shard.sha256).has_size(folder / shard.name) for shard in kept):
        return None
    result = []
    for shard in shards:
        number = shard_number(shard.name)
        if number not in affected:
            result.append(shard)
            continue
        samples = sorted(
            (row for row in rows if row["state"] == State.WRITTEN and row["shard"] == number),
            key=lambda row: row["position"],
        )
        path = folder / shard.name
        places = [SampleRef(row["id"], path, row["offset"], row["bytes"]) for row in samples]
        written = remove_samples(path, shard.sha256, places, withheld.keys())
        if written is None:
            return None
        result.append(written[0])
        remaining = (row for row in samples if row["id"] not in withheld)
        for position, (row, offset) in enumerate(zip(remaining, written[1], strict=True)):
            row["position"], row["offset"] = position, offset
    for row in rows:
        if row["id"] in withheld and (row["state"] == State.WRITTEN or row["state"] in WITHHELD):
            state, row["reason"] = withheld[row["id"]]
            row["state"] = str(state)
            row["position"] = row["offset"] = row["bytes"] = None
    return result, rows
