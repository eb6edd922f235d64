"""Atomic writes: a file is complete or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import resource
import secrets
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import DamagedError, DiskError
from tol_luigi.core.limits import causes
from tol_luigi.core.machine import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ATTEMPT",
    "clear_disk_errors",
    "committed",
    "read_json",
    "read_object",
    "remove",
    "remove_leftovers",
    "scratch_path",
    "sha256_file",
    "write_json",
    "write_text",
]

ATTEMPT = ".attempt-"
"""The mark of scratch names. A file with it belongs to a running process, or a dead process left it
behind."""

_MARK = re.compile(r"-(?P<scope>[0-9a-f]{8})-(?P<pid>\d{1,9})-(?P<start>\d+)-[0-9a-f]{8}(?:-|$)")
_DAY = 24 * 60 * 60
_MOST_ENTRIES = 100_000
"""The most files to search for leftovers. A dataset of ten million images has about five thousand files."""


def scratch_path(path: Path) -> Path:
    """Return a path for a new scratch file or folder next to ``path``, where a rename can commit it.

    The name is hidden, contains host and process, and is unique, so two processes that write the same file
    do not collide.
    """
    own = Process.own()
    mark = f"{socket.gethostname()}-{own.scope}-{own.pid}-{own.start}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}{ATTEMPT}{mark}")


def remove_leftovers(directory: Path, now: float) -> None:
    """Remove scratch files and folders that killed processes left in a folder or anywhere below it.

    A scratch file is removed if its process ran on this machine and has ended. If it comes from another
    machine, it is removed once it has not been written to for a day. Files that cannot be removed are
    skipped.

    Each folder is listed once, and only paths with a scratch name are examined further.

    Args:
        directory: The folder.
        now: The time, in seconds since 1970.
    """
    for scratch in _scratch_below(directory):
        with contextlib.suppress(OSError):  # another process may be removing it, too
            if not _is_leftover(scratch, now):
                continue
            if scratch.is_dir() and not scratch.is_symlink():
                shutil.rmtree(scratch)
            else:
                scratch.unlink()


def _scratch_below(directory: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, files in os.walk(directory):
        names = [*folders, *files]
        seen += len(names)
        if seen > _MOST_ENTRIES:
            return
        folders[:] = [name for name in folders if ATTEMPT not in name]
        yield from (Path(folder, name) for name in names if name.startswith(".") and ATTEMPT in name)


def _is_leftover(scratch: Path, now: float) -> bool:
    mark = _MARK.search(scratch.name)
    if mark:
        process = Process(mark["scope"], int(mark["pid"]), mark["start"])
        if process.is_local:
            return not process.is_running
    return now - scratch.lstat().st_mtime > _DAY


_AGAIN = "and run the same command again"
_MIB = 1 << 20


@contextlib.contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Raise a one-line error if a disk is full, read-only or out of inodes, or a file exceeds the size limit.

    Args:
        path: The file that is being written.

    Raises:
        DiskError: One of these errors occurred, even if SQLite, a library or a stage raised another error
            because of it.
    """
    try:
        yield
    except DiskError:
        raise
    except Exception as error:
        for link in causes(error):
            if isinstance(link, DiskError):  # closing the file has failed for the same reason
                raise DiskError(*link.args) from error
        # the nearest existing folder; the suffix excludes files
        folder = next(folder for folder in path.parents if os.access(f"{folder}/.", os.F_OK))
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            remedy = f"Mount it for writing, or choose another [dataset] root, {_AGAIN}"
            raise DiskError(path, "its file system is read-only", remedy) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            remedy = f"Change its permissions, or choose another [dataset] root, {_AGAIN}"
            raise DiskError(path, "its folder is not writable", remedy) from error
        if fault := next(filter(None, (_fault(link, folder) for link in causes(error))), None):
            raise DiskError(path, *fault) from error
        raise


