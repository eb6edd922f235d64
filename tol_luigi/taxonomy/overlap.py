"""Overlap: whether a record and a taxon have descendants in common, as far as these are aligned already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tol_luigi.taxonomy.forest import Column, Forest

__all__ = ["Overlap"]

_ALL_BELOW, _SOME_BELOW = 3, 2


class Overlap:
    """The heuristic for an alignment of descendants.

    Args:
        source: The taxonomy of the records.
        target: The taxonomy of the candidates.
        aligned: The taxon of each record, ``NONE`` if it has none.
    """

    def __init__(self, source: Forest, target: Forest, aligned: Column) -> None:
        self._source, self._target = source.tree, target.tree
        image = np.where(aligned >= 0, target.tree.pre[aligned] if len(target) else aligned, -1)
        self._lowest, self._highest = _extremes(source, image)
        order = np.argsort(source.tree.pre)
        in_preorder = image[order]
        self._images = in_preorder[in_preorder >= 0]
        self._before = np.append(0, np.cumsum(in_preorder >= 0))

    def __call__(self, rows: Column, taxa: Column) -> tuple[NDArray[np.int8], None]:
        """Accept taxa that contain all aligned descendants of the record, or some of them."""
        start = self._target.pre[taxa] + 1
        end = start + self._target.size[taxa] - 1
        lowest, highest = self._lowest[rows], self._highest[rows]
        internal = ~self._source.is_tip[rows] & ~self._target.is_tip[taxa]
        touches = internal & (highest >= start) & (lowest < end)
        inside = touches & (lowest >= start) & (highest < end)
        scores = np.where(inside, _ALL_BELOW, 0).astype(np.int8)
        for pair in np.flatnonzero(touches & ~inside):
            images = self._below(int(rows[pair]))
            if np.any((images >= start[pair]) & (images < end[pair])):
                scores[pair] = _SOME_BELOW
        return scores, None

    def _below(self, row: int) -> Column:
        """Return the preorder numbers of the taxa of the aligned descendants of a record."""
        start = int(self._source.pre[row]) + 1
        return self._images[self._before[start] : self._before[start + int(self._source.size[row]) - 1]]


def _extremes(source: Forest, image: Column) -> tuple[Column, Column]:
    """Return the lowest and the highest image strictly below each record; the lowest is larger if there is none."""
    lowest = np.full(len(source), np.iinfo(np.int32).max, dtype=np.int32)
    highest = np.full(len(source), -1, dtype=np.int32)
    for rows in source.tree.levels[:0:-1]:
        parents, own = source.tree.parent[rows], image[rows]
        np.minimum.at(lowest, parents, np.where(own >= 0, np.minimum(lowest[rows], own), lowest[rows]))
        np.maximum.at(highest, parents, np.maximum(highest[rows], own))
    return lowest, highest
