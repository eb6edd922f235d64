"""Examples of images that are in no shard, from the ledgers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.ledger import State
from tol_luigi.store.ledger import read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["excluded_examples"]

_COLUMNS = ["state", "source", "partition", "name", "reason", "id"]


def excluded_examples(paths: Iterable[Path], most: int) -> list[dict[str, Any]]:
    """Return the first images of each state and source that are in no shard, in the order of the ledgers.

    Args:
        paths: The ledger files.
        most: The largest number for each state and source.
    """
    found: list[dict[str, Any]] = []
    kept = Counter[tuple[str, str]]()
    for path in paths:
        if not _has_unwritten(path):
            continue
        rows = read_ledger(path, _COLUMNS)
        excluded = rows.filter(pc.not_equal(rows["state"], State.WRITTEN))
        for state, source in sorted(
            {
                (str(one["state"]), str(one["source"]))
                for one in excluded.select(["state", "source"]).to_pylist()
            }
        ):
            room = most - kept[state, source]
            if room > 0:
                mask = pc.and_(pc.equal(excluded["state"], state), pc.equal(excluded["source"], source))
                first = excluded.filter(mask).slice(0, room).to_pylist()
                found += first
                kept[state, source] += len(first)
    order = list(State)
    return sorted(found, key=lambda row: order.index(State(row["state"])))


def _has_unwritten(path: Path) -> bool:
    """Return whether a ledger has a state other than written; most have none, which their statistics prove."""
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.get_field_index("state")
        known = [file.metadata.row_group(one).column(column).statistics for one in range(file.num_row_groups)]
    return any(
        one is None or not one.has_min_max or (one.min, one.max) != (State.WRITTEN, State.WRITTEN)
        for one in known
    )
