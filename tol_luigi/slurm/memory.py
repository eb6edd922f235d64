"""Amounts of memory in the format of Slurm's commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MEMORY", "double_memory", "max_memory"]

MEMORY = r"\d+[KMGT]"
"""Matches an amount, such as ``4G``."""

_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def _bytes(memory: str | None) -> int:
    return int(memory[:-1]) * 1024 ** _UNITS[memory[-1]] if memory else 0


def max_memory(amounts: Iterable[str | None]) -> str | None:
    """Return the largest amount; None counts as 0."""
    return max(amounts, key=_bytes)


def double_memory(current: str | None, limit: str | None) -> str | None:
    """Return twice an amount, up to a limit; None if it has reached the limit.

    Args:
        current: The current amount, such as ``4G``.
        limit: The largest amount allowed; None allows no increase.
    """
    if current is None or limit is None or _bytes(current) >= _bytes(limit):
        return None
    doubled = f"{2 * int(current[:-1])}{current[-1]}"
    return min(doubled, limit, key=_bytes)
