"""The folder of photographs for a first try."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def drawn(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tol_luigi.demonstration", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_for_each_species(tmp_path: Path) -> None:
    done = drawn("photos", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "photos: 60 images drawn\n", "")
    folders = sorted((tmp_path / "photos").iterdir())
    assert len(folders) == 20
    assert {len(list(folder.iterdir())) for folder in folders} == {3}
    contents = [path.read_bytes() for folder in folders for path in folder.iterdir()]
    assert len({hashlib.sha256(content).digest() for content in contents}) == 60

    again = drawn("photos", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr == "photos: File exists. Name a folder that does not exist yet.\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["a", "b"]])
def test_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    done = drawn(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "usage: python -m tol_luigi.demonstration FOLDER\n")
    assert list(tmp_path.iterdir()) == []
