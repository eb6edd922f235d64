"""Runs of equal values, one after the other in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["begins_run"]


def begins_run(column: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell for each row of a column without nulls whether the value before it is another, or none."""
    begins = np.ones(len(column), np.bool_)
    if len(column):
        begins[1:] = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
    return begins
