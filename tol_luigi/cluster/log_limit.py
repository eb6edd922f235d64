"""A limit on how much luigid writes to its log, whatever clients send."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

__all__ = ["LogLimit"]

_SECONDS = 60.0
_MAX_LINES = 100
_MAX_TRACEBACKS = 5


@dataclass
class _CallSite:
    since: float
    written: int = 0
    suppressed: int = 0


class LogLimit(logging.Filter):
    """Writes at most 100 lines, or 5 tracebacks, per minute and line of code; counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._sites: dict[tuple[str, int], _CallSite] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a line; after suppressed lines, append their number to it."""
        now = time.monotonic()
        site = self._sites.setdefault((record.pathname, record.lineno), _CallSite(now))
        if now - site.since > _SECONDS:
            if site.suppressed:
                record.msg = f"{record.getMessage()} ({site.suppressed:,} similar lines were suppressed)"
                record.args = ()
            site.since, site.written, site.suppressed = now, 0, 0
        if site.written >= (_MAX_TRACEBACKS if record.exc_info else _MAX_LINES):
            site.suppressed += 1
            return False
        site.written += 1
        return True
