"""The documents as a renderer of Markdown reads them: every table is one, and no row appears twice."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "bench" / "README.md",
    *(ROOT / "docs").glob("*.md"),
]

RENDERER = MarkdownIt("gfm-like", {"linkify": False})

BAR = re.compile(r"(?<!\\)\|")


def lines_in(text: str, *kinds: str) -> list[tuple[int, int]]:
    """Return the first line of each element of a document, and the line after it."""
    return [
        (token.map[0], token.map[1]) for token in RENDERER.parse(text) if token.type in kinds and token.map
    ]


@pytest.mark.parametrize("document", sorted(DOCUMENTS), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_is_in_a_table_complete_and_once(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    lines = text.splitlines()
    tables = lines_in(text, "table_open")
    inside = {line for start, end in [*tables, *lines_in(text, "fence")] for line in range(start, end)}
    assert [line for number, line in enumerate(lines) if line.startswith("|") and number not in inside] == []
    for start, end in tables:
        cells = len(BAR.findall(lines[start]))
        assert [line for line in lines[start:end] if len(BAR.findall(line)) != cells] == []
    if document.name in {"command-reference.md", "settings-reference.md"}:
        return  # several commands have the same option, and several sections the same key
    rows = Counter(line for start, end in tables for line in lines[start + 2 : end])
    assert [row for row, count in rows.items() if count > 1] == []


def test_a_table_that_is_split_is_noticed() -> None:
    split = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n"
    assert lines_in(split, "table_open") == [(0, 3)]
