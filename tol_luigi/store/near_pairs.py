"""Pairs of near-duplicates for the report, from their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["near_pairs"]

_COLUMNS = ["id", "cluster", "keep", "distance", "split", *RANK_LABELS]


def near_pairs(path: Path, most: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the image to keep of each of some clusters of near-duplicates, and another one of the cluster.

    Clusters whose images differ in labels or splits come first, and so do such images of a cluster.

    Args:
        path: The table of near-duplicates.
        most: The largest number of clusters.
    """
    clusters = pq.read_table(path, columns=["cluster", "crosses_splits", "label_conflict"])
    telling = pc.or_(clusters["crosses_splits"], pc.is_valid(clusters["label_conflict"]))
    first = pc.unique(clusters["cluster"].filter(telling)).slice(0, most).to_pylist()
    others = pc.unique(clusters["cluster"].filter(pc.invert(telling))).slice(0, most - len(first)).to_pylist()
    images: dict[int, list[dict[str, Any]]] = {number: [] for number in [*first, *others]}
    if images:
        for row in rows_with(path, {"cluster": list(images)}, _COLUMNS).to_pylist():
            images[row["cluster"]].append(row)
    return [_pair(rows) for rows in images.values()]


def _pair(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    kept = next(row for row in rows if row["keep"])
    others = [row for row in rows if not row["keep"]]
    told = ["split", *RANK_LABELS]
    return kept, max(others, key=lambda row: sum(row[name] != kept[name] for name in told))