def _fault(error: BaseException, folder: Path) -> tuple[str, str] | None:
    """Return the limit of the disk that caused an error, and what to do; None if no limit did."""
    disk, space = os.statvfs(folder), shutil.disk_usage(folder)
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    free = f"({space.free / _MIB:,.1f} of {space.total / _MIB:,.1f} MiB are free)"
    match _number(error, is_full=not space.free, is_limited=largest != resource.RLIM_INFINITY):
        case errno.EFBIG:
            return (
                f"no file may be larger than {largest / _MIB:,.1f} MiB (ulimit -f)",
                f"Raise the limit {_AGAIN}",
            )
        case errno.ENOSPC if disk.f_files and not disk.f_favail:
            what = f"the disk has no inodes left: all {disk.f_files:,} are in use {free}"
            return what, f"Remove files there, or use a disk with more inodes, {_AGAIN}"
        case errno.ENOSPC:
            what = f"the disk is full {free}"
        case errno.EDQUOT:
            what = f"the quota is used up {free}"
        case sqlite3.SQLITE_IOERR_WRITE:
            what = f"the disk refuses the write, perhaps because a quota is used up {free}"
        case _:
            return None
    return what, f"Make space {_AGAIN}"


def _number(error: BaseException, *, is_full: bool, is_limited: bool) -> int:
    """Return the errno of an error, if a library passes it on; 0 if it is not a system error.

    Args:
        error: The error.
        is_full: Whether the disk has no space left.
        is_limited: Whether the size of files is limited.
    """
    if isinstance(error, OSError):
        return error.errno or (errno.ENOSPC if is_full else 0)
    match getattr(error, "sqlite_errorcode", 0):
        case sqlite3.SQLITE_FULL:
            return errno.ENOSPC
        case sqlite3.SQLITE_IOERR_WRITE:
            return errno.EFBIG if is_limited else sqlite3.SQLITE_IOERR_WRITE
    return 0


def flush_to_disk(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def committed(path: Path, *, first_wins: bool = False) -> Iterator[Path]:
    """Yield a scratch path to write; on a clean exit, flush the file and rename it to ``path``.

    An exception leaves no file under either name. A killed process leaves only the scratch file. The folder
    of ``path`` is created if it is missing. Disk errors are raised as by :func:`clear_disk_errors`.

    Args:
        path: The file to write.
        first_wins: Keep a file that another process has written meanwhile, instead of replacing it.

    Yields:
        The path of a scratch file to create, in the folder of ``path``.
    """
    scratch = scratch_path(path)
    try:
        with clear_disk_errors(path):
            _validate_no_folder(path)
            _make_folder(path.parent)
            yield scratch
            flush_to_disk(scratch)
            if first_wins:
                _rename_unless_exists(scratch, path)
            else:
                os.replace(scratch, path)
            flush_to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):  # it is renamed, was never created, or the disk is not writable
            scratch.unlink()


def remove(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        DamagedError: It is a folder.
        DiskError: It cannot be removed.
    """
    with clear_disk_errors(path):
        _validate_no_folder(path)
        path.unlink(missing_ok=True)


_MOVE = "Move it away and run the same command again"


def _validate_no_folder(path: Path) -> None:
    """Raise an error if the path of a file is a folder, whose content is not ours to remove."""
    if path.is_dir() and not path.is_symlink():
        raise DamagedError(path, "is a folder, not a file", _MOVE)


def _make_folder(folder: Path) -> None:
    """Create a folder if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        raise DamagedError(file, "is a file, not a folder", _MOVE) from error


def _rename_unless_exists(scratch: Path, path: Path) -> None:
    """Rename a file unless the new name exists."""
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        pass
    except OSError:  # the file system has no hard links; the time between check and rename is short
        if not path.exists():
            os.replace(scratch, path)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, atomically."""
    with committed(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, *, first_wins: bool = False, mode: int = 0o666) -> None:  # noqa: ANN401 (JSON is any)
    """Write a value as indented JSON, atomically; equal values give equal bytes.

    Args:
        path: The file to write.
        content: The value.
        first_wins: See :func:`committed`.
        mode: The permissions of the file, before the umask.
    """
    with committed(path, first_wins=first_wins) as scratch:
        scratch.touch(mode)
        scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 (JSON is any)
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty dictionary if the file is missing or contains no object."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
