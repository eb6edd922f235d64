"""Write a few rows as CSV. Tables of all images are Arrow tables, which ``store/csv_text.py`` writes."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["rows_csv"]


def rows_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows, the first of which is the head, as CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()
