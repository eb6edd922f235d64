"""Tar archives: read once from start to end; if uncompressed or with an index, also at offsets."""

from __future__ import annotations

import contextlib
import itertools
import re
import tarfile
from typing import IO, TYPE_CHECKING

from indexed_gzip import IndexedGzipFile
from isal import igzip

from tol_luigi.core.errors import ChangedError
from tol_luigi.core.files import committed
from tol_luigi.core.reader import FileContent, Found, Member, MemberError
from tol_luigi.sources.links import Links
from tol_luigi.sources.member_filter import Folders, classify_member
from tol_luigi.sources.streams import read_exactly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["open_seekable", "read_stream", "read_tarred", "scan_tar", "write_index"]

_CHUNK = 1 << 16
_SHORTENED = 90
"""The minimum length of a shortened name: a header has 100 bytes for it, with "./" and two-byte letters."""
_ESCAPED = re.compile(r"\\udc[89a-f][0-9a-f]")
"""A byte that is not UTF-8, as ``storable`` writes it."""

_SPACING = 1 << 25
_EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENDED |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_MAX_EXTENDED_BYTES = 1 << 20  # a longer name or comment is an attack on the memory


class _Header(tarfile.TarInfo):
    """A header of a tar, which must be valid: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Read one header."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the only sign of a proper end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"the tar is truncated or damaged ({error})") from error
        if header.size < 0 or (header.type in _EXTENDED and header.size > _MAX_EXTENDED_BYTES):
            raise tarfile.ReadError(f"a header claims {header.size} bytes")
        return header


class _Tar(tarfile.TarFile):
    """A tar that is read once from start to end."""

    tarinfo = _Header
    encoding = "utf-8"  # whatever the locale
    members: list[tarfile.TarInfo]
    fileobj: IO[bytes]

    def files(self, *, streamed: bool) -> Iterator[tarfile.TarInfo]:
        """Yield every member; then check that the archive ends at its end mark."""
        while (header := self.next()) is not None:
            if header.size < 0:
                raise tarfile.ReadError("a header claims a negative size")
            yield header
            self.members.clear()  # tarfile keeps them all
            # If a header has a wrong size, tarfile would continue far past the end of a stream.
            while streamed and (left := self.offset - self.fileobj.tell()) > 0:
                read_exactly(self.fileobj, min(left, _CHUNK))
        while rest := self.fileobj.read(_CHUNK):
            if rest.strip(b"\0"):
                raise tarfile.ReadError("data follow its end, perhaps a second tar")


@contextlib.contextmanager
def _opened(path: Path, form: str) -> Iterator[_Tar]:
    if form == "tar":
        with _Tar.open(path, "r:") as tar:
            yield tar
    else:
        packed = igzip.open(path, "rb")  # type: ignore[no-untyped-call]
        with packed, _Tar.open(fileobj=packed, mode="r|", bufsize=_CHUNK) as tar:
            yield tar


def _row(header: tarfile.TarInfo) -> Found:
    """Return the row of a member that is neither a link nor a folder."""
    danger = ""
    if header.issparse():
        danger = "sparse file, whose bytes are not in one piece"
    elif not header.isreg():
        danger = "device, pipe or other special entry"
    return classify_member(header.name, header.size, header.offset_data, danger)


def _is_link(header: tarfile.TarInfo) -> bool:
    return bool(header.issym() or header.islnk())


def scan_tar(path: Path, form: str) -> Iterator[Found]:
    """List a tar (``form`` is ``tar`` or ``tar.gz``); offsets are those in the uncompressed tar.

    If it contains links, it is read again for their targets, because all names might not fit in memory.
    """
    folders, links = Folders(), Links()
    with _opened(path, form) as tar:
        for header in tar.files(streamed=form != "tar"):
            folders.add(header.name, folder=header.isdir())
            if _is_link(header):
                links.add(header.name, header.linkname, header.offset_data, is_hard=header.islnk())
            elif not header.isdir():
                yield _row(header)
    if links.resolve():
        with _opened(path, form) as tar:
            for header in tar.files(streamed=form != "tar"):
                if not header.isdir() and not _is_link(header):
                    links.add_target(_row(header))
    yield from links.rows(folders)
    yield from folders.empty()


def read_stream(path: Path, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
    """Read members of a tar.gz in one pass, and in another one for links, which are listed last."""
    offsets = [member.offset or 0 for member in members]
    ends = [place for place in range(1, len(members)) if offsets[place] < offsets[place - 1]]
    for start, end in itertools.pairwise([0, *ends, len(members)]):
        for position, content in _read_in_order(path, members[start:end]):
            yield start + position, content


def _read_in_order(path: Path, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
    """Read members in one pass: they are in the order of their offsets, which several may share."""
    position = 0
    with _opened(path, "tar.gz") as tar:
        for header in tar.files(streamed=True):
            if position == len(members) or header.offset_data != members[position].offset:
                continue
            first, position = position, _end_of_same(header, members, position)
            if position == first:
                break
            file = tar.extractfile(header)
            content = file.read() if file else MemberError(f"{header.name}: no plain file")
            yield from ((place, content) for place in range(first, position))
    if position < len(members):
        raise _changed(path, members[position])


def _end_of_same(header: tarfile.TarInfo, members: Sequence[Member], position: int) -> int:
    """Return the position after the members, starting at a position, that have a given header."""
    found = (header.offset_data, classify_member(header.name, header.size).member.name, header.size)
    while position < len(members):
        member = members[position]
        if found != (member.offset, member.stored_as or member.name, member.size):
            break
        position += 1
    return position


def _changed(path: Path, member: Member) -> ChangedError:
    return ChangedError(path, f"no longer contains {member.name!r} where it was when it was scanned")


def write_index(path: Path, index: Path) -> None:
    """Write the index of a tar.gz: points at which decompression can start.

    Args:
        path: The archive, which must be intact: its checksum is not verified here.
        index: The file to write, about 32 KiB per 32 MiB of the uncompressed tar.
    """
    with committed(index) as scratch, IndexedGzipFile(path, spacing=_SPACING) as packed:
        packed.build_full_index()
        packed.export_index(str(scratch))


@contextlib.contextmanager
def open_seekable(path: Path, form: str, index: Path | None) -> Iterator[IO[bytes]]:
    """Open a tar that can be read at any offset: an uncompressed one directly, a tar.gz by its index."""
    if form == "tar":
        with path.open("rb") as file:
            yield file
    else:
        with IndexedGzipFile(path, index_file=str(index)) as packed:
            yield packed


def read_tarred(path: Path, file: IO[bytes], member: Member) -> bytes:
    """Read one file of a seekable tar; ``path`` is for messages."""
    file.seek((member.offset or 0) - tarfile.BLOCKSIZE)
    try:
        header = _Header.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        what = f"no longer contains {member.name!r} where it was when it was scanned ({error})"
        raise ChangedError(path, what) from error
    found = classify_member(header.name, header.size).member
    if header.size != member.size or not _is_name_of(found.name, member.stored_as or member.name):
        raise ChangedError(path, f"contains {found.name!r} where {member.name!r} was when it was scanned")
    return read_exactly(file, member.size)


def _is_name_of(found: str, listed: str) -> bool:
    """Return whether a name in a header may be a listed name: headers shorten and alter names."""
    short, complete = (_ESCAPED.sub("?", name).encode("ascii", "replace") for name in (found, listed))
    return complete == short or (len(short) >= _SHORTENED and complete.startswith(short))
