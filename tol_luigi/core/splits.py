"""The assignment of images to the validation set and the small training set."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.batches import batched
from tol_luigi.core.keys import keyed_digests
from tol_luigi.core.split_groups import choose_val

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

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


_IN_MEMORY = 1 << 26
"""Bytes of sort keys in memory; more are in a scratch file."""

_READ = 1 << 18
"""Sort keys read at a time."""

_HIGH = 16
"""The high bits of sort keys that are counted first, to find the few keys near the limit."""


class Assignment(NamedTuple):
    """The split of each image, as two boolean arrays of the length of the images."""

    is_val: NDArray[np.bool_]
    is_train_small: NDArray[np.bool_]


def assign(
    ids: Iterable[str],
    *,
    seed: int,
    val_percent: int,
    train_small_percent: int,
    scratch: Path | None = None,
) -> Assignment:
    """Split the images of one source into sets of exact sizes.

    ``n * val_percent // 100`` images are val, and ``n_train * train_small_percent // 100`` of the
    others are train_small, chosen by the order of a keyed hash of the id. The result depends only
    on the set of ids, not on their order. Memory is 4 bytes per image.

    Args:
        ids: The ids of all images of the source, each once.
        seed: The dataset's seed.
        val_percent: 0 to 100.
        train_small_percent: 0 to 100, relative to the images outside val.
        scratch: The folder for a scratch file of 16 bytes per image if there are millions, by default the system's.

    Source: the sizes of the published TreeOfLife-10M splits, which were chosen at random.
    """
    with contextlib.closing(_SortKeys(ids, seed, ("val", "train_small"), scratch)) as keys:
        every = np.ones(keys.count, np.bool_)
        is_val = keys.smallest("val", every, keys.count * val_percent // 100)
        return Assignment(is_val, _train_small(is_val, keys, train_small_percent))


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
    with contextlib.closing(_SortKeys(ids, seed, ("train_small",))) as keys:
        return Assignment(is_val, _train_small(is_val, keys, train_small_percent))


def _train_small(is_val: NDArray[np.bool_], keys: _SortKeys, percent: int) -> NDArray[np.bool_]:
    """Return which images are train_small, given val and the sort keys of all images."""
    is_train = ~is_val
    return keys.smallest("train_small", is_train, int(is_train.sum()) * percent // 100)


class _SortKeys:
    """The sort keys of images in the order of each purpose; many are in a scratch file, which has no name.

    Args:
        ids: The ids of the images.
        seed: The dataset's seed.
        purposes: The purposes.
        folder: The folder of the scratch file, by default the system's.
    """

    def __init__(
        self, ids: Iterable[str], seed: int, purposes: Sequence[str], folder: Path | None = None
    ) -> None:
        self.count, self._purposes = 0, purposes
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=None if folder is None else str(folder))  # noqa: SIM115 (closed by close)
        for batch in batched(ids):
            digests = [b"".join(keyed_digests(seed, purpose, batch)) for purpose in purposes]
            keys = np.stack([np.frombuffer(digest, ">u8") for digest in digests], axis=1)
            self._file.write(keys.astype(np.uint64).tobytes())
            self.count += len(batch)

    def close(self) -> None:
        """Remove the scratch file."""
        self._file.close()

    def smallest(self, purpose: str, among: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
        """Return which images have the ``count`` smallest keys of a purpose, among some images."""
        chosen = np.zeros(self.count, np.bool_)
        if not count:
            return chosen
        limit, equal = self._limit(purpose, among, count)
        for start, keys in self._read(purpose):
            mine, part = among[start : start + len(keys)], chosen[start : start + len(keys)]
            part[:] = mine & (keys < limit)
            ties = np.flatnonzero(mine & (keys == limit))[:equal]
            part[ties] = True
            equal -= len(ties)
        return chosen

    def _limit(self, purpose: str, among: NDArray[np.bool_], count: int) -> tuple[np.uint64, int]:
        """Return the largest of the ``count`` smallest keys, and how many of the chosen images have it."""
        shift = np.uint64(64 - _HIGH)
        counts = np.zeros(1 << _HIGH, np.int64)
        for start, keys in self._read(purpose):
            high = (keys >> shift)[among[start : start + len(keys)]]
            counts += np.bincount(high.astype(np.int64), minlength=1 << _HIGH)
        bucket = int(np.searchsorted(np.cumsum(counts), count))
        near = [np.empty(0, np.uint64)]
        for start, keys in self._read(purpose):
            is_near = (keys >> shift == np.uint64(bucket)) & among[start : start + len(keys)]
            near.append(keys[is_near])
        candidates = np.sort(np.concatenate(near))
        rest = count - int(counts[:bucket].sum())
        limit = candidates[rest - 1]
        return limit, rest - int(np.searchsorted(candidates, limit))

    def _read(self, purpose: str) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        """Yield the keys of a purpose in pieces, each with the number of its first image."""
        width, column, start = len(self._purposes), self._purposes.index(purpose), 0
        self._file.seek(0)
        while block := self._file.read(_READ * width * 8):
            keys = np.frombuffer(block, np.uint64).reshape(-1, width)[:, column]
            yield start, keys
            start += len(keys)
