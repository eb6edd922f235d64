"""Lookup of rows among millions of others by their values.

Sorted hashes take 16 bytes per row; a dictionary would take ten times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.batches import BATCH
from tol_luigi.store.runs import first_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

__all__ = ["HashIndex", "RowIndex", "hash_rows"]


def hash_rows(rows: pa.Table) -> Hashes:
    """Return a 64-bit hash for each row of integers and strings; different rows may have the same hash.

    The hashes are Python's own, so they hold for one process and those that are forked from it.
    """
    pieces = [np.empty(0, np.int64)]
    for batch in rows.to_batches(BATCH):
        values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        pieces.append(np.fromiter(map(hash, values), np.int64, batch.num_rows))
    return np.concatenate(pieces).view(np.uint64)


class HashIndex:
    """An index of rows by their hashes.

    Args:
        hashes: One hash per row.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._rows = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._rows]

    def pairs(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        """Look up hashes.

        Returns:
            All pairs of the position of a hash and a row with this hash. The rows of a hash are in order.
        """
        order = np.argsort(hashes, kind="stable")  # sorted lookups are many times as fast
        starts = np.searchsorted(self._hashes, hashes[order], "left")
        times = np.searchsorted(self._hashes, hashes[order], "right") - starts
        before = np.cumsum(times) - times
        found = np.repeat(starts - before, times) + np.arange(times.sum())
        return np.repeat(order, times), self._rows[found]


class RowIndex:
    """An index of the rows of a table by all of their values.

    Args:
        known: The table, of integers and strings.
        hashed: Returns the hashes of rows.
    """

    def __init__(self, known: pa.Table, *, hashed: Callable[[pa.Table], Hashes] = hash_rows) -> None:
        self._hashed = hashed
        self._index = HashIndex(hashed(known))
        self._known = known.combine_chunks()  # one chunk makes random access fast

    def first(self, rows: pa.Table) -> Numbers:
        """Return, for each given row, the first equal row of the table.

        Args:
            rows: The rows, with the same number of columns.

        Returns:
            A row number for each row; -1 if no row is equal, as for a row that contains a null.
        """
        which, found = self._index.pairs(self._hashed(rows))
        same = _equal(rows.take(pa.array(which)), self._known.take(pa.array(found)))
        return first_rows(which[same], found[same], len(rows))


def _equal(left: pa.Table, right: pa.Table) -> NDArray[np.bool_]:
    """Return which rows are equal and contain no null."""
    same = np.ones(len(left), np.bool_)
    for one, other in zip(left.columns, right.columns, strict=True):
        same &= np.asarray(pc.fill_null(pc.equal(one, other), fill_value=False))
    return same
