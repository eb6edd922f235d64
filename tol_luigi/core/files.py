"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import functools
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
from tol_luigi.core.machine import boot_id

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
    "scratch_beside",
    "sha256_file",
    "write_json",
]

ATTEMPT = ".attempt-"
"""What marks a scratch name. Whatever bears it belongs to a process at work, or is a dead one's leftover."""

_MARK = re.compile(r"-(?P<place>[0-9a-f]{8})-(?P<pid>\d{1,9})-(?P<start>\d+)-[0-9a-f]{8}(?:-|$)")
_DAY = 24 * 60 * 60
_MOST_ENTRIES = 100_000
"""A dataset of ten million images has some five thousand files. Whoever keeps far more in its folder is not kept waiting."""


def scratch_beside(path: Path) -> Path:
    """Name a scratch file or folder in the folder of ``path``, so that a rename is enough to commit it.

    The name is hidden, tells host and process, and is never used twice: two processes that
    make the same file do not meet.
    """
    pid = os.getpid()
    mark = f"{socket.gethostname()}-{_place()}-{pid}-{_start(pid)}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}{ATTEMPT}{mark}")


@functools.cache
def _place() -> str:
    """Name the boot of this machine and the container, if any: process numbers tell something within one of them.

    Host names do not: containers may bear that of their host, and machines of a cluster the same.
    """
    boot = boot_id()
    try:
        numbers = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    if not boot:
        return ""
    return hashlib.sha256(f"{boot}\n{numbers}".encode()).hexdigest()[:8]


def _start(pid: int) -> str:
    """Tell when a process began, as the kernel counts; "" if it has ended, or cannot be seen."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()  # before that stands the program's name, whatever is in it
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _is_at_work(pid: int, start: str) -> bool:
    """Tell whether a process goes on, and is not another one that has got its number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, who may be hidden
        return _start(pid) in {start, ""}
    return _start(pid) == start


def remove_leftovers(directory: Path, now: float) -> None:
    """Remove the scratch files and folders that killed processes have left in a folder, or anywhere below it.

    One goes if surely nobody writes it any more: its process ran on this machine and has ended; or, as
    other machines cannot be asked, it has not been written to for a day. What cannot be removed stays.

    Every folder is listed once; nothing but what has a scratch name is looked at more closely.

    Args:
        directory: The folder.
        now: The time, in seconds since 1970.
    """
    for scratch in _scratch_below(directory):
        with contextlib.suppress(OSError):  # another process may be at it, too
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
    if mark and mark["place"] == _place():
        return not _is_at_work(int(mark["pid"]), mark["start"])
    return now - scratch.lstat().st_mtime > _DAY


_AGAIN = "and run the same command again"
_MIB = 1 << 20


@contextlib.contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Raise an error of one clear line where a disk is full, read-only or out of inodes, or a file may not grow.

    Args:
        path: What is being written.

    Raises:
        DiskError: That is so, whatever SQLite, a library or a stage has made of what the system said.
    """
    try:
        yield
    except DiskError:
        raise
    except Exception as error:
        for link in causes(error):
            if isinstance(link, DiskError):  # what was being closed after it has failed for the same reason
                raise DiskError(*link.args) from error
        # the nearest folder that is there; a file in its place is none
        folder = next(folder for folder in path.parents if os.access(f"{folder}/.", os.F_OK))
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            remedy = f"Mount it for writing, or choose another [dataset] root, {_AGAIN}"
            raise DiskError(path, "its file system is read-only", remedy) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            remedy = f"Allow it, or choose another [dataset] root, {_AGAIN}"
            raise DiskError(path, "its folder may not be written to", remedy) from error
        if fault := next(filter(None, (_fault(link, folder) for link in causes(error))), None):
            raise DiskError(path, *fault) from error
        raise


def _fault(error: BaseException, folder: Path) -> tuple[str, str] | None:
    """Return which limit of a disk an error comes of, and what to do; None if of none."""
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
            what = f"the disk refuses it, perhaps as a quota is used up {free}"
        case _:
            return None
    return what, f"Make space {_AGAIN}"


def _number(error: BaseException, *, is_full: bool, is_limited: bool) -> int:
    """Return the number of the system's error, as far as a library passes it on; 0 if it is not one of the system.

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
    """Give a scratch path to write; on a clean exit flush it and rename it to ``path``.

    After an exception nothing is left under either name. A process killed in between leaves
    the scratch file only. The folder of ``path`` is made where it is missing. That a disk is full
    is told as :func:`clear_disk_errors` does.

    Args:
        path: The file to make.
        first_wins: Leave a file alone that has come to be there meanwhile, instead of replacing it.

    Yields:
        The scratch path: a file to create, in the folder of ``path``.
    """
    scratch = scratch_beside(path)
    try:
        with clear_disk_errors(path):
            _refuse_folder(path)
            _make_folder(path.parent)
            yield scratch
            flush_to_disk(scratch)
            if first_wins:
                _rename_unless_there(scratch, path)
            else:
                os.replace(scratch, path)
            flush_to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made, or on a disk that nobody may write to
            scratch.unlink()


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        DamagedError: It is a folder.
        DiskError: It may not be removed.
    """
    with clear_disk_errors(path):
        _refuse_folder(path)
        path.unlink(missing_ok=True)


_MOVE = "Move it away and run the same command again"


def _refuse_folder(path: Path) -> None:
    """Raise if a folder is where a file belongs: whatever is in it, nobody here has put it there."""
    if path.is_dir() and not path.is_symlink():
        raise DamagedError(path, "is a folder, where a file belongs", _MOVE)


def _make_folder(folder: Path) -> None:
    """Make a folder where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        raise DamagedError(file, "is a file, where a folder belongs", _MOVE) from error


def _rename_unless_there(scratch: Path, path: Path) -> None:
    """Give a file its name unless another has it."""
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links: the moment between look and rename is short
        if not path.exists():
            os.replace(scratch, path)


def sha256_file(path: Path) -> str:
    """Hash a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Any, *, first_wins: bool = False, mode: int = 0o666) -> None:  # noqa: ANN401 (JSON is any)
    """Write a value as JSON that people can read, whole or not at all; equal values give equal bytes.

    Args:
        path: The file to write.
        content: The value.
        first_wins: See :func:`committed`.
        mode: Who may read and write it, unless the umask forbids it.
    """
    with committed(path, first_wins=first_wins) as scratch:
        scratch.touch(mode)
        scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 (JSON is any)
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is no file, or none that holds an object."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
