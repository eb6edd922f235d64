"""Which images are held out for validation, and which make the small training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.keys import keyed_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["SPLITS", "Assignment", "assign"]

SPLITS = ("train", "val", "train_small")
"""The splits, in the order of the catalog. ``train_small`` repeats images of ``train``."""


class Assignment(NamedTuple):
    """The split of each image, as two arrays of bool as long as the images."""

    is_val: NDArray[np.bool_]
    is_train_small: NDArray[np.bool_]


def assign(ids: Iterable[str], *, seed: int, val_percent: int, train_small_percent: int) -> Assignment:
    """Split the images of one source, to the exact count.

    ``n * val_percent // 100`` images are val and ``n_train * train_small_percent // 100`` of the
    others are train_small, chosen by the order of a keyed hash of the id. The result is a
    function of the set of ids: rows may come in any order. Memory is 18 bytes an image.

    Args:
        ids: The ids of all images of the source, each once.
        seed: The dataset's seed.
        val_percent: 0 to 100.
        train_small_percent: 0 to 100, of what is not val.

    Source: the counts of the published TreeOfLife-10M splits; the choice there was random.
    """
    orders = np.fromiter(
        ((keyed_order(seed, "val", image), keyed_order(seed, "train_small", image)) for image in ids),
        dtype=np.dtype([("val", np.uint64), ("train_small", np.uint64)]),
    )
    count = len(orders)
    is_val = np.zeros(count, dtype=np.bool_)
    is_val[_smallest(orders["val"], count * val_percent // 100)] = True
    train = np.flatnonzero(~is_val)
    is_train_small = np.zeros(count, dtype=np.bool_)
    chosen = _smallest(orders["train_small"][train], len(train) * train_small_percent // 100)
    is_train_small[train[chosen]] = True
    return Assignment(is_val, is_train_small)


def _smallest(orders: NDArray[np.uint64], count: int) -> NDArray[np.intp]:
    """Find the positions of the smallest values."""
    if count == 0:
        return np.empty(0, dtype=np.intp)
    return np.argpartition(orders, count - 1)[:count]
