"""Folders and archives (tar, tar.gz, zip) read where they are; nothing is ever unpacked.

``scan`` lists the files of a place and says of each that cannot be an image why not; ``read``
gives the bytes of listed files. Both hold one file at a time, whatever the archive holds.
"""

from __future__ import annotations

import contextlib
import functools
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.source import MAX_FILE_BYTES, FileContent, Found, Member, MemberError
from tol_luigi.sources.disk import entries, is_file, is_folder, scan_folder, take_file
from tol_luigi.sources.faults import LOOK, system_error
from tol_luigi.sources.formats import archive_form, ending_form, unended
from tol_luigi.sources.tars import entered, read_through, scan_tar, take_tarred, write_index
from tol_luigi.sources.zips import InflateError, scan_zip, take_zipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["entries", "index", "is_file", "is_folder", "kind", "read", "scan", "unended"]

_AGAIN = "Fetch it again, or set [checks] unreadable_archive = skip to build without it"
_BROKEN = (
    *(OSError, EOFError, ValueError, LookupError, RecursionError, NotImplementedError),
    *(struct.error, tarfile.TarError, zipfile.BadZipFile, InflateError),
)


def kind(path: Path) -> str:
    """Return what is at a place: ``folder`` or, by the ending of its name, ``tar.gz``, ``tar`` or ``zip``.

    Its content decides how an archive is read, but only a name without such an ending makes it worth a look here.

    Raises:
        SourceError: It is not there, may not be read, or is something else.
    """
    remedy = "Name a folder, or an archive: .tar.gz, .tgz, .tar, .zip"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return "folder"
        if form := ending_form(path.name) or (archive_form(path) if status.st_size else ""):
            return form
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror}", LOOK) from error
    except ArchiveError as error:
        raise SourceError(path, error.what, remedy) from error
    raise SourceError(path, "is neither a folder nor an archive", remedy)


def scan(path: Path, below: str = "") -> Iterator[Found]:
    """List the files of a folder or archive, in the order in which they lie there.

    A row without a state is a regular file with a safe name, the ending of a picture and a size
    that can be read; its name has ``/`` between the parts and neither ``.`` nor empty parts.
    Folders are no rows, unless nothing at all is in them: then the name ends in ``/``. A folder on disk is listed through
    its links, but not through links behind a link, nor through those that lead in a circle. Links within an archive to
    other files in it are files of their own; they come last. What cannot be looked at just now has the state ``UNREADABLE``.

    Args:
        path: A folder or an archive.
        below: List only this sub-folder of a folder; the names still start at ``path``.

    Raises:
        SourceError: It cannot be read.
        ArchiveError: The archive is not whole.
    """
    if kind(path) == "folder":
        yield from scan_folder(path, below)
        return
    with _guarded(path):
        form = archive_form(path)
        yield from scan_zip(path) if form == "zip" else scan_tar(path, form)


def index(path: Path, target: Path) -> None:
    """Make a tar.gz that has been scanned to its end quick to enter; other kinds are so by themselves.

    Args:
        path: The archive.
        target: Where its index goes; :func:`read` takes it.
    """
    if kind(path) == "folder":
        return
    with _guarded(path):
        if archive_form(path) == "tar.gz":
            write_index(path, target)


def read(
    path: Path, members: Sequence[Member], index_file: Path | None = None
) -> Iterator[tuple[int, FileContent]]:
    """Read listed files, as ``Reader.read`` says.

    A tar.gz without an index is read through to its end. Everything else is entered where each
    member is; nothing is listed again.

    Args:
        path: A folder or an archive.
        members: What to read, in the order of the scan.
        index_file: What :func:`index` has written, if it has.

    Raises:
        SourceError: The place cannot be read.
        ArchiveError: The archive is not whole.
        ChangedError: The place is not the one that was scanned.
    """
    is_loose = kind(path) == "folder"
    if not members:
        return  # also of an archive that is left out because it is not whole
    if is_loose:
        yield from _read_folder(path, members)
        return
    known = index_file if index_file and index_file.exists() else None
    with _guarded(path):
        form = archive_form(path)
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
        # an error of the system says nothing about the archive, so no setting may skip it
        if cause := system_error(error):
            raise SourceError(path, f"cannot be read: {cause.strerror}", LOOK) from error
        raise ArchiveError(path, f"is not whole: {error}", _AGAIN) from error


def _read_folder(root: Path, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
    """Read files one by one; an OSError is one that keeps a single file from being read."""
    for position, member in enumerate(members):
        content: FileContent
        try:
            content = _bounded(functools.partial(take_file, root), member)
        except (MemberError, OSError) as error:
            content = error
        yield position, content


def _taken(take: Callable[[Member], bytes], members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
    """Read members of an archive one by one; all errors but those of a single member's content are the archive's."""
    for position, member in enumerate(members):
        content: FileContent
        try:
            content = _bounded(take, member)
        except MemberError as error:
            content = error
        yield position, content


def _bounded(take: Callable[[Member], bytes], member: Member) -> bytes:
    if member.size > MAX_FILE_BYTES:
        raise MemberError(f"{member.size} bytes, more than {MAX_FILE_BYTES}")
    return take(member)
