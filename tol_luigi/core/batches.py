"""Processing many rows in batches."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["BATCH", "batched"]

BATCH = 20_000
"""Rows per batch: enough to spread the cost of a call, few enough to take little memory."""

T = TypeVar("T")


def batched(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Yield the items of a stream in lists of ``size``; only the last may be shorter, and none is empty."""
    stream = iter(items)
    while batch := list(itertools.islice(stream, size)):
        yield batch
