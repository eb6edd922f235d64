"""The messages that ``docs/troubleshooting.md`` explains are those that the program writes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import luigi.worker
from pages import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
SHORTEST = 7


def texts() -> str:
    """Return all texts of the program, and of Luigi's worker, whose messages users see as well."""
    sources = [*(ROOT / "tol_luigi").rglob("*.py"), Path(luigi.worker.__file__)]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return "\n".join(
        node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def pieces() -> list[str]:
    """Return what the first column of the page's tables quotes; ``…`` stands for what varies."""
    cells = re.findall(
        r"^\| (.*?) \| ", PAGE.read_text(encoding="utf-8").partition("## Verify")[0], re.MULTILINE
    )
    quoted = [text for cell in cells for text in re.findall("`([^`]+)`", cell)]
    return [piece.strip(" :") for text in quoted for piece in text.split("…")]


def test_every_message_of_the_page_is_in_the_program() -> None:
    program = texts()
    known = [piece for piece in pieces() if len(piece) >= SHORTEST]
    assert len(known) > 50
    assert [piece for piece in known if piece not in program] == []
