"""Pairs of 64-bit hashes that differ in few bits, and the groups that such pairs form."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Rows = NDArray[np.int64]

__all__ = ["BITS", "groups_of", "near_pairs"]

BITS = 64
"""The number of bits of a hash."""

_MOST_BLOCKS = 10
_FEW = 4.0
"""The most candidates per hash for which no finer division is looked for."""


def near_pairs(hashes: Hashes, distance: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the pairs of distinct hashes that differ in at most some bits, as arrays of places; some repeatedly.

    The bits are divided into blocks. Two hashes that differ in ``distance`` bits agree in all blocks but
    ``distance``, so for each choice of the other blocks, those that agree there are compared. The number of
    blocks depends on the number of hashes, but the pairs do not depend on it.

    Args:
        hashes: The hashes, each once.
        distance: The largest number of bits, below 64.
    """
    blocks = _block_count(len(hashes), distance)
    masks = _block_masks(blocks)
    for chosen in itertools.combinations(masks, blocks - distance):
        yield from _agreeing_pairs(hashes, np.bitwise_or.reduce(np.array(chosen, np.uint64)), distance)


def _block_count(count: int, distance: int) -> int:
    """Return the number of blocks: as few as leave few candidates, if bits were drawn."""
    for blocks in range(distance + 1, distance + _MOST_BLOCKS):
        agreeing = BITS * (blocks - distance) / blocks
        if math.comb(blocks, distance) * count / 2**agreeing <= _FEW:
            return blocks
    return distance + _MOST_BLOCKS


def _block_masks(blocks: int) -> list[np.uint64]:
    """Return masks of consecutive blocks of nearly equal size that together cover all bits."""
    starts = [BITS * block // blocks for block in range(blocks + 1)]
    return [np.uint64((1 << stop) - (1 << start)) for start, stop in itertools.pairwise(starts)]


def _agreeing_pairs(hashes: Hashes, mask: np.uint64, distance: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the near pairs among hashes that agree in the bits of a mask."""
    keys = hashes & mask
    order = np.argsort(keys, kind="stable")
    keys, ordered = keys[order], hashes[order]
    places = np.arange(len(keys))
    for step in itertools.count(1):
        # a run of equal keys is one place shorter for each further step
        places = places[places < len(keys) - step]
        places = places[keys[places] == keys[places + step]]
        if not len(places):
            return
        near = places[np.bitwise_count(ordered[places] ^ ordered[places + step]) <= distance]
        if len(near):
            yield order[near], order[near + step]


def groups_of(count: int, pairs: tuple[Rows, Rows]) -> Rows:
    """Return for each of ``count`` places the lowest place that pairs connect it with, directly or not."""
    group = np.arange(count)
    first, second = pairs
    while True:
        low, high = group[first], group[second]
        differs = low != high
        if not differs.any():
            return group
        first, second, low, high = first[differs], second[differs], low[differs], high[differs]
        least = np.minimum(low, high)
        np.minimum.at(group, low, least)
        np.minimum.at(group, high, least)
        while not np.array_equal(above := group[group], group):
            group = above
