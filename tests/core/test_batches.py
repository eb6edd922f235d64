from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.batches import BATCH, batched


@pytest.mark.parametrize(
    ("items", "batches"),
    [
        pytest.param("", [], id="nothing, no batch"),
        pytest.param("ab", [["a", "b"]], id="fewer than a batch"),
        pytest.param("abc", [["a", "b", "c"]], id="exactly one batch, and no empty one after it"),
        pytest.param("abcd", [["a", "b", "c"], ["d"]], id="the last is shorter"),
    ],
)
def test_batched(items: str, batches: list[list[str]]) -> None:
    assert list(batched(items, 3)) == batches


@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_hold_every_item_once(items: list[int], size: int) -> None:
    batches = list(batched(iter(items), size))

    assert list(itertools.chain.from_iterable(batches)) == items
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batches)


def test_a_stream_is_taken_only_as_far_as_needed() -> None:
    assert next(batched(itertools.count())) == list(range(BATCH))
