"""The memory that the threads of a process share for decoding images."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["memory_for"]

_ENTRY = threading.Lock()
"""Held by the thread that waits, so that a large image is not overtaken by small ones for ever."""

_FREED = threading.Condition()
_held = 0


@contextlib.contextmanager
def memory_for(needed: int, most: int) -> Iterator[None]:
    """Wait until what all threads hold is at most ``most`` with another ``needed`` bytes, or nothing else is held.

    A thread must not ask again within its block, or wait there for one that does.
    """
    global _held  # noqa: PLW0603 (all threads share it)
    with _ENTRY, _FREED:
        _FREED.wait_for(lambda: not _held or _held + needed <= most)
        _held += needed
    try:
        yield
    finally:
        with _FREED:
            _held -= needed
            _FREED.notify_all()
