from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tol_luigi.core.errors import DamagedError, DiskError, MappingError
from tol_luigi.core.files import (
    ATTEMPT,
    clear_disk_errors,
    committed,
    read_json,
    remove,
    remove_leftovers,
    scratch_path,
    sha256_file,
    write_json,
)

NOW = 2_000_000_000.0
DAY = 24 * 60 * 60

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


def fail(path: Path, error: BaseException) -> None:
    with committed(path) as scratch:
        scratch.write_text("half")
        raise error


@pytest.mark.parametrize("before", [[], ["old"]], ids=["nothing was there", "an older file stays as it was"])
def test_after_an_exception_nothing_is_left(tmp_path: Path, before: list[str]) -> None:
    path = tmp_path / "a.txt"
    for text in before:
        path.write_text(text)
    with pytest.raises(KeyboardInterrupt):
        fail(path, KeyboardInterrupt())

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
    scratches = {scratch_path(tmp_path / "a.tar") for _ in range(100)}

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


def test_a_file_is_removed_and_one_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    remove(tmp_path / "a")
    remove(tmp_path / "a")

    assert names(tmp_path) == ["b"]


def test_json_is_written_for_people_and_always_as_the_same_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ü": [1, {"b": None}]})

    text = '{\n "ü": [\n  1,\n  {\n   "b": null\n  }\n ]\n}\n'
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("first_wins", [False, True], ids=["the last wins", "the first wins"])
def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    *, first_wins: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flush = tmp_path / "a.txt", os.fsync
    flushed: list[tuple[str, str | None]] = []

    def noted(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        flushed.append((name, path.read_text() if path.exists() else None))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    with committed(path, first_wins=first_wins) as scratch:
        scratch.write_text("whole")

    assert flushed == [(str(scratch), None), (str(tmp_path), "whole")]


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


def left_by_another(folder: Path) -> Path:
    """Let another process die of a kill, and give what it has left."""
    before = set(folder.iterdir())
    subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, folder / "a"], check=False)
    [left] = set(folder.iterdir()) - before
    return left


def test_what_a_dead_process_has_left_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "224x224" / "train"
    deep.mkdir(parents=True)
    left = left_by_another(deep)
    folder = left.with_name(left.name.replace(".a.", ".demonstration."))
    folder.mkdir()
    (folder / "pictures.tar").touch()
    kept = deep / "shard-000000.tar"
    kept.touch()
    remove_leftovers(tmp_path, time.time())

    assert names(deep) == [kept.name]


@pytest.mark.parametrize("age", [0, 10 * DAY], ids=["new", "a process may be suspended for long"])
def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, age: int) -> None:
    scratch = scratch_path(tmp_path / "a.tar")
    scratch.touch()
    os.utime(scratch, (NOW - age, NOW - age))
    remove_leftovers(tmp_path, NOW)

    assert names(tmp_path) == [scratch.name]


def test_a_process_that_has_the_number_of_a_dead_one_keeps_nothing_alive(tmp_path: Path) -> None:
    before, pid, start, rest = scratch_path(tmp_path / "a.tar").name.rsplit("-", 3)
    (tmp_path / f"{before}-{pid}-{int(start) - 1}-{rest}").touch()
    remove_leftovers(tmp_path, time.time())

    assert names(tmp_path) == []


def test_a_process_that_only_waits_to_be_buried_keeps_nothing_alive(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, tmp_path / "a.txt"], start_new_session=True
    ) as killed:
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        assert len(names(tmp_path)) == 1
        remove_leftovers(tmp_path, time.time())

    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("age", "kept"), [pytest.param(DAY - 1, 1, id="not yet"), pytest.param(DAY + 1, 0, id="after a day")]
)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(".a.tar.attempt-node7-0123abcd-1-1-0123abcd", id="another machine"),
        pytest.param(".a.tar.attempt-node7-1-0123abcd", id="a name of another make"),
        pytest.param(".a.tar.attempt-", id="a name that tells nothing"),
    ],
)
def test_what_cannot_be_asked_about_is_removed_after_a_day(
    tmp_path: Path, name: str, age: int, kept: int
) -> None:
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (NOW - age, NOW - age))
    remove_leftovers(tmp_path, NOW)

    assert len(names(tmp_path)) == kept


def test_only_scratch_names_are_removed(tmp_path: Path) -> None:
    for name in (".hidden", "a.attempt-1", "a.txt"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, NOW + DAY)

    assert names(tmp_path) == [".hidden", "a.attempt-1", "a.txt"]


def test_no_folder_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "nowhere", NOW)

    assert names(tmp_path) == []


def full(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


def wrapped(cause: Exception) -> MappingError:
    error = MappingError("a.sqlite", "cannot be read", "Give another")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left"), "the disk is full", id="the system"),
        pytest.param(OSError(errno.EDQUOT, "Quota exceeded"), "the quota is used up", id="a quota"),
        pytest.param(full(sqlite3.SQLITE_FULL), "the disk is full", id="SQLite"),
        pytest.param(full(sqlite3.SQLITE_IOERR_WRITE), "the disk refuses the write", id="SQLite, of a quota"),
        pytest.param(
            wrapped(full(sqlite3.SQLITE_FULL)), "the disk is full", id="what a stage has made of it"
        ),
    ],
)
def test_a_full_disk_is_one_clear_line(tmp_path: Path, error: Exception, why: str) -> None:
    path = tmp_path / "deep" / "a.txt"
    with pytest.raises(DiskError) as raised:
        fail(path, error)

    assert str(raised.value).startswith(f"{path}: {why}")
    assert str(raised.value).endswith("MiB are free). Make space and run the same command again.")
    assert names(path.parent) == []


def test_the_first_to_tell_of_a_full_disk_is_heard(tmp_path: Path) -> None:
    def closed_after() -> None:
        try:
            with clear_disk_errors(tmp_path / "first"):
                raise OSError(errno.ENOSPC, "No space left")
        finally:
            raise OSError(errno.ENOSPC, "No space left on closing")  # as a buffered file does

    with pytest.raises(DiskError, match="/first: "), clear_disk_errors(tmp_path / "second"):
        closed_after()


@pytest.mark.parametrize(
    "error",
    [OSError("no plain file"), OSError(errno.EIO, "failing"), PermissionError(errno.EACCES, "a source")],
)
def test_other_errors_are_what_they_are(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error)) as raised, committed(tmp_path / "a.txt"):
        raise error

    assert raised.value is error


def test_a_library_that_keeps_the_reason_back_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(DiskError, match="the disk is full"), committed(tmp_path / "a.txt"):
        raise OSError("ZRAN_EXPORT_WRITE_ERROR")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(DiskError, match="its folder is not writable"):
        write_json(tmp_path / "deep" / "a.json", {})


def test_a_folder_in_the_place_of_a_file_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json" / "mine").mkdir(parents=True)
    for act in (lambda path: write_json(path, 1), remove):
        with pytest.raises(DamagedError, match=r"a\.json: is a folder, not a file\. Move it away"):
            act(tmp_path / "a.json")
    assert (tmp_path / "a.json" / "mine").is_dir()


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "receipts").write_bytes(b"mine")
    for name in ("a.json", "deeper/a.json"):
        with pytest.raises(DamagedError, match="receipts: is a file, not a folder"):
            write_json(tmp_path / "receipts" / name, 1)
    assert (tmp_path / "receipts").read_bytes() == b"mine"
