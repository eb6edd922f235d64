"""Finding rows among millions of others by what they hold: hashes in order take 16 bytes a row, a dictionary ten times that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
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

_NULLABLE = {pa.int64(): pd.Int64Dtype()}
"""So that integers beside a null are not taken for floats, which have other hashes."""


def hash_rows(rows: pa.Table) -> Hashes:
    """Give 64 bits for each row, the same for equal rows of integers and strings; others can have them as well."""
    pieces: list[pd.Series[int] | Hashes] = [np.empty(0, np.uint64)]
    for batch in rows.to_batches(BATCH):
        values = batch.to_pandas(types_mapper=_NULLABLE.get)
        pieces.append(pd.util.hash_pandas_object(values, index=False, categorize=False))
    return np.concatenate(pieces, dtype=np.uint64)


class HashIndex:
    """Finds rows by their hashes.

    Args:
        hashes: One for each row.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._rows = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._rows]

    def pairs(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        """Look hashes up.

        Returns:
            The position of a hash, and a row that has it; for each such pair. The rows of a hash are in order.
        """
        order = np.argsort(hashes, kind="stable")  # in their order they are looked up many times as fast
        starts = np.searchsorted(self._hashes, hashes[order], "left")
        times = np.searchsorted(self._hashes, hashes[order], "right") - starts
        before = np.cumsum(times) - times
        found = np.repeat(starts - before, times) + np.arange(times.sum())
        return np.repeat(order, times), self._rows[found]


class RowIndex:
    """Finds rows of a table by all of their values.

    Args:
        known: The table, of integers and strings.
        hashed: Gives hashes of rows.
    """

    def __init__(self, known: pa.Table, *, hashed: Callable[[pa.Table], Hashes] = hash_rows) -> None:
        self._hashed = hashed
        self._index = HashIndex(hashed(known))
        self._known = known.combine_chunks()  # in one piece, since rows are taken from all over it

    def first(self, rows: pa.Table) -> Numbers:
        """Find the first row of the table that is equal to each of some rows.

        Args:
            rows: The rows, with as many columns.

        Returns:
            A number for each row; -1 where none is equal, as for a row that holds a null.
        """
        which, found = self._index.pairs(self._hashed(rows))
        same = _equal(rows.take(pa.array(which)), self._known.take(pa.array(found)))
        return first_rows(which[same], found[same], len(rows))


def _equal(left: pa.Table, right: pa.Table) -> NDArray[np.bool_]:
    """Tell which rows are equal, and without nulls."""
    same = np.ones(len(left), np.bool_)
    for one, other in zip(left.columns, right.columns, strict=True):
        same &= np.asarray(pc.fill_null(pc.equal(one, other), fill_value=False))
    return same
