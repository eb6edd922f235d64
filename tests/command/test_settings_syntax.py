"""A settings file that cannot be read ends the command with one line, which names the file and the line number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = 40


@pytest.mark.parametrize(
    ("content", "line", "text"),
    [
        pytest.param(b"[dataset\nroot = out\n", 1, "'[dataset' is above", id="a section without an end"),
        pytest.param(b"\nroot = out\n", 2, "'root = out' is above", id="a key before the first section"),
        pytest.param(
            b"[dataset]\nroot = a\nroot = b\n", 3, "[dataset] root: is set twice", id="a key set twice"
        ),
        pytest.param(
            b"[eol]\n[dataset]\n[eol]\n", 3, "the section [eol] appears twice", id="a section twice"
        ),
        pytest.param(b"[dataset]\nroot = \xff\xfe\n", 2, "is not UTF-8", id="bytes that are not text"),
        pytest.param(
            b"[dataset]\nroot\n", 2, "neither a [section] nor key = value", id="a key without value"
        ),
        pytest.param(
            b"[dataset]\n\ntag = 50%\n", 3, "[dataset] tag: '%' must be", id="a single percent sign"
        ),
        pytest.param(b"[dataset]\ntag = %(no)s\n", 2, "[dataset] tag: ", id="a reference to no key"),
        pytest.param(
            b"[eol]\ntag=1\n[dataset]\ntag: ${NO}\n", 4, "NO", id="a reference to no environment variable"
        ),
        pytest.param(
            b"[core]\nlog_level = 5%\n", 2, "[core] log_level: ", id="a percent sign in a section of Luigi"
        ),
    ],
)
def test_bad_syntax_is_one_line(content: bytes, line: int, text: str, tol: Any, tmp_path: Path) -> None:
    settings = tmp_path / "my.cfg"
    settings.write_bytes(content)
    finished = tol("plan", "--config", settings, cwd=tmp_path)
    assert finished.returncode == REFUSED
    (message,) = finished.stderr.splitlines()
    assert f"{settings}: line {line}: " in message
    assert text in message
    assert finished.stdout == ""


def test_a_folder_is_not_a_settings_file(tol: Any, tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").mkdir()
    finished = tol("plan", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (
        REFUSED,
        "tol: luigi.cfg: cannot be read (Is a directory). Name a readable settings file.\n",
    )


def test_a_toml_file_is_not_a_settings_file(tol: Any, tmp_path: Path) -> None:
    settings = tmp_path / "my.toml"
    settings.write_text('[dataset]\ntag = "a"\n')
    finished = tol("plan", "--config", settings, cwd=tmp_path)
    assert finished.returncode == REFUSED
    (message,) = finished.stderr.splitlines()
    assert "settings are read from .cfg files only" in message
