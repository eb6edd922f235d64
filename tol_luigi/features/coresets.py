"""Which vectors represent many: those nearest to their mean, or a greedy k-center.

Vectors are scaled to a fixed length and rounded to whole numbers so small that every sum of products is exact in single
precision. So the result depends neither on the processor nor on the number of threads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LENGTH", "Ranking", "nearest_to_mean", "rounded", "spread_out", "usable_rows"]

LENGTH = 4000
"""The length of a rounded vector. A product of two is at most 2**24 for up to 36,000 dimensions, and a whole number of
this size is exact in single precision. Cosines have an error of about 0.0001."""

_CHUNK = 16_384
"""How many vectors are in memory in double precision."""


class Ranking(NamedTuple):
    """An order of vectors.

    Attributes:
        chosen: The rows of the chosen vectors, the first one first.
        scores: The score of each vector, NaN if it has none.
    """

    chosen: NDArray[np.int64]
    scores: NDArray[np.float64]


def usable_rows(vectors: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Return which vectors are finite and not zero."""
    found: NDArray[np.bool_] = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
    return found


def rounded(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return usable vectors with the length :data:`LENGTH`, in whole numbers."""
    found = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), _CHUNK):
        exact = vectors[start : start + _CHUNK].astype(np.float64)
        lengths = np.sqrt(np.square(exact).sum(axis=1, keepdims=True))
        found[start : start + _CHUNK] = np.rint(exact * (LENGTH / lengths))
    return found


def nearest_to_mean(vectors: NDArray[np.float32], count: int) -> Ranking:
    """Choose the vectors with the highest cosine with the mean of all.

    Args:
        vectors: Rounded vectors; of equal ones, the first is chosen.
        count: How many.

    Returns:
        The choice; the score of a vector is its cosine with the mean.
    """
    closeness = _with_mean(vectors)
    chosen = np.argsort(-closeness, kind="stable")[:count]
    return Ranking(chosen, np.minimum(closeness / LENGTH**2, 1.0))


def spread_out(vectors: NDArray[np.float32], count: int) -> Ranking:
    """Choose the vector nearest to the mean, and then, again and again, the one farthest from all chosen ones.

    This is the greedy k-center of Gonzalez (1985): the vector farthest from the chosen ones is at most twice as far from
    them, in Euclidean distance, as with the best choice.

    Args:
        vectors: Rounded vectors; of equally far ones, the first is chosen.
        count: How many.

    Returns:
        The choice; the score of a vector is its distance (1 - cosine) to the nearest vector that was chosen before it.
        The first one has no score.
    """
    closeness = np.full(len(vectors), -np.inf, np.float32)
    scores = np.full(len(vectors), np.nan)
    chosen: list[int] = []
    candidate = int(np.argmax(_with_mean(vectors))) if len(vectors) else 0
    for _ in range(min(count, len(vectors))):
        chosen.append(candidate)
        scores[candidate] = _distance(closeness[candidate])
        np.maximum(closeness, vectors @ vectors[candidate], out=closeness)
        closeness[candidate] = np.inf  # it is chosen once
        candidate = int(np.argmin(closeness))
    is_left = closeness < np.inf
    scores[is_left] = _distance(closeness[is_left])
    scores[chosen[:1]] = np.nan
    return Ranking(np.array(chosen, np.int64), scores)


def _with_mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products of vectors with their mean, which is rounded, too; zeros if the mean is zero."""
    total = vectors.sum(axis=0, dtype=np.float64)  # exact, as these are whole numbers
    length = math.sqrt(math.fsum(value * value for value in total.tolist()))
    mean = np.rint(total * (LENGTH / length)) if length else total
    found: NDArray[np.float32] = vectors @ mean.astype(np.float32)
    return found


def _distance(closeness: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return 1 - cosine for products of rounded vectors."""
    return np.maximum(1.0 - closeness.astype(np.float64) / LENGTH**2, 0.0)
