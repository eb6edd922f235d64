"""The nearest of many references: by the cosine of vectors, or by the number of bits in which hashes differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.extractor import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nearest_hashes", "nearest_vectors"]

_REFERENCES_AT_ONCE = 16_384
"""How many references are compared at once."""

_MARGIN = 1e-5
"""More than what the sums of a matrix product in single precision can differ by from the exact cosine."""

_VECTORS_AT_ONCE = 256
_PAIRS_AT_ONCE = 8192
_HASHES_AT_ONCE = 4096


def nearest_vectors(
    vectors: NDArray[np.float32], references: NDArray[Any], rows_at_once: int = _REFERENCES_AT_ONCE
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the highest cosine of each vector with a reference, and the row of that; of equal ones the first.

    A matrix product finds the candidates, and their cosines are then computed in double precision and rounded. So
    neither the size of blocks nor the order of sums in a matrix product changes a result, and equal references have
    equal cosines.

    Args:
        vectors: Vectors; one with NaN has the cosine ``-inf``.
        references: Vectors, also as a memory map of float16; those with NaN are nearest to none.
        rows_at_once: How many references are in memory as float32.
    """
    units = unit_rows(np.asarray(vectors, np.float32))
    best = np.full(len(units), -np.inf, np.float32)
    rows = np.zeros(len(units), np.int64)
    for start in range(0, len(references), rows_at_once):
        block = unit_rows(np.asarray(references[start : start + rows_at_once], np.float32))
        for first in range(0, len(units), _VECTORS_AT_ONCE):
            part = slice(first, first + _VECTORS_AT_ONCE)
            found, places = _nearest_in_block(units[part], block, best[part])
            better = found > best[part]
            best[part][better], rows[part][better] = found[better], places[better] + start
    return best, rows


def _nearest_in_block(
    units: NDArray[np.float32], block: NDArray[np.float32], best: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the highest cosine of each vector within a block, and its row; ``-inf`` if it is not above the best so far."""
    cosines = np.nan_to_num(units @ block.T, copy=False, nan=-np.inf)
    highest = cosines.max(axis=1)
    limits = np.maximum(best, highest) - np.float32(_MARGIN)
    limits[np.isneginf(highest)] = np.inf
    one, other = np.nonzero(cosines >= limits[:, None])
    exact = _exact_cosines(units, block, one, other)
    # The last key counts first; of equal cosines, the first reference comes first.
    order = np.lexsort((other, -exact, one))
    order = order[np.flatnonzero(np.diff(one[order], prepend=-1))]
    found, rows = np.full(len(units), -np.inf, np.float32), np.zeros(len(units), np.int64)
    found[one[order]], rows[one[order]] = exact[order], other[order]
    return found, rows


def _exact_cosines(
    units: NDArray[np.float32],
    block: NDArray[np.float32],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the cosines of pairs, summed up in double precision."""
    found = np.empty(len(one), np.float32)
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        products = units[one[part]].astype(np.float64) * block[other[part]]
        found[part] = products.sum(axis=1)
    return found


def nearest_hashes(
    hashes: NDArray[np.uint64], references: NDArray[np.uint64], rows_at_once: int = _HASHES_AT_ONCE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the smallest number of bits in which each hash differs from a reference, and the row of that.

    Args:
        hashes: A row of 64-bit words for each.
        references: The same for at least one reference; of equally near ones, the first is returned.
        rows_at_once: How many references are compared at once.
    """
    best = np.full(len(hashes), np.iinfo(np.int64).max)
    rows = np.zeros(len(hashes), np.int64)
    for start in range(0, len(references), rows_at_once):
        block = references[start : start + rows_at_once]
        bits = np.zeros((len(hashes), len(block)), np.uint16)
        for word in range(hashes.shape[1]):
            bits += np.bitwise_count(hashes[:, word, None] ^ block[None, :, word])
        found = bits.argmin(axis=1)
        values = bits[np.arange(len(hashes)), found].astype(np.int64)
        better = values < best
        best[better], rows[better] = values[better], found[better] + start
    return best, rows
