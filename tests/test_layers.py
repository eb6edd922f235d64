from __future__ import annotations

import ast
import configparser
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tol_luigi
from tol_luigi.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(tol_luigi.__file__).parent

KNOWS_SOURCES = ("sources/", "demonstration/", "taxonomy/importers/")
"""Folders of modules for one source each, and of modules for one format of taxonomies each, which may be called after a source."""

ALLOWED = {
    "eol_content_id",  # columns of the published licenses.csv
    "eol_page_id",
    "eol_full_size_copy_url",
}

GENERAL = {"folder", "table"}
"""Names of sources that are words of their own."""


def words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield names and texts in code, but not in docstrings."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            yield node.lineno, node.arg


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(KNOWS_SOURCES)
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_other_module_knows_a_source(path: Path) -> None:
    names = "|".join(set(SOURCES) - GENERAL)
    pattern = re.compile(rf"(?<![a-z0-9])({names})(?![a-z0-9])", re.IGNORECASE)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        (line, word)
        for line, word in words(tree)
        if word not in ALLOWED and pattern.search(word.replace("_", " "))
    ]
    assert found == []


def test_the_picture_shows_the_layers_that_are_checked() -> None:
    root = Path(__file__).resolve().parents[1]
    settings = configparser.RawConfigParser()
    settings.read(root / "setup.cfg", encoding="utf-8")
    layers = settings["importlinter:contract:layers"]["layers"].split("\n")[1:]
    rows: dict[float, set[str]] = {}
    for text in ET.parse(root / "docs/layers.svg").iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 (our own)
        if "transform" not in text.attrib:  # the word at the arrow
            rows.setdefault(float(text.attrib["y"]), set()).add(f"tol_luigi.{text.text}")
    assert [rows[y] for y in sorted(rows)] == [set(layer.split(" | ")) for layer in layers]
