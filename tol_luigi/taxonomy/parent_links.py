"""Trees as arrays: identifiers as row numbers, parents as row numbers, -1 for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

__all__ = ["UidIndex", "break_cycles", "depths_of", "natural_order", "roots_of"]

_NUMBER = r"^(?:0|[1-9][0-9]{0,17})$"


def natural_order(uids: pa.Array) -> Integers:
    """Return the row numbers in the order of their identifiers: the shorter first, then in order of the alphabet.

    Numbers are so in order of their values.
    """
    if _are_numbers(uids):
        return np.argsort(uids.cast(pa.int64()).to_numpy(), kind="stable")
    table = pa.table({"length": pc.binary_length(uids), "uid": uids})
    order = pc.sort_indices(table, sort_keys=[("length", "ascending"), ("uid", "ascending")])
    return np.asarray(order.to_numpy()).astype(np.int64)


class UidIndex:
    """The row numbers of identifiers. Of an identifier that occurs twice, the first row counts."""

    def __init__(self, uids: pa.Array) -> None:
        self._uids = uids
        self._numbers: Integers | None = None
        if _are_numbers(uids):
            numbers = uids.cast(pa.int64()).to_numpy()
            self._rows = np.argsort(numbers, kind="stable")
            self._numbers = numbers[self._rows]

    @property
    def has_repeats(self) -> bool:
        """Whether an identifier occurs twice."""
        if self._numbers is None:
            return bool(pc.count_distinct(self._uids).as_py() < len(self._uids))
        return bool((self._numbers[1:] == self._numbers[:-1]).any())

    def find(self, wanted: pa.Array) -> Integers:
        """Return the row of every wanted identifier, -1 if there is none (or it is null)."""
        if self._numbers is None or not _are_numbers(wanted):
            found = pc.index_in(wanted, value_set=self._uids, skip_nulls=True)
            return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False)).astype(np.int64)
        numbers = pc.fill_null(wanted.cast(pa.int64()), -1).to_numpy()
        if not len(self._numbers):
            return np.full(len(numbers), -1, np.int64)
        place = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return np.where(self._numbers[place] == numbers, self._rows[place], -1)


def roots_of(parents: Integers) -> Integers:
    """Return the root above every node, itself for a root; a node on or below a cycle has a node of that cycle.

    It takes as many rounds as the depth has binary digits.
    """
    rows = np.arange(len(parents), dtype=np.int64)
    above = np.where(parents < 0, rows, parents)
    for _ in range(max(len(parents), 1).bit_length()):
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    return above


def depths_of(parents: Integers) -> Integers:
    """Return the number of taxa above every node of a forest."""
    depths = (parents >= 0).astype(np.int64)
    above = np.where(parents < 0, np.arange(len(parents)), parents)
    while (depths[above] > 0).any():
        depths += depths[above]
        above = above[above]
    return depths


def break_cycles(parents: Integers) -> tuple[Integers, Integers]:
    """Return parents without cycles, and the rows that have become roots: the first row of every cycle."""
    ends = roots_of(parents)
    on_cycles = np.unique(ends[parents[ends] >= 0])
    firsts: list[int] = []
    seen: set[int] = set()
    for start in on_cycles.tolist():
        if start in seen:
            continue
        cycle, row = [], start
        while row not in seen:
            seen.add(row)
            cycle.append(row)
            row = int(parents[row])
        firsts.append(min(cycle))
    broken = np.asarray(sorted(firsts), np.int64)
    parents = parents.copy()
    parents[broken] = -1
    return parents, broken


def _are_numbers(uids: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(uids, _NUMBER), min_count=0).as_py())
