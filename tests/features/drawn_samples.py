"""A small catalog with features of its samples, without a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPECIES = ("Apis mellifera", "Apis cerana", "Bombus terrestris", "Rosa canina", "Parus major")
SHARD = 10

_TEXTS = pa.dictionary(pa.int32(), pa.string())


def image_id(number: int) -> str:
    """Return the id of a sample."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def write_catalog(path: Path, count: int, **columns: Sequence[Any]) -> pa.Table:
    """Write a catalog: samples in shards of ten, two partitions, one val sample in ten; species take turns."""
    numbers = range(count)
    names = [SPECIES[number % len(SPECIES)].split() for number in numbers]
    known: dict[str, Any] = {
        "treeoflife_id": list(map(image_id, numbers)),
        "split": ["val" if number % SHARD == SHARD - 1 else "train" for number in numbers],
        "source": ["folder"] * count,
        "partition": ["000" if number < count / 2 else "001" for number in numbers],
        "shard": [number // SHARD for number in numbers],
        "position": [number % SHARD for number in numbers],
        "width": [100 + number for number in numbers],
        "height": [100] * count,
        **dict.fromkeys(RANK_LABELS, ["Life"] * count),
        "genus": [genus for genus, _ in names],
        "species": [species for _, species in names],
        "common": [f"the {genus}" for genus, _ in names],
        **columns,
    }
    kinds = {"shard": pa.int32(), "position": pa.int32(), "width": pa.int32(), "height": pa.int32()}
    kinds |= dict.fromkeys(("split", "source", "partition", *RANK_LABELS, "common"), _TEXTS)
    table = pa.table(
        {name: pa.array(values).cast(kinds.get(name, pa.string())) for name, values in known.items()}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return table


def write_family(
    path: Path,
    columns: dict[str, Any],
    status: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
) -> Path:
    """Write the table of a family; its columns have a value for each sample."""
    count = len(next(iter(columns.values())))
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {"key": ids or list(map(image_id, range(count))), "status": status or ["ok"] * count}
    pq.write_table(pa.table({**keys, **columns}), path)
    return path
