"""The demonstration, built once, and copies of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tol_luigi import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def demonstration(build_once: Callable[..., Path]) -> Path:
    """The folder of the demonstration, ``build/dev`` as in the README; tests only read it."""
    return build_once("dataset-demonstration", {"dataset": {"root": "build", "tag": "dev"}})


@pytest.fixture(scope="session")
def dataset(demonstration: Path) -> Dataset:
    """The demonstration, opened."""
    return Dataset.open(demonstration)


@pytest.fixture
def copied(demonstration: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration in an awkward place, of hard links: a file may be replaced, but not changed in place."""
    folder = tmp_path / "a copy #1? {x} [y] 100%" / "dev"
    shutil.copytree(demonstration, folder, copy_function=os.link)
    return folder
