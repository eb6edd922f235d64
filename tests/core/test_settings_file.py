"""Settings files are read as they are written, and each fault is one line with file and line number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.settings_syntax import line_of, named_syntax_errors, read_settings_file

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
# a comment
[eol]
images = a
[dataset]
Root = %(x)s ; $HOME

root : out
images = b
 continued = c
[eol.more]
tag = t
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "my.cfg").write_text(TEXT, encoding="utf-8")
    return tmp_path / "my.cfg"


def test_values_and_keys_are_kept_as_they_are_written(path: Path) -> None:
    read = read_settings_file(path)

    assert read.sections() == ["eol", "dataset", "eol.more"]
    assert dict(read["dataset"]) == {
        "Root": "%(x)s ; $HOME",
        "root": "out",
        "images": "b\ncontinued = c",
    }


@pytest.mark.parametrize(
    ("section", "key", "line"),
    [
        ("eol", "images", 4),
        ("dataset", "images", 9),
        ("dataset", "root", 8),
        ("dataset", "Root", 6),
        ("eol.more", "tag", 12),
        ("eol", "tag", 0),
        ("eol", "root", 0),
        ("", "images", 0),
    ],
)
def test_the_line_of_a_key(path: Path, section: str, key: str, line: int) -> None:
    assert line_of(path, section, key) == line


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[a]\nx = 1\n[a]\n", r"line 3: the section \[a\] appears twice\. Keep one of them"),
        (b"[a]\nx = 1\ny = 2\nx = 3\n", r"line 4: \[a\] x: is set twice\. Keep one of the lines"),
        (b"\n x = 1\n[a]\n", r"line 2: 'x = 1' is above the first section\. Put a section above it"),
        (
            b"[a]\nx = 1\nword\n",
            r"line 3: 'word\\n' is neither a \[section\] nor key = value\. Correct that line",
        ),
        (b"[a]\n\n\xc3\xa9 = \xff\n", r"line 3: is not UTF-8\. Save the file in UTF-8"),
        (b"\xff", r"line 1: is not UTF-8"),
    ],
)
def test_a_fault_is_told_with_its_line(path: Path, content: bytes, text: str) -> None:
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"my\.cfg: {text}"):
        read_settings_file(path)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"no\.cfg: cannot be read \(No such file or directory\)\. Name a"
    ):
        read_settings_file(tmp_path / "no.cfg")


@pytest.mark.parametrize("raised", [ImportError("No module named 'x'"), ValueError("x")])
def test_other_errors_are_none_of_settings(raised: Exception) -> None:
    with pytest.raises(type(raised)) as caught, named_syntax_errors():
        raise raised
    assert caught.value is raised


def test_without_an_error_nothing_is_said() -> None:
    with named_syntax_errors():
        pass
