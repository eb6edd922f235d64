"""Readers of folders and archives (tar, tar.gz, zip) in place; nothing is ever unpacked.

``scan`` lists the files of a place, with the reason for each that cannot be an image; ``read`` yields the
bytes of listed files. Both hold one file at a time in memory, whatever the size of the archive.
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
from tol_luigi.core.reader import MAX_FILE_BYTES, FileContent, Found, Member, MemberError
from tol_luigi.sources.disk import entries, is_file, is_folder, read_file, scan_folder
from tol_luigi.sources.faults import CHECK_PATH, system_error
from tol_luigi.sources.formats import archive_form, ending_form, strip_ending
from tol_luigi.sources.tars import open_seekable, read_stream, read_tarred, scan_tar, write_index
from tol_luigi.sources.zips import InflateError, read_zipped, scan_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["entries", "index", "is_file", "is_folder", "is_quick", "kind", "read", "scan", "strip_ending"]

_AGAIN = "Fetch it again, or set [checks] unreadable_archive = skip to build without it"
_SMALL_BYTES = 1 << 24
"""An archive that is read to its end in a moment."""

_BROKEN = (
    *(OSError, EOFError, ValueError, LookupError, RecursionError, NotImplementedError),
    *(struct.error, tarfile.TarError, zipfile.BadZipFile, InflateError),
)


def kind(path: Path) -> str:
    """Return the kind of a place: ``folder`` or, by the ending of its name, ``tar.gz``, ``tar`` or ``zip``.

    The content decides how an archive is read, but is checked here only if the name has no such ending.

    Raises:
        SourceError: It does not exist, cannot be read, or is something else.
    """
    remedy = "Use a folder, or an archive: .tar.gz, .tgz, .tar, .zip"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return "folder"
        if form := ending_form(path.name) or (archive_form(path) if status.st_size else ""):
            return form
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror}", CHECK_PATH) from error
    except ArchiveError as error:
        raise SourceError(path, error.what, remedy) from error
    raise SourceError(path, "is neither a folder nor an archive", remedy)


def scan(path: Path, below: str = "") -> Iterator[Found]:
    """Yield the files of a folder or archive, in the order in which they are stored.

    A row without a state is a regular file with a safe name, the ending of an image and a readable size. Its
    name has ``/`` between the parts, without ``.`` and empty parts. Folders have no row unless they are
    empty: then the name ends in ``/``.

    A folder on disk is listed through its links, but not through links behind a link, nor through circular
    ones. Links within an archive to other files in it are rows of their own, after all others. A file or
    folder that cannot be read at the moment has the state ``UNREADABLE``.

    Args:
        path: A folder or an archive.
        below: List only this sub-folder of a folder; the names still start at ``path``.

    Raises:
        SourceError: It cannot be read.
        ArchiveError: The archive is damaged.
    """
    if kind(path) == "folder":
        yield from scan_folder(path, below)
        return
    with _guarded(path):
        form = archive_form(path)
        yield from scan_zip(path) if form == "zip" else scan_tar(path, form)


def index(path: Path, target: Path) -> None:
    """Write the index of a tar.gz that has been scanned to its end; other kinds need none.

    Args:
        path: The archive.
        target: The path of the index, for :func:`read`.
    """
    if kind(path) == "folder":
        return
    with _guarded(path):
        if archive_form(path) == "tar.gz":
            write_index(path, target)


def read(
    path: Path, members: Sequence[Member], index_file: Path | None = None
) -> Iterator[tuple[int, FileContent]]:
    """Read listed files, as ``Reader.read`` specifies.

    A tar.gz without an index is read to its end. In everything else, members are read at their offsets;
    nothing is listed again.

    Args:
        path: A folder or an archive.
        members: The files to read, in the order of the scan.
        index_file: The path of the index of :func:`index`, which need not exist.

    Raises:
        SourceError: The place cannot be read.
        ArchiveError: The archive is damaged.
        ChangedError: The place has changed since the scan.
    """
    is_loose = kind(path) == "folder"
    if not members:
        return  # a skipped archive has no members
    if is_loose:
        yield from _read_folder(path, members)
        return
    known = index_file if index_file and index_file.exists() else None
    with _guarded(path):
        form = archive_form(path)
        if form == "zip":
            with path.open("rb") as file:
                yield from _read_members(functools.partial(read_zipped, path, file), members)
        elif form == "tar.gz" and known is None:
            yield from read_stream(path, members)
        else:
            with open_seekable(path, form, known) as file:
                yield from _read_members(functools.partial(read_tarred, path, file), members)


def is_quick(path: Path, index_file: Path | None = None) -> bool:
    """Return whether single files can be read quickly: :func:`read` does not read all before them, or that is little.

    Raises:
        SourceError: The place cannot be read.
    """
    is_streamed = kind(path) == "tar.gz" and not (index_file and index_file.exists())
    return not is_streamed or path.stat().st_size <= _SMALL_BYTES


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Convert the errors of an archive's readers to errors that name the archive."""
    try:
        yield
    except SourceError:
        raise
    except _BROKEN as error:
        # A system error does not show that the archive is damaged, so no setting may skip it.
        if cause := system_error(error):
            raise SourceError(path, f"cannot be read: {cause.strerror}", CHECK_PATH) from error
        raise ArchiveError(path, f"is incomplete or damaged: {error}", _AGAIN) from error


def _read_folder(root: Path, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
    """Read files one by one; an OSError concerns only a single file."""
    for position, member in enumerate(members):
        content: FileContent
        try:
            content = _bounded(functools.partial(read_file, root), member)
        except (MemberError, OSError) as error:
            content = error
        yield position, content


def _read_members(
    read_one: Callable[[Member], bytes], members: Sequence[Member]
) -> Iterator[tuple[int, FileContent]]:
    """Read members of an archive one by one; only a MemberError concerns a single member."""
    for position, member in enumerate(members):
        content: FileContent
        try:
            content = _bounded(read_one, member)
        except MemberError as error:
            content = error
        yield position, content


def _bounded(read_one: Callable[[Member], bytes], member: Member) -> bytes:
    if member.size > MAX_FILE_BYTES:
        raise MemberError(f"{member.size} bytes, more than {MAX_FILE_BYTES}")
    return read_one(member)
