"""What the tests of tasks share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from forked import Forks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as made:
        yield made


@pytest.fixture
def copy_of_build(once: Callable[..., Path], tmp_path: Path) -> Callable[[str, Callable[[], Any]], Path]:
    """Have a dataset ``out/sample`` in the test's folder, built once for all tests: its name, and what builds it there."""

    def copy(name: str, build: Callable[[], Any]) -> Path:
        def fill(folder: Path) -> None:
            finished = build()
            assert finished.returncode == 0, finished.stderr
            shutil.copytree(tmp_path / "out", folder / "out")

        shutil.copytree(once(name, fill) / "out", tmp_path / "out", dirs_exist_ok=True)
        return tmp_path / "out" / "sample"

    return copy
