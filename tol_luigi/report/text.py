"""Format numbers, tables and paragraphs for a terminal."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from typing import TYPE_CHECKING

from tol_luigi.core.printable_text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["aligned", "counted", "human_bytes", "human_seconds", "printable", "wrapped"]

_WIDTH, _NARROWEST = 80, 40
"""The width of a text that is not shown on a terminal, and the smallest width, in columns."""

_KILO = 1000
_LEAST_SECONDS = 0.05
_TEN, _MINUTE, _HOUR, _DAY = 10, 60, 3600, 86_400


def human_bytes(size: float) -> str:
    """Return a number of bytes in the unit that leaves one to three digits before the decimal point."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < _KILO:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _KILO
    return f"{size:.2f} TB"


def human_seconds(seconds: float) -> str:
    """Return a duration in its two largest units, such as ``3 h 20 min``."""
    if 0 < seconds < _LEAST_SECONDS:
        return "<0.1 s"
    if seconds < _MINUTE:
        return f"{seconds:.{int(seconds < _TEN)}f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:,.0f} d {seconds % _DAY // _HOUR:.0f} h"


def counted(count: int, noun: str) -> str:
    """Write a number with its noun, which gets an s unless the number is one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: first column left-aligned, others right-aligned, two spaces apart."""
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]


def wrapped(text: str, indent: str = "", label: str = "") -> list[str]:
    """Wrap a text that is shown, never one of a file, to the width of the terminal.

    The width is COLUMNS or that of the terminal, else 80. Longer words such as paths are not broken.

    Args:
        text: The text.
        indent: What each line begins with.
        label: What the first line begins with instead.
    """
    return textwrap.wrap(
        text,
        max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 0)).columns),
        initial_indent=label or indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
