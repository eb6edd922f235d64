"""Folders and archives (tar, tar.gz, zip) read where they lie; nothing is ever unpacked.

``scan`` lists the files of a place and says of each that cannot be an image why not; ``read``
gives the bytes of listed files. Both hold one file at a time, whatever the archive holds.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ArchiveError, ChangedError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import MAX_FILE_BYTES, Found, Member
from tol_luigi.sources.judging import judged, no_images, shown
from tol_luigi.sources.tars import entered, read_through, scan_tar, take_tarred, write_index
from tol_luigi.sources.zips import InflateError, scan_zip, take_zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["entries", "index", "kind", "read", "scan", "unended"]

_ARCHIVE_ENDINGS = {".tar.gz": "tar.gz", ".tgz": "tar.gz", ".tar": "tar", ".zip": "zip"}
_LOOK = "See that the settings name the right place and that you may read it"
_AGAIN = "Fetch it again, or set [checks] unreadable_archive = skip to build without it"
_BROKEN = (
    *(OSError, EOFError, ValueError, LookupError, RecursionError, NotImplementedError),
    *(struct.error, tarfile.TarError, zipfile.BadZipFile, InflateError),
)


def unended(name: str) -> str:
    """Drop the ending of an archive's name; "" where the name is no archive's."""
    for ending in _ARCHIVE_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return ""


def kind(path: Path) -> str:
    """Tell what lies at a place: ``folder``, or by the ending of its name ``tar.gz``, ``tar`` or ``zip``.

    Raises:
        SourceError: It is not there, may not be read, or is something else.
    """
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return "folder"
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror}", _LOOK) from error
    for ending, form in _ARCHIVE_ENDINGS.items():
        if path.name.lower().endswith(ending):
            return form
    remedy = f"Name a folder, or an archive ending in {', '.join(_ARCHIVE_ENDINGS)}"
    raise SourceError(path, "is neither a folder nor an archive by its name", remedy)


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """List a folder in the order of the raw names, which no file system or locale changes.

    Raises:
        SourceError: It cannot be listed.
    """
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise SourceError(folder, f"cannot be listed: {error.strerror}", _LOOK) from error


def scan(path: Path, below: str = "") -> Iterator[Found]:
    """List the files of a folder or archive, in the order in which they lie there.

    A row without a state is a regular file with a safe name, the ending of a picture and a size
    that can be read; its name has ``/`` between the parts and neither ``.`` nor empty parts.
    Folders are no rows, unless nothing at all lies in them: then the name ends in ``/``. A folder on disk is listed through
    its links, but not through links behind a link, nor through those that lead in a circle.

    Args:
        path: A folder or an archive.
        below: List only this sub-folder of a folder; the names still start at ``path``.

    Raises:
        SourceError: It cannot be read.
        ArchiveError: The archive is not whole.
    """
    form = kind(path)
    if form == "folder":
        yield from _scan_folder(path, below)
        return
    with _guarded(path):
        yield from scan_zip(path) if form == "zip" else scan_tar(path, form)


def index(path: Path, target: Path) -> None:
    """Make a tar.gz that has been scanned to its end quick to enter; other kinds are so by themselves.

    Args:
        path: The archive.
        target: Where its index goes; :func:`read` takes it.
    """
    if kind(path) == "tar.gz":
        with _guarded(path):
            write_index(path, target)


def read(
    path: Path, members: Sequence[Member], index_file: Path | None = None
) -> Iterator[tuple[int, bytes | OSError]]:
    """Read listed files, as ``Source.read`` says.

    A tar.gz without an index is read through to its end. Everything else is entered where each
    member lies; nothing is listed again.

    Args:
        path: A folder or an archive.
        members: What to read, in the order of the scan.
        index_file: What :func:`index` has written, if it has.

    Raises:
        SourceError: The place cannot be read.
        ArchiveError: The archive is not whole, or not the one that was scanned.
    """
    form = kind(path)
    if not members:
        return  # also of an archive that is left out because it is not whole
    if form == "folder":
        yield from _taken(functools.partial(_take_file, path), members)
        return
    known = index_file if index_file and index_file.exists() else None
    with _guarded(path):
        if form == "zip":
            with path.open("rb") as file:
                yield from _taken(functools.partial(take_zipped, path, file), members)
        elif form == "tar.gz" and known is None:
            yield from read_through(path, members)
        else:
            with entered(path, form, known) as file:
                yield from _taken(functools.partial(take_tarred, path, file), members)


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Name the archive in whatever the readers of its format raise."""
    try:
        yield
    except SourceError:
        raise
    except _BROKEN as error:
        # an error of the disk says nothing about the archive, so no setting may skip it
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise SourceError(path, f"cannot be read: {error.strerror}", _LOOK) from error
        empty = path.stat().st_size == 0
        raise ArchiveError(path, "is empty" if empty else f"is not whole: {error}", _AGAIN) from error


def _scan_folder(root: Path, below: str) -> Iterator[Found]:
    top = os.path.join(root, below)  # noqa: PTH118 (a path object for each of ten million names)
    pending: list[tuple[str, str, bool, tuple[tuple[int, int], ...]]] = [(top, below, False, ())]
    while pending:
        path, name, linked, above = pending.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 (as above)
        except OSError as error:
            state = State.UNSAFE if os.path.islink(path) else State.UNREADABLE  # noqa: PTH114 (as above)
            yield Found(Member(shown(name), 0), state=state, reason=f"cannot be reached: {error.strerror}")
            continue
        if stat.S_ISDIR(status.st_mode):
            this = (status.st_dev, status.st_ino)
            # links of links multiply without end, so below one link no other is followed
            if linked and (this in above or _ONCE in above):
                reason = "link to a folder, behind another such link or in a circle"
                yield Found(Member(shown(name), 0), state=State.UNSAFE, reason=reason)
                continue
            within = (*above, this, _ONCE) if linked else (*above, this)
            children = entries(path)
            if not children:
                yield no_images(name or root.name)
            prefix = f"{name}/" if name else ""
            pending += ((c.path, prefix + c.name, c.is_symlink(), within) for c in reversed(children))
        else:
            danger = "" if stat.S_ISREG(status.st_mode) else "device, pipe or socket"
            yield judged(name, status.st_size, danger=danger)


_ONCE = (-1, -1)  # no file has this identity


def _taken(
    take: Callable[[Member], bytes], members: Sequence[Member]
) -> Iterator[tuple[int, bytes | OSError]]:
    """Read members one by one; an OSError is the fault of its member."""
    for position, member in enumerate(members):
        content: bytes | OSError
        try:
            _bound(member, member.size)
            content = take(member)
        except OSError as error:
            content = error
        yield position, content


def _bound(member: Member, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), member.name)


def _take_file(root: Path, member: Member) -> bytes:
    with (root / member.name).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != member.size:
            raise ChangedError(
                root / member.name, f"has {size} bytes, not {member.size} as when it was scanned"
            )
        return file.read(size)
