"""The choice of val if the splits of some images are given, or if groups of images must not be divided."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tol_luigi.core.keys import keyed_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["ImageHint", "choose_val", "first_with_sum", "nearest_sum"]


class ImageHint(NamedTuple):
    """What is known of an image before its split is chosen; each field is "" if unknown.

    Attributes:
        split: The given split, ``train`` or ``val``.
        group: The group of the image, which must not be divided between train and val.
        sha256: The hash of the file, by which duplicates in different groups are found.
    """

    split: str = ""
    group: str = ""
    sha256: str = ""


def choose_val(ids: Sequence[str], hints: Sequence[ImageHint], *, seed: int, count: int) -> NDArray[np.bool_]:
    """Return which images of a source are val.

    A given split is obeyed, and all images of a group follow the split that is given for one of them. Groups that
    contain the same file count as one group, except where different splits are given for them. An image without
    a group is a group of its own.

    Of the sets of other groups, those are considered whose number of images is nearest to what ``count`` leaves. The one
    that comes first in the order of a keyed hash is chosen. The hash of an image without a group is the hash of
    its id, so without groups and given splits the result is that of :func:`tol_luigi.core.splits.assign`.

    Args:
        ids: The ids of all images of the source, in any order.
        hints: What is known of each image. The given splits within a group must not differ.
        seed: The dataset's seed.
        count: The number of val images to reach, including those that are given.
    """
    groups = [f"group {hint.group}" if hint.group else image for image, hint in zip(ids, hints, strict=True)]
    names = sorted(set(groups))
    order = dict(zip(names, keyed_digests(seed, "val", names), strict=True))
    part_of = _joined(groups, (hint.sha256 for hint in hints), order)
    by_group = _given(zip(groups, (hint.split for hint in hints), strict=True))
    by_part = _given((part_of[group], split) for group, split in by_group.items())
    sides = [by_group.get(group) or by_part.get(part_of[group], "") for group in groups]

    sizes = Counter(part_of[group] for group, side in zip(groups, sides, strict=True) if not side)
    parts = sorted(sizes, key=lambda part: (order[part], part))
    ordered = [sizes[part] for part in parts]
    total = nearest_sum(ordered, max(0, count - sides.count("val")))
    chosen = dict(zip(parts, first_with_sum(ordered, total), strict=True))
    is_val = (
        side == "val" if side else chosen[part_of[group]] for group, side in zip(groups, sides, strict=True)
    )
    return np.fromiter(is_val, np.bool_, len(ids))


def _given(splits: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the split of each name; if both are given, val, so that held-out images stay held out."""
    given: dict[str, str] = {}
    for name, split in splits:
        if split and given.get(name) != "val":
            given[name] = split
    return given


def _joined(groups: Sequence[str], hashes: Iterable[str], order: Mapping[str, bytes]) -> dict[str, str]:
    """Return for each group the first, in the order of the hashes, of all groups that share files with it."""
    parent = {group: group for group in order}

    def first(group: str) -> str:
        while parent[group] != group:
            parent[group] = group = parent[parent[group]]
        return group

    owners: dict[str, str] = {}
    for group, sha256 in zip(groups, hashes, strict=True):
        if sha256:
            pair = first(group), first(owners.setdefault(sha256, group))
            kept, other = sorted(pair, key=lambda name: (order[name], name))
            parent[other] = kept
    return {group: first(group) for group in parent}


def nearest_sum(sizes: Sequence[int], wanted: int) -> int:
    """Return the number nearest to ``wanted`` that is the sum of some of the sizes; the smaller one of two.

    Args:
        sizes: Positive numbers.
        wanted: A number from 0.
    """
    limit = 2 * wanted  # 0 is nearer than anything above
    within = (1 << limit + 1) - 1
    sums = 1  # bit n: whether n can be reached
    for size, number in Counter(sizes).items():
        left, step = min(number, limit // size), 1
        while left:  # 1, 2, 4, … copies, and the rest: their sums are all numbers of copies
            copies = min(step, left)
            sums |= sums << copies * size & within
            left, step = left - copies, 2 * step
    below = (sums & (1 << wanted + 1) - 1).bit_length() - 1
    above = sums >> wanted
    if above and (distance := (above & -above).bit_length() - 1) < wanted - below:
        return wanted + distance
    return below


def first_with_sum(sizes: Sequence[int], total: int) -> list[bool]:
    """Return which of the sizes to take so that their sum is ``total``, early ones first; it must be possible.

    Of two solutions, the first is the one that takes the earlier size where they begin to differ.
    """
    refused = set[int]()
    while True:
        left, lefts, taken = total, list[int](), list[bool]()
        for place, size in enumerate(sizes):
            lefts.append(left)
            taken.append(size <= left and place not in refused)
            left -= size if taken[-1] else 0
        if not left:
            return taken
        # The first wrong choice is the last one without which the sizes after it suffice.
        sums, within = 1, (1 << total + 1) - 1
        for place in reversed(range(len(sizes))):
            if taken[place] and sums >> lefts[place] & 1:
                refused.add(place)
                break
            sums |= sums << sizes[place] & within
        else:
            raise ValueError(f"no sizes have the sum {total}")
