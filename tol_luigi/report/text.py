"""Format numbers, tables and paragraphs for a terminal."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WIDTH", "aligned", "counted", "human_bytes", "human_seconds", "wrapped"]

WIDTH = 80
"""The width of a terminal, in columns."""

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


def wrapped(text: str, indent: str = "") -> list[str]:
    """Wrap a text to the width of a terminal, without breaking longer words such as paths."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
