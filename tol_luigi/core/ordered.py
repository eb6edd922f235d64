"""Work of several threads whose results come in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

__all__ = ["in_order"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R],
    items: Iterable[T],
    threads: int,
    *,
    ahead: int,
    size: Callable[[T], int] = lambda _: 1,
) -> Generator[R]:
    """Yield the result of each item, in the order of the items, whatever the number of threads.

    The caller's thread takes the items. Their first error, or that of ``work``, ends the threads and is raised.

    Args:
        work: What is done with an item; several threads call it.
        items: The items.
        threads: The number of threads; with one, the caller's does all work.
        ahead: How many items are worked on, or are finished and wait for an earlier one; at least one.
        size: As how many items an item counts.
    """
    if threads == 1:
        yield from map(work, items)
        return
    begun: deque[tuple[int, Future[R]]] = deque()
    waiting = 0
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                begun.append((size(item), pool.submit(work, item)))
                waiting += begun[-1][0]
                while waiting >= ahead:
                    done, future = begun.popleft()
                    waiting -= done
                    yield future.result()
            while begun:
                yield begun.popleft()[1].result()
        finally:  # also if the caller takes no more results
            pool.shutdown(cancel_futures=True)
