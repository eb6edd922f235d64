"""Folders on disk: listed by name, through links, and read file by file."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ChangedError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.faults import CHECK_PATH, FILE_FAULTS, GONE
from tol_luigi.sources.member_filter import classify_member, empty_folder, storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["entries", "is_file", "is_folder", "read_file", "scan_folder"]

_ONCE = (-1, -1)  # no file has this identity


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """List a folder in the order of the raw names, which does not depend on file system or locale.

    Raises:
        SourceError: It cannot be listed.
    """
    try:
        return _listed(folder)
    except OSError as error:
        raise SourceError(folder, f"cannot be listed: {error.strerror}", CHECK_PATH) from error


def _listed(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        return sorted(listing, key=lambda entry: os.fsencode(entry.name))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; a broken link is not one.

    Raises:
        SourceError: The system returns an error.
    """
    return _answer(entry.is_dir, entry)


def is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a regular file, or a link to one; see :func:`is_folder`."""
    return _answer(entry.is_file, entry)


def _answer(ask: Callable[[], bool], entry: os.DirEntry[str]) -> bool:
    try:
        return ask()
    except OSError as error:
        if error.errno in GONE:
            return False
        raise SourceError(entry.path, f"cannot be read: {error.strerror}", CHECK_PATH) from error


def scan_folder(root: Path, below: str) -> Iterator[Found]:
    """List the files of a folder, or of one sub-folder, in the order of their names.

    A file or folder that the system does not allow to be read or listed is a row with the state
    ``UNREADABLE``, which no other file of a scan has.
    """
    top = os.path.join(root, below)  # noqa: PTH118 (no path object for each of ten million names)
    pending: list[tuple[str, str, bool, tuple[tuple[int, int], ...]]] = [(top, below, False, ())]
    while pending:
        path, name, linked, above = pending.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 (as above)
        except OSError as error:
            yield _inaccessible(path, name, error)
            continue
        if not stat.S_ISDIR(status.st_mode):
            danger = "" if stat.S_ISREG(status.st_mode) else "device, pipe or socket"
            yield classify_member(name, status.st_size, danger=danger)
            continue
        this = (status.st_dev, status.st_ino)
        if linked and (reason := _link_fault(this, above)):
            yield Found(Member(storable(name), 0), state=State.UNSAFE, reason=reason)
            continue
        try:
            children = _listed(path)
        except OSError as error:
            yield _unlistable(path, name, error)
            continue
        if not children:
            yield empty_folder(name or root.name)
        within = (*above, this, _ONCE) if linked else (*above, this)
        prefix = f"{name}/" if name else ""
        pending += ((c.path, prefix + c.name, c.is_symlink(), within) for c in reversed(children))


def _link_fault(folder: tuple[int, int], above: tuple[tuple[int, int], ...]) -> str:
    """Return why a link to a folder is not followed, else "": links behind links could multiply endlessly."""
    if folder in above:
        return "link to a folder that it is in, so in a circle"
    return "link to a folder, behind another such link" if _ONCE in above else ""


def _inaccessible(path: str, name: str, error: OSError) -> Found:
    """Return the row of a file or folder whose status cannot be read."""
    if os.path.islink(path) and error.errno in {*GONE, errno.ENAMETOOLONG}:  # noqa: PTH114 (as above)
        if error.errno == errno.ELOOP:
            reason = "link in a circle"
        else:
            reason = f"link to {os.readlink(path)!r}, which is not there"  # noqa: PTH115 (as above)
        return Found(Member(storable(name), 0), state=State.UNSAFE, reason=reason)
    if error.errno in FILE_FAULTS:
        reason = f"cannot be reached: {error.strerror}"
        return Found(Member(storable(name), 0), state=State.UNREADABLE, reason=reason)
    raise _source_error(path, error) from error


def _unlistable(path: str, name: str, error: OSError) -> Found:
    """Return the row of a folder that the system does not list."""
    if error.errno in FILE_FAULTS and name:
        reason = f"cannot be listed: {error.strerror}"
        return Found(Member(f"{storable(name)}/", 0), state=State.UNREADABLE, reason=reason)
    raise _source_error(path, error) from error


def _source_error(path: str | Path, error: OSError) -> SourceError:
    """Return the error for a file or folder that was removed, or for a fault that affects all files."""
    if error.errno in GONE:
        return ChangedError(path, f"is gone since it was listed ({error.strerror})")
    return SourceError(path, f"cannot be read: {error.strerror}", CHECK_PATH)


def read_file(root: Path, member: Member) -> bytes:
    """Read one file.

    Raises:
        OSError: This file cannot be read at the moment; others may be readable.
        SourceError: No file can be read.
        ChangedError: The file has changed since the scan.
    """
    path = root / member.name
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != member.size:
                what = f"has {size} bytes, not {member.size} as when it was scanned"
                raise ChangedError(path, what)
            return file.read(size)
    except OSError as error:
        if error.errno in FILE_FAULTS:
            raise
        raise _source_error(path, error) from error
