"""What a terminal shows in colour."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

__all__ = ["show", "show_error"]

_STYLES = {
    r"(?m)^(Dataset .*: complete|The dataset is complete\..*|There is enough disk space\.|  state +written)$": "green",
    r"(?m)^(not enough .*|The build would stop: .*|failed: .*)$": "red",
    r"(?m)^  state +(?!written|waiting).*$": "yellow",
}
"""The colours of lines, by pattern."""


def show(text: str) -> None:
    """Write a text to standard output; in colour on a terminal, unless NO_COLOR is set."""
    console = Console(highlight=False)
    if not _is_coloured(console):
        sys.stdout.write(text)
        return
    coloured = Text(text)
    for pattern, style in _STYLES.items():
        coloured.highlight_regex(pattern, style)
    console.print(coloured, end="", soft_wrap=True)


def show_error(text: str) -> None:
    """Write a line to standard error; red on a terminal, unless NO_COLOR is set."""
    console = Console(stderr=True, highlight=False)
    if _is_coloured(console):
        console.print(Text(text, "red"), soft_wrap=True)
    else:
        sys.stderr.write(f"{text}\n")


def _is_coloured(console: Console) -> bool:
    return console.color_system is not None and not console.no_color
