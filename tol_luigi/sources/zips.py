"""Zip archives: listed by their central directory, and read file by file without it."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from isal import isal_zlib

from tol_luigi.core.errors import ChangedError
from tol_luigi.core.reader import Member, MemberError
from tol_luigi.sources.links import MAX_PATH, Links
from tol_luigi.sources.member_filter import Folders, classify_member
from tol_luigi.sources.streams import read_exactly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.core.reader import Found

__all__ = ["InflateError", "read_zipped", "scan_zip"]

InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stub has an instance

_CHUNK = 1 << 16
_LOCAL = struct.Struct("<4s2x2H4xL8x2H")  # signature, flags, method, CRC, lengths of name and extra field
_LOCAL_SIGNATURE, _TRAILER_SIGNATURE = b"PK\3\4", b"PK\7\x08"
_ENCRYPTED, _TRAILER = 1, 8  # bits of the flags; a trailer has the fields that were unknown
_IS_UTF8 = 1 << 11
_EXTRA = struct.Struct("<2H")  # kind and size of a piece of the extra field
_UNICODE_PATH = 0x7075


def scan_zip(path: Path) -> Iterator[Found]:
    """List a zip by its central directory."""
    folders, links = Folders(), Links()
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            name, _ = _names(info)
            folders.add(name, folder=name.endswith("/"))
            if name.endswith("/"):
                continue
            if not _is_link(info):
                yield _row(info, _danger(info))
            elif fault := _add_link(links, path, file, info):
                yield _row(info, fault)
        if links.resolve():
            for info in archive.infolist():
                if not _is_link(info) and not info.orig_filename.endswith("/"):
                    links.add_target(_row(info, _danger(info)))
    yield from links.rows(folders)
    yield from folders.empty()


def _row(info: zipfile.ZipInfo, danger: str = "") -> Found:
    name, stored_as = _names(info)
    found = classify_member(name, info.file_size, info.header_offset, danger)
    if name == stored_as:
        return found
    return replace(found, member=replace(found.member, stored_as=classify_member(stored_as, 0).member.name))


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _danger(info: zipfile.ZipInfo) -> str:
    is_plain = stat.S_IFMT(info.external_attr >> 16) in {0, stat.S_IFREG}
    return "" if is_plain else "device, pipe or other special entry"


def _add_link(links: Links, path: Path, file: IO[bytes], info: zipfile.ZipInfo) -> str:
    """Add a link, whose content is its target; return its fault, or ""."""
    member = _row(info).member
    if member.size > MAX_PATH:
        return f"symbolic link of {member.size} bytes, which is too long for a path"
    try:
        target = read_zipped(path, file, member)
    except (MemberError, ChangedError):
        return "symbolic link that is damaged or encrypted"
    links.add(_names(info)[0], _decoded_name(target), info.header_offset, is_hard=False)
    return ""


def _names(info: zipfile.ZipInfo) -> tuple[str, str]:
    """Return the name of an entry, which Info-ZIP can add in Unicode, and the name in its header."""
    name = info.orig_filename  # ``filename`` is cut at a NUL
    if info.flag_bits & _IS_UTF8 or (name.isascii() and not info.extra):
        return name, name
    raw = name.encode("cp437")  # zipfile decodes it so
    spelled = _decoded_name(raw)
    return _unicode_path(info.extra, raw) or spelled, spelled


def _decoded_name(raw: bytes) -> str:
    """Return a name not marked as UTF-8: many programs write UTF-8 although the format requires CP437."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """Return the name in Info-ZIP's extra field; "" if it is missing or belongs to another name."""
    while len(extra) >= _EXTRA.size:
        kind, size = _EXTRA.unpack_from(extra)
        field, extra = extra[_EXTRA.size : _EXTRA.size + size], extra[_EXTRA.size + size :]
        if kind == _UNICODE_PATH and field[:5] == b"\1" + isal_zlib.crc32(raw).to_bytes(4, "little"):
            return field[5:].decode("utf-8", "replace")
    return ""


def read_zipped(path: Path, file: IO[bytes], member: Member) -> bytes:
    """Read one file of a zip, starting at its local header.

    The sizes in the header are not used, because they may be missing (trailer) or elsewhere (zip64): the
    listing contains the size, and deflated data mark their end.

    Raises:
        MemberError: It is encrypted or damaged, or uses another compression method.
    """
    file.seek(member.offset or 0)
    signature, flags, method, crc, *lengths = _LOCAL.unpack(read_exactly(file, _LOCAL.size))
    if signature != _LOCAL_SIGNATURE:
        raise ChangedError(path, f"no longer contains {member.name!r} where it was when it was scanned")
    if flags & _ENCRYPTED or method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        what = "encrypted" if flags & _ENCRYPTED else f"packed by method {method}, which is not read"
        raise MemberError(f"{member.name}: {what}")
    name = read_exactly(file, lengths[0])
    # The flags of the central directory, by which the name was read, may differ.
    spellings = [
        classify_member(name.decode(code, "replace"), member.size).member.name for code in ("utf-8", "cp437")
    ]
    if (member.stored_as or member.name) not in spellings:
        raise ChangedError(path, f"contains {spellings[0]!r} where {member.name!r} was when it was scanned")
    file.seek(lengths[1], os.SEEK_CUR)
    content = read_exactly(file, member.size) if method == zipfile.ZIP_STORED else _inflated(file, member)
    sums = {crc}
    if flags & _TRAILER:
        trailer = file.read(8)
        sums = {int.from_bytes(trailer[:4], "little")}
        if trailer.startswith(_TRAILER_SIGNATURE):  # the signature is optional
            sums.add(int.from_bytes(trailer[4:], "little"))
    if isal_zlib.crc32(content) not in sums:
        raise MemberError(f"{member.name}: its checksum does not fit")
    return content


def _inflated(file: IO[bytes], member: Member) -> bytes:
    """Inflate to the end of the data, and leave the file there; up to one byte more than the listed size."""
    inflate, pieces, left = isal_zlib.decompressobj(-15), [], member.size + 1
    try:
        while left and not inflate.eof:
            packed = inflate.unconsumed_tail or file.read(_CHUNK)
            if not packed:
                raise EOFError("it ends within a file")
            pieces.append(inflate.decompress(packed, left))
            left -= len(pieces[-1])
    except InflateError as error:
        raise MemberError(f"{member.name}: its packed data are damaged ({error})") from error
    if left != 1:
        raise MemberError(f"{member.name}: it does not unpack to {member.size} bytes")
    file.seek(-len(inflate.unused_data), os.SEEK_CUR)
    return b"".join(pieces)
