from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.core import memory_budget
from tol_luigi.core.memory_budget import memory_for


@settings(max_examples=30)
@given(st.lists(st.integers(1, 120), max_size=30))
def test_threads_never_hold_more_than_the_budget_except_one_alone(needs: list[int]) -> None:
    lock, held, highest = threading.Lock(), list[int](), list[list[int]]()

    def work(needed: int) -> None:
        with memory_for(needed, 100):
            with lock:
                held.append(needed)
                highest.append(list(held))
            with lock:
                held.remove(needed)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, needs))
    assert all(sum(each) <= 100 or len(each) == 1 for each in highest)
    assert len(highest) == len(needs)


def test_a_large_image_is_not_overtaken_by_small_ones() -> None:
    order: list[str] = []

    def ask(name: str, needed: int) -> threading.Thread:
        def work() -> None:
            with memory_for(needed, 100):
                order.append(name)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    with memory_for(50, 100):
        large = ask("large", 80)
        while not memory_budget._ENTRY.locked():
            large.join(0.001)
        small = ask("small", 10)
    large.join()
    small.join()
    assert order == ["large", "small"]
