"""The divisions of taxonomies: which taxon of the separation list each of their taxa belongs to."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.tree import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["Divisions", "most_rootward"]


class Divisions:
    """The separation list. Its taxa, the divisions, have the numbers of their rows.

    Source: the Open Tree marks divisions before each alignment in ``UnionTaxonomy.java``.
    """

    def __init__(self, separation: Forest) -> None:
        self._forest = separation

    def __len__(self) -> int:
        """Return the number of divisions."""
        return len(self._forest)

    @cached_property
    def disjoint(self) -> NDArray[np.bool_]:
        """Whether neither of two divisions is part of the other. The last place is for taxa without one."""
        tree = self._forest.tree
        last = tree.pre + tree.size
        contains = (tree.pre[:, None] <= tree.pre) & (tree.pre < last[:, None])
        table = np.zeros((len(self) + 1, len(self) + 1), dtype=bool)
        table[:-1, :-1] = ~(contains | contains.T)
        return table

    def heads(self, forest: Forest) -> Column:
        """Return for each taxon the division that it is the head of, or ``NONE``.

        The head is the taxon nearest to the root that has one of the division's names. Genera do not count. If two
        taxa are equally near, neither is the head.
        """
        heads = np.full(len(forest), NONE, dtype=np.int32)
        for name, division in self._names():
            row = most_rootward(forest, name)
            if row is not None and heads[row] == NONE:
                heads[row] = division
        return heads

    def of(self, forest: Forest, heads: Column) -> Column:
        """Return the division of each taxon: that of the nearest head, itself or above it, or ``NONE``."""
        return forest.tree.nearest(heads)

    def name(self, divisions: Column) -> Column:
        """Return the numbers of the names of divisions, -1 for ``NONE``."""
        padded = np.append(self._forest.name, np.int32(NONE))  # the last place is for taxa without a division
        return padded[divisions]

    def _names(self) -> list[tuple[int, int]]:
        """Return the names of the divisions with their numbers: their own in preorder, then synonyms."""
        own = [(int(self._forest.name[row]), int(row)) for row in np.argsort(self._forest.tree.pre)]
        synonyms = self._forest.synonyms
        return own + list(zip(synonyms.name.tolist(), synonyms.row.tolist(), strict=True))


def most_rootward(forest: Forest, name: int) -> int | None:
    """Return the taxon with a name that is nearest to the root, if there is just one that is no genus."""
    groups = forest.by_name
    if name + 1 >= len(groups.offsets):
        return None
    rows = np.unique(groups.values[groups.offsets[name] : groups.offsets[name + 1]])
    rows = rows[forest.rank[rows] != LEVELS["genus"]]
    depth = forest.tree.depth[rows]
    nearest = rows[depth == depth.min()] if len(rows) else rows
    return int(nearest[0]) if len(nearest) == 1 else None
