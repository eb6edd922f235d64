from __future__ import annotations

from pathlib import Path

import yaml

import tol_luigi

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_names_this_release() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert str(citation["version"]) == tol_luigi.__version__
    # what the Citation File Format 1.2.0 requires
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
