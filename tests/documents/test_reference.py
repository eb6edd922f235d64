"""The reference is what the docstrings and the descriptions of settings say now."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from pages import ROOT

SCRIPT = ROOT / "docs" / "reference.py"
SPEC = importlib.util.spec_from_file_location("reference", SCRIPT)
assert SPEC
assert SPEC.loader
reference = importlib.util.module_from_spec(SPEC)
sys.modules["reference"] = reference
sys.path.append(str(SCRIPT.parent))  # as where the script is run
SPEC.loader.exec_module(reference)

AGAIN = "python docs/reference.py writes it again"


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == reference.PAGES[name](), AGAIN


def test_the_comments_of_the_settings_file_are_current() -> None:
    settings = reference.SETTINGS.read_text(encoding="utf-8")
    assert settings == reference.with_comments(settings), AGAIN


def test_the_page_has_signatures_arguments_errors_and_examples() -> None:
    page = reference.page()
    assert "open(path: str | Path) -> Self" in page
    assert "- `where`: A condition on the columns of the catalog" in page
    assert "- `UnknownImageError`: The image has no sample." in page
    assert '>>> birds = dataset.samples("train", where="class = \'Aves\'")\n' in page
    assert "| `VerifyDataset` |" in page
    assert ":meth:" not in page
    assert "``" not in page.replace("```", "")
