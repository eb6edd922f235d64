"""The assignment of images to the validation set and the small training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.batches import batched
from tol_luigi.core.keys import keyed_digests
from tol_luigi.core.split_groups import choose_val

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tol_luigi.core.split_groups import ImageHint

__all__ = ["GIVEN_SPLITS", "SPLITS", "Assignment", "assign", "assign_with_hints"]

SPLITS = ("train", "val", "train_small")
"""The splits, in the order of the catalog. ``train_small`` repeats images of ``train``."""

GIVEN_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "test", "testing"), "val"),
}
"""The split of each word that tables and folders may use, in lower case. The only split that is held out is ``val``."""


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
    val, train_small = _orders(ids, seed, ("val", "train_small"))
    count = len(val)
    is_val = np.zeros(count, dtype=np.bool_)
    is_val[_smallest(val, count * val_percent // 100)] = True
    return Assignment(is_val, _train_small(is_val, train_small, train_small_percent))


def assign_with_hints(
    ids: Sequence[str],
    hints: Sequence[ImageHint],
    *,
    seed: int,
    val_percent: int,
    train_small_percent: int,
) -> Assignment:
    """Split the images of one source like :func:`assign`, but obey given splits and keep groups together.

    The share of val is as near to ``val_percent`` as that allows; see :func:`.choose_val`. The number of images in
    train_small is exact, and they are chosen as in :func:`assign`: a group of train may be in it in part.

    Args:
        ids: The ids of all images of the source, each once.
        hints: What is known of each image.
        seed: The dataset's seed.
        val_percent: 0 to 100, of all images, including those whose split is given.
        train_small_percent: 0 to 100, relative to the images outside val.
    """
    is_val = choose_val(ids, hints, seed=seed, count=len(ids) * val_percent // 100)
    (train_small,) = _orders(ids, seed, ("train_small",))
    return Assignment(is_val, _train_small(is_val, train_small, train_small_percent))


def _train_small(is_val: NDArray[np.bool_], order: NDArray[np.uint64], percent: int) -> NDArray[np.bool_]:
    """Return which images are train_small, given val and the sort keys of all images."""
    train = np.flatnonzero(~is_val)
    is_train_small = np.zeros(len(is_val), dtype=np.bool_)
    is_train_small[train[_smallest(order[train], len(train) * percent // 100)]] = True
    return is_train_small


def _orders(ids: Iterable[str], seed: int, purposes: Sequence[str]) -> list[NDArray[np.uint64]]:
    """Return the sort keys of all images in the order of each purpose."""
    pieces: list[list[NDArray[np.uint64]]] = [[np.empty(0, np.uint64)] for _ in purposes]
    for batch in batched(ids):
        for purpose, orders in zip(purposes, pieces, strict=True):
            digests = b"".join(keyed_digests(seed, purpose, batch))
            orders.append(np.frombuffer(digests, ">u8").astype(np.uint64))
    return [np.concatenate(orders) for orders in pieces]


def _smallest(orders: NDArray[np.uint64], count: int) -> NDArray[np.intp]:
    """Return the positions of the smallest values."""
    if count == 0:
        return np.empty(0, dtype=np.intp)
    return np.argpartition(orders, count - 1)[:count]
