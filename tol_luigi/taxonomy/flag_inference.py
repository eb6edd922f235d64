"""Flags that follow from those of other taxa, and from ranks.

Source: ``doc/taxon-flags.md`` and ``Taxonomy.inferFlags`` of the Open Tree's reference taxonomy.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from tol_luigi.taxonomy.flags import INHERITED, TOMBSTONES, Flag
from tol_luigi.taxonomy.ranks import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.tree import Tree

    Flags = NDArray[np.uint32]
    Levels = NDArray[np.int16]

__all__ = ["INFERRED", "infer_flags"]

INFERRED = reduce(or_, INHERITED.values(), Flag.SIBLING_HIGHER | Flag.INFRASPECIFIC | Flag.BARREN)
"""The flags that follow from others."""


def infer_flags(tree: Tree, rank: Levels, flags: Flags) -> Flags:
    """Return the flags of taxa with those that follow from others; flags that followed before are replaced.

    Args:
        tree: The taxa.
        rank: The levels of their ranks, 0 if there is none.
        flags: Their own flags.
    """
    found = (flags & ~np.uint32(INFERRED)).astype(np.uint32)
    _inherit(tree, rank, found)
    found[_barren(tree, rank)] |= np.uint32(Flag.BARREN)
    found[_extinct(tree, found) & ((found & np.uint32(Flag.EXTINCT)) == 0)] |= np.uint32(
        Flag.EXTINCT_INHERITED
    )
    found[_sibling_higher(tree, rank)] |= np.uint32(Flag.SIBLING_HIGHER)
    return found


def _inherit(tree: Tree, rank: Levels, flags: Flags) -> None:
    """Pass on the flags that taxa inherit from their ancestors."""
    species = rank == LEVELS["species"]
    for rows in tree.levels[1:]:
        parents = tree.parent[rows]
        above = flags[parents]
        bequest = np.zeros(len(rows), dtype=np.uint32)
        for flag, inherited in INHERITED.items():
            bequest |= np.where(above & np.uint32(flag | inherited), np.uint32(inherited), np.uint32(0))
        below_species = species[parents] | ((above & np.uint32(Flag.INFRASPECIFIC)) != 0)
        flags[rows] |= bequest | np.where(below_species, np.uint32(Flag.INFRASPECIFIC), np.uint32(0))


def _barren(tree: Tree, rank: Levels) -> NDArray[np.bool_]:
    """Return which taxa contain neither a species, or what is below it, nor a tip without a rank."""
    alive = (rank >= LEVELS["species"]) | ((rank == 0) & tree.is_tip)
    return np.asarray(~(alive | tree.below(alive)))


def _extinct(tree: Tree, flags: Flags) -> NDArray[np.bool_]:
    """Return which taxa are extinct because all their children are; tombstones do not count."""
    extinct = np.asarray((flags & np.uint32(Flag.EXTINCT | Flag.EXTINCT_INHERITED)) != 0)
    counts = (flags & np.uint32(TOMBSTONES)) == 0
    for rows in tree.levels[:0:-1]:
        relevant = rows[counts[rows]]
        _mark(extinct, tree.parent[relevant], extinct[relevant])
    return extinct


def _mark(extinct: NDArray[np.bool_], parents: NDArray[np.int32], children: NDArray[np.bool_]) -> None:
    """Mark the parents all whose children are extinct; the children of a parent are adjacent."""
    if not len(parents):
        return
    starts = np.flatnonzero(np.append(True, parents[1:] != parents[:-1]))
    gone = np.logical_and.reduceat(children, starts)
    extinct[parents[starts[gone]]] = True


def _sibling_higher(tree: Tree, rank: Levels) -> NDArray[np.bool_]:
    """Return which taxa have a sibling with a higher rank."""
    ranked = np.flatnonzero((rank > 0) & (tree.parent >= 0))
    highest = np.full(len(tree), np.iinfo(np.int16).max, dtype=np.int16)
    np.minimum.at(highest, tree.parent[ranked], rank[ranked])
    found = np.zeros(len(tree), dtype=bool)
    found[ranked] = rank[ranked] > highest[tree.parent[ranked]]
    return found
