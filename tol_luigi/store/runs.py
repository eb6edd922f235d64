"""Runs of equal values in a column, the first row of each group of rows, and values in a sorted array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["NONE", "are_in", "begins_run", "first_rows"]

NONE = -1
"""The number of a row that does not exist."""


def begins_run(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return whether each row of a column without nulls starts a run of equal values."""
    begins = np.ones(len(column), np.bool_)
    if len(column):
        begins[1:] = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
    return begins


def first_rows(groups: NDArray[np.int64], rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the first row of each group; :data:`NONE` for a group without rows.

    Args:
        groups: The group number of each row.
        rows: The row numbers; the first row of a group is the first one in this order.
        count: The number of groups.
    """
    first = np.full(count, NONE, np.int64)
    first[groups[::-1]] = rows[::-1]  # the last assignment, of the first row, wins
    return first


def are_in(known: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which numbers are in a sorted array; ``np.isin`` would sort it again for each piece."""
    if not len(known):
        return np.zeros(len(numbers), bool)
    places = np.searchsorted(known, numbers).clip(max=len(known) - 1)
    found: NDArray[np.bool_] = known[places] == numbers
    return found
