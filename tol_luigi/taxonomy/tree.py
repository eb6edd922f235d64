"""Trees as columns: children, depths and preorder numbers from the column of parents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Rows = NDArray[np.int32]

__all__ = ["NONE", "Groups", "Tree", "ranges"]

NONE = -1
"""The row of no taxon: the parent of a root, the image of a record that is not aligned."""


def ranges(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return consecutive numbers from each start on, as many as its count, one range after the other."""
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    shift = np.repeat(np.asarray(starts, dtype=np.int64) - (ends - counts), counts)
    return np.arange(total, dtype=np.int64) + shift


@dataclass(frozen=True)
class Groups:
    """Values by key: those of key ``k`` are ``values[offsets[k]:offsets[k + 1]]``."""

    offsets: NDArray[np.int64]
    values: Rows

    @classmethod
    def of(cls, keys: NDArray[np.integer], values: Rows, count: int) -> Groups:
        """Group values by their keys, from 0 to ``count`` - 1; values of a key keep their order."""
        offsets = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(keys, minlength=count), out=offsets[1:])
        return cls(offsets, values[np.argsort(keys, kind="stable")])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The number of values of every key."""
        return np.diff(self.offsets)

    def count(self, keys: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the number of values of each of some keys; 0 for keys that are out of range."""
        padded = np.append(self.counts, 0)
        return np.asarray(padded[np.where((keys >= 0) & (keys < len(self.counts)), keys, -1)])

    def join(self, keys: NDArray[np.integer]) -> tuple[NDArray[np.int64], Rows]:
        """Return pairs: the position in ``keys``, and one of the values of the key there; -1 has none."""
        counts = self.count(keys)
        places = np.flatnonzero(counts)
        counts = counts[places]
        return np.repeat(places, counts), self.values[ranges(self.offsets[keys[places]], counts)]


class Tree:
    """A forest given by the row of the parent of every row, ``NONE`` for roots.

    Siblings are in order of their rows. What is derived is computed once, when it is used.
    """

    def __init__(self, parent: Rows) -> None:
        self.parent = parent

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.parent)

    @cached_property
    def children(self) -> Groups:
        """The children of every row."""
        rows = np.flatnonzero(self.parent >= 0).astype(np.int32)
        return Groups.of(self.parent[rows], rows, len(self))

    @cached_property
    def roots(self) -> Rows:
        """The rows without a parent."""
        return np.flatnonzero(self.parent < 0).astype(np.int32)

    @cached_property
    def is_tip(self) -> NDArray[np.bool_]:
        """Whether a row has no children."""
        return np.asarray(self.children.counts == 0)

    @cached_property
    def levels(self) -> list[Rows]:
        """The rows by depth: roots, their children, and so on. Rows of a cycle are in none."""
        found = []
        rows = self.roots
        while len(rows):
            found.append(rows)
            rows = self.children.join(rows)[1]
        return found

    @cached_property
    def depth(self) -> Rows:
        """The number of ancestors of every row; -1 in a cycle."""
        depth = np.full(len(self), -1, dtype=np.int32)
        for number, rows in enumerate(self.levels):
            depth[rows] = number
        return depth

    @cached_property
    def size(self) -> Rows:
        """The number of rows at or below every row."""
        size = np.ones(len(self), dtype=np.int32)
        for rows in self.levels[:0:-1]:
            np.add.at(size, self.parent[rows], size[rows])
        return size

    @cached_property
    def pre(self) -> Rows:
        """The preorder number of every row. What is below it has the ``size`` - 1 next numbers."""
        pre = np.zeros(len(self), dtype=np.int32)
        for rows in self.levels:  # siblings are adjacent there
            sizes = self.size[rows]
            parents = self.parent[rows]
            before = np.cumsum(sizes, dtype=np.int64) - sizes
            first = np.ones(len(rows), dtype=bool)
            first[1:] = parents[1:] != parents[:-1]
            if parents[0] < 0:  # roots: one group, with nothing above
                first[1:] = False
            start = before[first][np.cumsum(first) - 1]
            above = np.where(parents < 0, -1, pre[parents])
            pre[rows] = above + 1 + before - start
        return pre

    @cached_property
    def post(self) -> Rows:
        """The postorder number of every row."""
        return (self.pre + self.size - 1 - self.depth).astype(np.int32)

    def nearest(self, own: Rows) -> Rows:
        """Return for each row the value of the nearest row, itself or above it, that has one; else ``NONE``."""
        found = own.copy()
        for rows in self.levels[1:]:
            found[rows] = np.where(found[rows] >= 0, found[rows], found[self.parent[rows]])
        return found

    def below(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for each row whether a row strictly below it has a flag."""
        found = np.zeros(len(self), dtype=bool)
        for rows in self.levels[:0:-1]:
            marked = rows[found[rows] | flags[rows]]
            found[self.parent[marked]] = True
        return found

    def ancestors(self, row: int) -> Iterator[int]:
        """Yield a row and its ancestors, upwards."""
        while row >= 0:
            yield row
            row = int(self.parent[row])
