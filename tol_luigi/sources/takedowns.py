"""The reader of lists of takedowns."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from tol_luigi.core.takedowns import KINDS, Takedown
from tol_luigi.sources.delimited import Table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_takedowns"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_COLUMNS = ", ".join(KINDS)


def read_takedowns(
    path: Path, setting: str = "", remedy: str = "Correct the line"
) -> list[tuple[int, Takedown]]:
    """Return the takedowns of a list, each with the number of its line.

    Args:
        path: The list: CSV with the columns ``id``, ``url`` and ``owner``, of which each line has one, and ``date`` and
            ``reason``. All columns are optional but one of the first three.
        setting: The section and key that name it, for messages.
        remedy: What to do about a wrong line.

    Raises:
        TableError: It cannot be read, or a line is wrong.
    """
    table = Table(path, setting, remedy)
    if not set(KINDS).intersection(table.header(_spelled)):
        raise table.error(f"line 1 has none of the columns {_COLUMNS}")
    found = []
    for line, cells in table.rows((), (*KINDS, "date", "reason"), _spelled):
        *values, day, reason = (" ".join(cell.split()) for cell in cells)
        named = [(kind, value) for kind, value in zip(KINDS, values, strict=True) if value]
        if len(named) != 1:
            raise table.error(f"line {line} must have one of {_COLUMNS} (it has {len(named)})")
        if day and not _is_date(day):
            raise table.error(f"line {line} has the date {day[:40]!r}, which is not YYYY-MM-DD")
        found.append((line, Takedown(*named[0], day, reason)))
    return found


def _spelled(name: str) -> str:
    return name.strip().casefold()


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None
