"""Orders of the nodes of a forest, whose shape is one array: the row of the parent of each row, -1 for a root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

__all__ = ["Preorder", "depths", "levels"]


def depths(parent: Rows) -> NDArray[np.int16]:
    """Return the number of ancestors of each row.

    Raises:
        ValueError: A row is its own ancestor.
    """
    depth = np.zeros(len(parent), np.int16)
    below = np.flatnonzero(parent >= 0)
    above = parent[below]
    while len(below):
        depth[below] += 1
        if depth[below[0]] == np.iinfo(np.int16).max:
            raise ValueError(f"row {below[0]} is its own ancestor")
        above = parent[above]
        is_left = above >= 0
        below, above = below[is_left], above[is_left]
    return depth


def levels(parent: Rows) -> list[Rows]:
    """Return the rows of each depth, roots first; the rows of one depth ascend."""
    depth = depths(parent)
    return (
        np.split(np.argsort(depth, kind="stable"), np.cumsum(np.bincount(depth))[:-1]) if len(depth) else []
    )


@dataclass(frozen=True)
class Preorder:
    """The order in which each row comes before its descendants, and these come before any other row.

    Attributes:
        parent: The row of the parent of each row, -1 for a root.
        rows: The rows in this order.
        position: The place of each row in it, from 0.
        size: The number of rows in the clade of each row, with itself.
        depth: The number of ancestors of each row.
    """

    parent: Rows
    rows: Rows
    position: Rows
    size: Rows
    depth: NDArray[np.int16]

    @classmethod
    def of(cls, parent: Rows, among_siblings: Rows) -> Preorder:
        """Return the preorder of a forest.

        Args:
            parent: The row of the parent of each row, -1 for a root.
            among_siblings: The order of rows with the same parent; roots are siblings.

        Raises:
            ValueError: A row is its own ancestor.
        """
        by_depth = levels(parent)
        size = np.ones(len(parent), np.int64)
        for rows in by_depth[:0:-1]:
            np.add.at(size, parent[rows], size[rows])
        position = _sizes_before(parent, among_siblings, size)
        depth = np.zeros(len(parent), np.int16)
        for level, rows in enumerate(by_depth[1:], start=1):
            position[rows] += position[parent[rows]] + 1
            depth[rows] = level
        order = np.empty_like(position)
        order[position] = np.arange(len(position))
        return cls(parent, order, position, size, depth)

    def reordered(self) -> Preorder:
        """Return the preorder of the forest whose rows are in this order."""
        rows, parent = self.rows, self.parent[self.rows]
        ascending = np.arange(len(rows))
        above = np.where(parent >= 0, self.position[parent], -1)
        return Preorder(above, ascending, ascending, self.size[rows], self.depth[rows])

    def are_below(self, rows: Rows, ancestors: Rows) -> NDArray[np.bool_]:
        """Return whether each row is a row of the clade of an ancestor, or this ancestor itself."""
        distance = self.position[rows] - self.position[ancestors]
        return (distance >= 0) & (distance < self.size[ancestors])


def _sizes_before(parent: Rows, among_siblings: Rows, size: Rows) -> Rows:
    """Return the number of rows in the clades of the earlier siblings of each row."""
    rows = np.lexsort((among_siblings, parent))
    total = np.cumsum(size[rows]) - size[rows]
    is_first = np.diff(parent[rows], prepend=-2) != 0
    before = np.empty_like(size)
    before[rows] = total - np.repeat(total[is_first], np.diff(np.flatnonzero(is_first), append=len(rows)))
    return before
