"""The assignment of images to the validation set and the small training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.batches import batched
from tol_luigi.core.keys import keyed_digests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["SPLITS", "Assignment", "assign"]

SPLITS = ("train", "val", "train_small")
"""The splits, in the order of the catalog. ``train_small`` repeats images of ``train``."""


class Assignment(NamedTuple):
    """The split of each image, as two boolean arrays of the length of the images."""

    is_val: NDArray[np.bool_]
    is_train_small: NDArray[np.bool_]


def assign(ids: Iterable[str], *, seed: int, val_percent: int, train_small_percent: int) -> Assignment:
    """Split the images of one source into sets of exact sizes.

    ``n * val_percent // 100`` images are val, and ``n_train * train_small_percent // 100`` of the
    others are train_small, chosen by the order of a keyed hash of the id. The result depends only
    on the set of ids, not on their order. Memory is 18 bytes per image.

    Args:
        ids: The ids of all images of the source, each once.
        seed: The dataset's seed.
        val_percent: 0 to 100.
        train_small_percent: 0 to 100, relative to the images outside val.

    Source: the sizes of the published TreeOfLife-10M splits, which were chosen at random.
    """
    val, train_small = _orders(ids, seed)
    count = len(val)
    is_val = np.zeros(count, dtype=np.bool_)
    is_val[_smallest(val, count * val_percent // 100)] = True
    train = np.flatnonzero(~is_val)
    is_train_small = np.zeros(count, dtype=np.bool_)
    chosen = _smallest(train_small[train], len(train) * train_small_percent // 100)
    is_train_small[train[chosen]] = True
    return Assignment(is_val, is_train_small)


def _orders(ids: Iterable[str], seed: int) -> list[NDArray[np.uint64]]:
    """Return the sort keys of all images in the orders of val and of train_small."""
    pieces: list[list[NDArray[np.uint64]]] = [[np.empty(0, np.uint64)], [np.empty(0, np.uint64)]]
    for batch in batched(ids):
        for purpose, orders in zip(("val", "train_small"), pieces, strict=True):
            digests = b"".join(keyed_digests(seed, purpose, batch))
            orders.append(np.frombuffer(digests, ">u8").astype(np.uint64))
    return [np.concatenate(orders) for orders in pieces]


def _smallest(orders: NDArray[np.uint64], count: int) -> NDArray[np.intp]:
    """Return the positions of the smallest values."""
    if count == 0:
        return np.empty(0, dtype=np.intp)
    return np.argpartition(orders, count - 1)[:count]
