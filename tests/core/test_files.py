from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.files import ATTEMPT, committed, read_json, scratch_beside, sha256_file, write_json

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal, sys
from pathlib import Path
from tol_luigi.core.files import committed
with committed(Path(sys.argv[1])) as scratch:
    scratch.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    with committed(path) as scratch:
        assert scratch.parent == path.parent
        scratch.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


def test_what_was_there_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with committed(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"


def fail(path: Path) -> None:
    with committed(path) as scratch:
        scratch.write_text("half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("before", [[], ["old"]], ids=["nothing was there", "an older file stays as it was"])
def test_after_an_exception_nothing_is_left(tmp_path: Path, before: list[str]) -> None:
    path = tmp_path / "a.txt"
    for text in before:
        path.write_text(text)
    with pytest.raises(KeyboardInterrupt):
        fail(path)

    assert [entry.read_text() for entry in tmp_path.iterdir()] == before


def test_a_file_never_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), committed(tmp_path / "a.txt"):
        pass

    assert names(tmp_path) == []


def test_a_killed_process_leaves_a_hidden_file_only(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, path], check=False)
    [left] = names(tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert left.startswith(f".a.txt{ATTEMPT}")
    with committed(path) as scratch:
        scratch.write_text("whole")
    assert path.read_text() == "whole"


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with committed(path) as one, committed(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other

    assert path.read_text() == "one"
    assert names(tmp_path) == ["a.txt"]


def test_scratch_names_are_never_used_twice(tmp_path: Path) -> None:
    scratches = {scratch_beside(tmp_path / "a.tar") for _ in range(100)}

    assert len(scratches) == 100
    assert all(scratch.name.startswith(f".a.tar{ATTEMPT}") for scratch in scratches)


def test_sha256_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(3_000_000))

    assert sha256_file(path) == hashlib.sha256(bytes(3_000_000)).hexdigest()


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    content = {"Gärtner": [1, None, {"ü": "€"}]}
    write_json(path, content)

    assert read_json(path) == content
    assert "Gärtner" in path.read_text(encoding="utf-8")
    assert path.read_bytes().endswith(b"}\n")


def test_what_is_no_json_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})

    assert names(tmp_path) == []


def test_the_first_of_two_writers_can_win(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with committed(path, first_wins=True) as scratch:
        scratch.write_text("second")
        path.write_text("first")

    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]
    with committed(tmp_path / "b.txt", first_wins=True) as scratch:
        scratch.write_text("only")
    assert (tmp_path / "b.txt").read_text() == "only"
