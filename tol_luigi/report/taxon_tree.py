"""The tree of the lineages of a dataset, in the order in which a page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.report.diversity import shared_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["TaxonTree", "images_by_source", "taxon_tree"]


@dataclass(frozen=True)
class TaxonTree:
    """A tree of taxa as columns, one entry per node, each node before those below it; the first node is the root.

    Attributes:
        names: The names; "" if a rank is unknown but one below it is known.
        depths: The number of the rank, from 1 for the kingdom; 0 for the root.
        images: The number of images of the taxon and of all taxa below it.
        ends: The number of the first node after those below.
        lineages: The number of distinct lineages of the taxon and below it.
        hidden: By the number of a node, how many of its taxa with the fewest images are omitted.
        first: The number of the first row of the taxon with the most images, at each level, below the node.
        nodes: The number of the node of each lineage that the tree was made of, or of its closest ancestor in the tree.
    """

    names: list[str]
    depths: list[int]
    images: list[int]
    ends: list[int]
    lineages: list[int]
    hidden: dict[int, int]
    first: list[int]
    nodes: list[int]

    def find(self, ranks: Sequence[str]) -> int:
        """Return the number of the node of a lineage, or of its closest ancestor in the tree."""
        node = 0
        for name in _known(ranks):
            child = self.child(node, name)
            if child is None:
                break
            node = child
        return node

    def child(self, node: int, name: str) -> int | None:
        """Return the number of a node directly below another, by its name; None if there is none."""
        return next((child for child in self.children(node) if self.names[child] == name), None)

    def children(self, node: int) -> Iterable[int]:
        """Yield the numbers of the nodes directly below a node."""
        child = node + 1
        while child < self.ends[node]:
            yield child
            child = self.ends[child]


class _Node:
    __slots__ = ("children", "first", "images", "lineages", "name", "number", "own")

    def __init__(self, name: str) -> None:
        self.name, self.images, self.lineages, self.own = name, 0, 0, (0, -1)
        self.first = self.number = -1
        self.children: list[_Node] = []


def _known(ranks: Sequence[str]) -> list[str]:
    """Return ranks up to the lowest known one."""
    depth = max((index for index, name in enumerate(ranks, 1) if name), default=0)
    return list(ranks[:depth])


def taxon_tree(lineages: Iterable[tuple[Sequence[str], int, int]], most: int = 250_000) -> TaxonTree:
    """Return the tree of lineages.

    Args:
        lineages: Seven ranks, the number of images, and the number of the first row of each lineage, sorted by ranks;
            a lineage may occur several times in a row.
        most: The most nodes; of the taxa of one parent, those with the fewest images are omitted to keep to it.
    """
    root = _Node("")
    path, last = [root], None
    leaves: list[_Node] = []
    for ranks, images, first in lineages:
        known = _known(ranks)
        shared = shared_ranks(known, [node.name for node in path[1:]])
        del path[shared + 1 :]
        for name in known[shared:]:
            node = _Node(name)
            path[-1].children.append(node)
            path.append(node)
        for node in path:
            node.images += images
            node.lineages += known != last
        leaf, (count, row) = path[-1], path[-1].own
        leaf.own = count + images, first if row < 0 else min(row, first)
        leaves.append(leaf)
        last = known
    _settle(root)
    tree = _flat(root, _widest(root, most))
    tree.nodes.extend(leaf.number for leaf in leaves)
    return tree


def images_by_source(
    tree: TaxonTree, sources: Sequence[int], images: Sequence[int], count: int
) -> np.ndarray[Any, Any]:
    """Return the number of images of each taxon from each source: one row per node, one column per source.

    Args:
        tree: The tree.
        sources: The number of the source of each lineage that the tree was made of.
        images: The number of images of each of them.
        count: The number of sources.
    """
    own = np.zeros((len(tree.names) + 1, count), np.int64)
    np.add.at(own, (np.asarray(tree.nodes, np.int64) + 1, np.asarray(sources, np.int64)), images)
    before = own.cumsum(axis=0)  # a taxon and all below it are one range of nodes
    return np.asarray(before[np.asarray(tree.ends)] - before[:-1])


def _settle(root: _Node) -> None:
    """Order the children of all nodes, most images first, and find the first row of each node."""
    waiting, order = [root], []
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += node.children
    for node in reversed(order):
        node.children.sort(key=lambda child: (-child.images, child.name))
        node.first = node.own[1] if node.own[1] >= 0 else node.children[0].first if node.children else -1


def _widest(root: _Node, most: int) -> int:
    """Return the number of children per parent with which the tree has no more nodes than allowed."""
    sizes: dict[int, int] = {}
    waiting = [(root, 0)]
    while waiting:
        node, place = waiting.pop()
        sizes[place] = sizes.get(place, 0) + 1
        waiting += [(child, max(place, number)) for number, child in enumerate(node.children, 1)]
    kept = 0
    for place in sorted(sizes):
        kept += sizes[place]
        if kept > most:
            return max(place - 1, 1)
    return max(sizes)


def _flat(root: _Node, widest: int) -> TaxonTree:
    tree = TaxonTree([], [], [], [], [], {}, [], [])
    _add(tree, root, 0, widest)
    return tree


def _add(tree: TaxonTree, node: _Node, depth: int, widest: int) -> None:
    """Add a node and all below it; there are seven levels at most."""
    number = node.number = len(tree.names)
    columns: list[tuple[list[Any], Any]] = [
        (tree.names, node.name),
        (tree.depths, depth),
        (tree.images, node.images),
        (tree.ends, 0),
        (tree.lineages, node.lineages),
        (tree.first, node.first),
    ]
    for column, value in columns:
        column.append(value)
    for child in node.children[:widest]:
        _add(tree, child, depth + 1, widest)
    tree.ends[number] = len(tree.names)
    if len(node.children) > widest:
        tree.hidden[number] = len(node.children) - widest
        waiting = node.children[widest:]
        while waiting:
            omitted = waiting.pop()
            omitted.number = number
            waiting += omitted.children
