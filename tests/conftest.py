"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material: sample sources and golden answers.

    It lies beside the repository, or where TOL_SHARED says. Without it a test that needs it is
    skipped, but fails in CI, where nothing may go untested in silence.
    """
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("TOL_SHARED") or beside)
    if not (folder / "golden").is_dir():
        reason = "no reference material: set TOL_SHARED to its folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
