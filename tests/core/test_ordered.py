from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.ordered import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.lists(st.integers(0, 9)), st.integers(1, 4), st.integers(1, 12))
def test_results_come_in_order_and_few_items_are_taken_ahead(
    items: list[int], threads: int, ahead: int
) -> None:
    waiting = [0]

    def counted() -> Iterator[int]:
        for item in items:
            assert waiting[0] < ahead
            waiting[0] += 1 + item
            yield item

    results = in_order(lambda item: -item, counted(), threads, ahead=ahead, size=lambda item: 1 + item)
    for item, result in zip(items, results, strict=True):
        assert result == -item
        waiting[0] -= 1 + item


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_of_work_or_items_ends_it(threads: int) -> None:
    def items(last: int) -> Iterator[int]:
        yield from range(last)
        raise OSError("no more")

    results = in_order(lambda item: 10 // (5 - item), items(9), threads, ahead=4)
    before = [next(results) for _ in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert before == [2, 2, 3, 5, 10]
    with pytest.raises(OSError, match="no more"):
        list(in_order(abs, items(3), threads, ahead=4))


def test_work_is_done_by_several_threads_at_once() -> None:
    together = threading.Barrier(3, timeout=60)
    assert len(list(in_order(lambda _: together.wait(), range(6), 3, ahead=6))) == 6


def test_threads_end_with_the_caller() -> None:
    before = threading.active_count()
    results = in_order(abs, iter(range(1000)), 2, ahead=4)
    next(results)
    results.close()
    assert threading.active_count() == before
