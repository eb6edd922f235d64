"""Pairs of hashes that differ in few bits: the same as those of a comparison of all with all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.features import hamming
from tol_luigi.features.hamming import groups_of, near_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

BASES = st.integers(0, 2**64 - 1)
FLIPS = st.lists(st.integers(0, 63), max_size=8, unique=True)


@st.composite
def similar_hashes(draw: st.DrawFn) -> np.ndarray:
    """Draw distinct hashes, many of which differ in few bits."""
    bases = draw(st.lists(BASES, min_size=1, max_size=4))
    hashes = {
        base ^ sum(1 << bit for bit in bits)
        for base in bases
        for bits in [[], *draw(st.lists(FLIPS, max_size=8))]
    }
    return np.array(sorted(hashes), np.uint64)


def compared_with_all(hashes: np.ndarray, distance: int) -> set[tuple[int, int]]:
    return {
        (low, high)
        for high in range(len(hashes))
        for low in range(high)
        if int(hashes[low] ^ hashes[high]).bit_count() <= distance
    }


def found(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> set[tuple[int, int]]:
    return {
        (min(pair), max(pair))
        for low, high in pairs
        for pair in zip(low.tolist(), high.tolist(), strict=True)
    }


@settings(deadline=None, max_examples=100)
@given(similar_hashes(), st.integers(0, 8))
def test_the_pairs_are_those_of_a_comparison_with_all(hashes: np.ndarray, distance: int) -> None:
    assert found(near_pairs(hashes, distance)) == compared_with_all(hashes, distance)


@settings(deadline=None, max_examples=30)
@given(similar_hashes(), st.integers(0, 5), st.integers(1, 5))
def test_the_number_of_blocks_does_not_change_the_pairs(
    hashes: np.ndarray, distance: int, further: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "_block_count", lambda count, distance: distance + further + 0 * count)
        assert found(near_pairs(hashes, distance)) == compared_with_all(hashes, distance)


@pytest.mark.parametrize("count", [10, 10**6, 10**7, 2 * 10**8])
def test_the_blocks_leave_few_candidates_for_any_number_of_hashes(count: int) -> None:
    blocks = hamming._block_count(count, 4)
    masks = hamming._block_masks(blocks)
    assert 5 <= blocks <= 9
    assert sum(map(int, masks)) == 2**64 - 1


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_groups_are_the_connected_places(pairs: list[tuple[int, int]]) -> None:
    groups = list(range(20))
    for _ in groups:
        for low, high in pairs:
            groups[low] = groups[high] = min(groups[low], groups[high])
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    assert groups_of(20, (first, second)).tolist() == groups
