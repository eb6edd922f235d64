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
from typing import IO, TYPE_CHECKING

from isal import igzip, isal_zlib

from tol_luigi.core.errors import ArchiveError, SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import MAX_FILE_BYTES, Found, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["IMAGE_ENDINGS", "entries", "kind", "read", "scan", "unended"]

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp"})
"""Endings, in lower case, of the files that can be pictures."""

_ARCHIVE_ENDINGS = {".tar.gz": "tar.gz", ".tgz": "tar.gz", ".tar": "tar", ".zip": "zip"}
_PART_ENDINGS = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp"})
_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_LOOK = "See that the settings name the right place and that you may read it"
_AGAIN = "Fetch it again, or set [checks] unreadable_archive = skip to build without it"
_CHUNK = 1 << 16
_ABOUT = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE})
_ABOUT |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_ABOUT_BYTES = 1 << 20  # a name or comment of a tar longer than this is an attack on the memory
_IsalError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # isal's stub calls it an instance
_BROKEN = (
    *(OSError, EOFError, ValueError, LookupError, RecursionError, NotImplementedError),
    *(struct.error, tarfile.TarError, zipfile.BadZipFile, _IsalError),
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
        yield from _scan_zip(path) if form == "zip" else _scan_tar(path, form)


def read(path: Path, members: Sequence[Member]) -> Iterator[tuple[int, bytes | OSError]]:
    """Read listed files, as ``Source.read`` says.

    A tar.gz is read through to its end, and a member is known by its name and size: of several
    alike, the first one given is the first in the archive, and so on. The other kinds are
    entered where each member lies; nothing is listed again.

    Raises:
        SourceError: The place cannot be read.
        ArchiveError: The archive is not whole, or not the one that was scanned.
    """
    form = kind(path)
    if form == "folder":
        yield from _taken(functools.partial(_take_file, path), members)
    elif form == "tar.gz":
        with _guarded(path):
            yield from _read_through(path, members)
    else:
        take = _take_zipped if form == "zip" else _take_tarred
        with _guarded(path), path.open("rb") as file:
            yield from _taken(functools.partial(take, file), members)


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


def _entry(name: str, size: int, offset: int | None = None, danger: str = "") -> Found:
    """Judge one file by its name and size."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not danger:
        danger = _danger_of_name(name, parts)
    tidy = name if danger else "/".join(parts)
    state, reason = (State.UNSAFE, danger) if danger else _fault(tidy, parts, size)
    return Found(Member(_shown(tidy), size, offset), state=state, reason=reason)


def _shown(name: str) -> str:
    """Spell a name so that it can be stored: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _danger_of_name(name: str, parts: list[str]) -> str:
    if name.startswith("/"):
        return "absolute name"
    if ".." in parts:
        return "name leads out of the archive"
    if "\\" in name or "\0" in name:
        return "name holds a backslash or a NUL"
    return "" if parts else "no name"


def _fault(name: str, parts: list[str], size: int) -> tuple[State | None, str]:
    """Say why a file is no image to use, as far as can be told without its content."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return State.BAD_NAME, "name is not valid UTF-8"
    for part in parts:
        if part.startswith(".") or part in _LITTER:
            what = "macOS resource fork" if part.startswith("._") else "hidden, or litter of a desktop"
            return State.NO_IMAGE, f"{what}: {part!r}"
    stem, ending = os.path.splitext(parts[-1])  # noqa: PTH122 (a path object for each of ten million names)
    if ending.lower() in _PART_ENDINGS and stem.lower().endswith(tuple(IMAGE_ENDINGS)):
        return State.BAD_NAME, f"unfinished download, ending {ending}"
    if ending.lower() not in IMAGE_ENDINGS:
        return State.NO_IMAGE, f"no image by its ending {ending!r}"
    if size > MAX_FILE_BYTES:
        return State.TOO_LARGE, f"{size} bytes, more than {MAX_FILE_BYTES}"
    return None, ""


class _Folders:
    """Tells which folders of an archive hold nothing at all."""

    def __init__(self) -> None:
        self._named: dict[str, None] = {}
        self._filled: set[str] = set()

    def add(self, name: str, *, folder: bool) -> None:
        """Note a folder or a file, and with it the folders that it lies in."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if folder and parts:
            self._named["/".join(parts)] = None
        while parts := parts[:-1]:
            above = "/".join(parts)
            if above in self._filled:
                break
            self._filled.add(above)

    def empty(self) -> Iterator[Found]:
        """Give a row for each folder in which nothing lies."""
        return (_no_images(name) for name in self._named if name not in self._filled)


def _no_images(folder: str) -> Found:
    return Found(Member(f"{_shown(folder)}/", 0), state=State.NO_IMAGE, reason="a folder without images")


def _scan_folder(root: Path, below: str) -> Iterator[Found]:
    top = os.path.join(root, below)  # noqa: PTH118 (a path object for each of ten million names)
    pending: list[tuple[str, str, bool, tuple[tuple[int, int], ...]]] = [(top, below, False, ())]
    while pending:
        path, name, linked, above = pending.pop()
        try:
            status = os.stat(path)  # noqa: PTH116 (as above)
        except OSError as error:
            state = State.UNSAFE if os.path.islink(path) else State.UNREADABLE  # noqa: PTH114 (as above)
            yield Found(Member(_shown(name), 0), state=state, reason=f"cannot be reached: {error.strerror}")
            continue
        if stat.S_ISDIR(status.st_mode):
            this = (status.st_dev, status.st_ino)
            # links of links multiply without end, so below one link no other is followed
            if linked and (this in above or _ONCE in above):
                reason = "link to a folder, behind another such link or in a circle"
                yield Found(Member(_shown(name), 0), state=State.UNSAFE, reason=reason)
                continue
            within = (*above, this, _ONCE) if linked else (*above, this)
            children = entries(path)
            if not children:
                yield _no_images(name or root.name)
            prefix = f"{name}/" if name else ""
            pending += ((c.path, prefix + c.name, c.is_symlink(), within) for c in reversed(children))
        else:
            danger = "" if stat.S_ISREG(status.st_mode) else "device, pipe or socket"
            yield _entry(name, status.st_size, danger=danger)


_ONCE = (-1, -1)  # no file has this identity


class _Header(tarfile.TarInfo):
    """A header of a tar that must be sound: tarfile takes a broken one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Read one header."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the one sign of a proper end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"the tar breaks off or is damaged ({error})") from error
        if header.size < 0 or (header.type in _ABOUT and header.size > _ABOUT_BYTES):
            raise tarfile.ReadError(f"a header claims {header.size} bytes")
        return header


class _Tar(tarfile.TarFile):
    """A tar read once from start to end."""

    tarinfo = _Header
    encoding = "utf-8"  # whatever the locale says
    members: list[tarfile.TarInfo]
    fileobj: IO[bytes]

    def files(self, *, streamed: bool) -> Iterator[tarfile.TarInfo]:
        """Give every member, then make sure that the archive ends where it says that it ends."""
        while (header := self.next()) is not None:
            if header.size < 0:
                raise tarfile.ReadError("a header claims a negative size")
            yield header
            self.members.clear()  # tarfile would keep them all
            # where a header lies about its size, tarfile would go on for ages past the end of a stream
            while streamed and (left := self.offset - self.fileobj.tell()) > 0:
                _exactly(self.fileobj, min(left, _CHUNK))
        while rest := self.fileobj.read(_CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("something follows behind its end, perhaps a second tar")


@contextlib.contextmanager
def _opened(path: Path, form: str) -> Iterator[_Tar]:
    if form == "tar":
        with _Tar.open(path, "r:") as tar:
            yield tar
    else:
        packed = igzip.open(path, "rb")  # type: ignore[no-untyped-call]
        with packed, _Tar.open(fileobj=packed, mode="r|", bufsize=_CHUNK) as tar:
            yield tar


def _danger_of_header(header: tarfile.TarInfo) -> str:
    if header.issym() or header.islnk():
        return "symbolic link" if header.issym() else "hard link"
    if header.issparse():
        return "sparse file, whose bytes do not lie in one piece"
    return "" if header.isreg() else "device, pipe or other special entry"


def _scan_tar(path: Path, form: str) -> Iterator[Found]:
    folders = _Folders()
    with _opened(path, form) as tar:
        for header in tar.files(streamed=form != "tar"):
            folders.add(header.name, folder=header.isdir())
            if not header.isdir():
                offset = header.offset_data if form == "tar" else None
                yield _entry(header.name, header.size, offset, _danger_of_header(header))
    yield from folders.empty()


def _scan_zip(path: Path) -> Iterator[Found]:
    folders = _Folders()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.orig_filename  # ``filename`` is cut at a NUL
            folders.add(name, folder=name.endswith("/"))
            if not name.endswith("/"):
                form = stat.S_IFMT(info.external_attr >> 16)
                danger = "" if form in {0, stat.S_IFREG} else "device, pipe or other special entry"
                danger = "symbolic link" if form == stat.S_IFLNK else danger
                yield _entry(name, info.file_size, info.header_offset, danger)
    yield from folders.empty()


def _read_through(path: Path, members: Sequence[Member]) -> Iterator[tuple[int, bytes | OSError]]:
    """Read members of a tar.gz in one pass: they are given in the order in which they lie."""
    position = 0
    with _opened(path, "tar.gz") as tar:
        for header in tar.files(streamed=True) if members else ():
            if position == len(members) or _danger_of_header(header):
                continue
            found, wanted = _entry(header.name, header.size), members[position]
            if (found.member.name, header.size) == (wanted.name, wanted.size):
                file = tar.extractfile(header) if found.state is None else None
                yield position, file.read() if file else OSError(f"{wanted.name}: {found.reason}")
                position += 1
    if position < len(members):
        what = f"does not hold {members[position].name!r} where it was when the archive was scanned"
        raise ArchiveError(path, what, "Scan it again")


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
        _bound(member, size)
        return file.read(size)


def _take_tarred(file: IO[bytes], member: Member) -> bytes:
    # the header lies before the data, and its checksum tells that this is still the archive that was scanned
    file.seek((member.offset or 0) - tarfile.BLOCKSIZE)
    _Header.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    return _exactly(file, member.size)


def _exactly(file: IO[bytes], size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("it ends within a file")
    return content


_LOCAL = struct.Struct("<4s2x2H4xL8x2H")  # signature, flags, method, CRC, lengths of name and extra field
_LOCAL_SIGNATURE, _TRAILER_SIGNATURE = b"PK\3\4", b"PK\7\x08"
_ENCRYPTED, _TRAILER = 1, 8  # bits of the flags: a trailer repeats what the header could not know yet


def _take_zipped(file: IO[bytes], member: Member) -> bytes:
    """Read one file of a zip from its local header on.

    The header's sizes are not used, for they may be absent (trailer) or elsewhere (zip64): the
    listing knows the size, and deflated data tell their end.
    """
    file.seek(member.offset or 0)
    signature, flags, method, crc, *lengths = _LOCAL.unpack(_exactly(file, _LOCAL.size))
    if signature != _LOCAL_SIGNATURE:
        raise zipfile.BadZipFile(f"no file begins at byte {member.offset}")
    if flags & _ENCRYPTED or method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        what = "encrypted" if flags & _ENCRYPTED else f"packed by method {method}, which is not read"
        raise OSError(f"{member.name}: {what}")
    file.seek(sum(lengths), os.SEEK_CUR)
    content = _exactly(file, member.size) if method == zipfile.ZIP_STORED else _inflated(file, member)
    sums = {crc}
    if flags & _TRAILER:
        trailer = file.read(8)
        sums = {int.from_bytes(trailer[:4], "little")}
        if trailer.startswith(_TRAILER_SIGNATURE):  # which a writer may leave out
            sums.add(int.from_bytes(trailer[4:], "little"))
    if isal_zlib.crc32(content) not in sums:
        raise OSError(f"{member.name}: its checksum does not fit")
    return content


def _inflated(file: IO[bytes], member: Member) -> bytes:
    """Inflate to the end of the data, and leave the file there; never more than the listed size and a byte."""
    inflate, pieces, left = isal_zlib.decompressobj(-15), [], member.size + 1
    try:
        while left and not inflate.eof:
            packed = inflate.unconsumed_tail or file.read(_CHUNK)
            if not packed:
                raise EOFError("it ends within a file")
            pieces.append(inflate.decompress(packed, left))
            left -= len(pieces[-1])
    except _IsalError as error:
        raise OSError(f"{member.name}: its packed data are damaged ({error})") from error
    if left != 1:
        raise OSError(f"{member.name}: it does not unpack to {member.size} bytes")
    file.seek(-len(inflate.unused_data), os.SEEK_CUR)
    return b"".join(pieces)
