"""Zip archives: listed by their directory, read file by file without it."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from typing import IO, TYPE_CHECKING

from isal import isal_zlib

from tol_luigi.core.errors import ChangedError
from tol_luigi.sources.judging import Folders, judged
from tol_luigi.sources.streams import exactly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.source import Found, Member

__all__ = ["InflateError", "scan_zip", "take_zipped"]

InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # isal's stub calls it an instance

_CHUNK = 1 << 16
_LOCAL = struct.Struct("<4s2x2H4xL8x2H")  # signature, flags, method, CRC, lengths of name and extra field
_LOCAL_SIGNATURE, _TRAILER_SIGNATURE = b"PK\3\4", b"PK\7\x08"
_ENCRYPTED, _TRAILER = 1, 8  # bits of the flags: a trailer repeats what the header could not know yet


def scan_zip(path: Path) -> Iterator[Found]:
    """List a zip by its directory."""
    folders = Folders()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.orig_filename  # ``filename`` is cut at a NUL
            folders.add(name, folder=name.endswith("/"))
            if not name.endswith("/"):
                form = stat.S_IFMT(info.external_attr >> 16)
                danger = "" if form in {0, stat.S_IFREG} else "device, pipe or other special entry"
                danger = "symbolic link" if form == stat.S_IFLNK else danger
                yield judged(name, info.file_size, info.header_offset, danger)
    yield from folders.empty()


def take_zipped(path: Path, file: IO[bytes], member: Member) -> bytes:
    """Read one file of a zip from its local header on.

    The header's sizes are not used, for they may be absent (trailer) or elsewhere (zip64): the
    listing knows the size, and deflated data tell their end.
    """
    file.seek(member.offset or 0)
    signature, flags, method, crc, *lengths = _LOCAL.unpack(exactly(file, _LOCAL.size))
    if signature != _LOCAL_SIGNATURE:
        raise ChangedError(path, f"no longer holds {member.name!r} where it was when it was scanned")
    if flags & _ENCRYPTED or method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        what = "encrypted" if flags & _ENCRYPTED else f"packed by method {method}, which is not read"
        raise OSError(f"{member.name}: {what}")
    name = exactly(file, lengths[0])
    # Flags of the directory, by which the name was read, can be others.
    spellings = [judged(name.decode(code, "replace"), member.size).member.name for code in ("utf-8", "cp437")]
    if member.name not in spellings:
        raise ChangedError(path, f"holds {spellings[0]!r} where {member.name!r} was when it was scanned")
    file.seek(lengths[1], os.SEEK_CUR)
    content = exactly(file, member.size) if method == zipfile.ZIP_STORED else _inflated(file, member)
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
    except InflateError as error:
        raise OSError(f"{member.name}: its packed data are damaged ({error})") from error
    if left != 1:
        raise OSError(f"{member.name}: it does not unpack to {member.size} bytes")
    file.seek(-len(inflate.unused_data), os.SEEK_CUR)
    return b"".join(pieces)
