"""A limit on how much luigid writes to its log, whatever is asked of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

__all__ = ["LogLimit"]

_SECONDS = 60.0
_MOST_LINES = 100
_MOST_TRACES = 5


@dataclass
class _Place:
    began: float
    passed: int = 0
    left_out: int = 0


class LogLimit(logging.Filter):
    """Lets through so many lines a minute of each place in the code, fewer if they bear a traceback; counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[tuple[str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be written; one that follows others that were not says how many they were."""
        now = time.monotonic()
        place = self._places.setdefault((record.pathname, record.lineno), _Place(now))
        if now - place.began > _SECONDS:
            if place.left_out:
                record.msg = f"{record.getMessage()} ({place.left_out:,} more like this were left out)"
                record.args = ()
            place.began, place.passed, place.left_out = now, 0, 0
        if place.passed >= (_MOST_TRACES if record.exc_info else _MOST_LINES):
            place.left_out += 1
            return False
        place.passed += 1
        return True
