"""Amounts of memory, as Slurm's commands take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MEMORY", "more_memory", "most_memory"]

MEMORY = r"\d+[KMGT]"
"""What an amount looks like."""

_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def _bytes(memory: str | None) -> int:
    return int(memory[:-1]) * 1024 ** _UNITS[memory[-1]] if memory else 0


def most_memory(amounts: Iterable[str | None]) -> str | None:
    """Return the largest of some amounts; None is the least."""
    return max(amounts, key=_bytes)


def more_memory(now: str | None, most: str | None) -> str | None:
    """Return twice an amount, but not more than the most; None if it may not grow.

    Args:
        now: Such as ``4G``.
        most: The most that it may become.
    """
    if now is None or most is None or _bytes(now) >= _bytes(most):
        return None
    twice = f"{2 * int(now[:-1])}{now[-1]}"
    return min(twice, most, key=_bytes)
