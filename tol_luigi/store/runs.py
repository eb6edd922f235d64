"""Rows that belong together: runs of equal values in a column, and the first row of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["NONE", "begins_run", "first_rows"]

NONE = -1
"""Stands for a row that does not exist."""


def begins_run(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell for each row of a column without nulls whether the value before it is another, or none."""
    begins = np.ones(len(column), np.bool_)
    if len(column):
        begins[1:] = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
    return begins


def first_rows(groups: NDArray[np.int64], rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the first row of each group; :data:`NONE` for a group without rows.

    Args:
        groups: The number of a group, for each of some rows.
        rows: These rows; the first of a group is the one that comes first here.
        count: How many groups there are.
    """
    first = np.full(count, NONE, np.int64)
    first[groups[::-1]] = rows[::-1]  # of several the last to be put down, which comes first, stays
    return first
