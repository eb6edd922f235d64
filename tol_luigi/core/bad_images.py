"""How many bad images are too many."""

from __future__ import annotations

from tol_luigi.core.errors import TooManyBadError

__all__ = ["check_bad_count"]


def check_bad_count(bad: int, total: int, max_percent: int, *, where: str, what: str, remedy: str) -> None:
    """Check that no more images are bad than the settings allow; a single one never stops anything.

    Args:
        bad: How many are bad.
        total: Of how many.
        max_percent: How many may be.
        where: The source and partition, for the message.
        what: What is wrong with them, for the message, after their number.
        remedy: What to do besides raising the limit.

    Raises:
        TooManyBadError: There are more.
    """
    if bad > max(1, total * max_percent // 100):
        raised = f"{remedy}, or raise [checks] max_bad_percent = {max_percent}"
        raise TooManyBadError(where, f"{bad} of {total} {what}", raised)
