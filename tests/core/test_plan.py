from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.plan import number

COUNTS = st.lists(
    st.tuples(
        st.sampled_from(["train", "val"]), st.just("eol"), st.text("ab", max_size=3), st.integers(0, 50)
    )
)


@pytest.mark.parametrize(
    ("counts", "numbers"),
    [
        pytest.param([], [], id="no partitions, no shards"),
        pytest.param([("train", 0), ("train", 5)], [[], [0]], id="no samples take no number"),
        pytest.param(
            [("train", 10), ("train", 11), ("train", 1)], [[0], [1, 2], [3]], id="one after the other"
        ),
        pytest.param(
            [("train", 25), ("val", 1), ("train", 1)], [[0, 1, 2], [0], [3]], id="each split from nought"
        ),
    ],
)
def test_number(counts: list[tuple[str, int]], numbers: list[list[int]]) -> None:
    plan = number(((split, "eol", "p", samples) for split, samples in counts), max_samples=10)

    assert [list(share.numbers) for share in plan] == numbers


@given(COUNTS, st.integers(1, 9))
def test_shards_are_numbered_without_a_hole(counts: list[tuple[str, str, str, int]], most: int) -> None:
    plan = number(counts, most)
    used = {
        split: [n for share in plan if share.split == split for n in share.numbers]
        for split in ("train", "val")
    }

    assert [(share.split, share.source, share.partition, share.samples) for share in plan] == counts
    assert all(numbers == list(range(len(numbers))) for numbers in used.values())


@given(COUNTS, st.integers(1, 9))
def test_shards_are_as_few_as_can_be(counts: list[tuple[str, str, str, int]], most: int) -> None:
    for share in number(counts, most):
        assert share.shards * most >= share.samples > (share.shards - 1) * most or share.samples == 0
        assert bool(share.shards) == bool(share.samples)


def test_splits_do_not_count_into_each_other() -> None:
    plan = number([(split, "eol", "a", 3) for split in ("train", "val", "train_small")], max_samples=1)

    assert Counter(share.first for share in plan) == {0: 3}
