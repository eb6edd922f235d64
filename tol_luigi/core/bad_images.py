"""The limit on bad images."""

from __future__ import annotations

from tol_luigi.core.errors import TooManyBadError

__all__ = ["check_bad_count"]


def check_bad_count(bad: int, total: int, max_percent: int, *, where: str, what: str, remedy: str) -> None:
    """Check that no more images are bad than the settings allow; one bad image is always allowed.

    Args:
        bad: The number of bad images.
        total: The number of images.
        max_percent: The highest percentage of bad images.
        where: The source and partition, for the message.
        what: The problem, for the message, where it follows the number of images.
        remedy: What to do apart from raising the limit.

    Raises:
        TooManyBadError: More images are bad.
    """
    if bad > max(1, total * max_percent // 100):
        raised = f"{remedy}, or raise [checks] max_bad_percent = {max_percent}"
        raise TooManyBadError(where, f"{bad} of {total} {what}", raised)
