"""The format of an archive by its first bytes, whatever its name."""

from __future__ import annotations

import string
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["archive_form", "ending_form", "strip_ending"]

_ENDINGS = {".tar.gz": "tar.gz", ".tgz": "tar.gz", ".tar": "tar", ".zip": "zip"}

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")

_PACKED = {
    b"\xfd7zXZ\0": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"BZh": "a bzip2 file",
    b"\x04\x22\x4d\x18": "an lz4 file",
    b"LZIP": "an lzip file",
    b"\x1f\x9d": "a file of compress",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    _GZIP: "a gzip file",
    _ZIP[0]: "a zip archive",
}
"""Other formats of archives by their first bytes; the last two only within gzip."""

_OTHERS = {
    b"version https://git-lfs": "a pointer of Git LFS",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG\r\n": "a PNG image",
    b"%PDF-": "a PDF document",
}
"""Files that are often found under the name of an archive, by their first bytes."""

_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")
_TEXT = frozenset(string.printable.encode())
_CHUNK = 1 << 16

_PACK = (
    "Pack it again as .tar, .tar.gz or .zip, or set [checks] unreadable_archive = skip to build without it"
)
_FETCH = "Fetch it again, or set [checks] unreadable_archive = skip to build without it"


def strip_ending(name: str) -> str:
    """Return an archive's name without its ending; "" if it is not the name of an archive."""
    ending = _ending(name)
    return name[: -len(ending)] if ending else ""


def ending_form(name: str) -> str:
    """Return the format of an archive by its name: ``tar.gz``, ``tar`` or ``zip``; "" without an ending."""
    return _ENDINGS.get(_ending(name), "")


def _ending(name: str) -> str:
    return next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")


def archive_form(path: Path) -> str:
    """Return the format of an archive by its content, else by its name: ``tar.gz``, ``tar`` or ``zip``.

    Raises:
        OSError: It cannot be read.
        ArchiveError: It is empty, or is recognised as another format.
    """
    with path.open("rb") as file:
        start = file.read(tarfile.BLOCKSIZE)
    if start.startswith(_GZIP):
        _validate_start(path, _unpacked_start(path), "gzip around ")
        return "tar.gz"
    if start.startswith(_ZIP):
        return "zip"
    if _is_tar(start):
        return "tar"
    if zipfile.is_zipfile(path):  # its mark is at the end; it may follow an unpacking program
        return "zip"
    _validate_start(path, start, "")
    return ending_form(path.name)


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _unpacked_start(path: Path) -> bytes:
    """Return the first unpacked bytes of a gzip file; none if it is damaged, which its reader will find."""
    with path.open("rb") as file:
        packed = file.read(_CHUNK)
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, tarfile.BLOCKSIZE)
    except zlib.error:
        return b""


def _validate_start(path: Path, start: bytes, around: str) -> None:
    """Raise an ArchiveError if a file is empty, or starts like another format than these archives."""
    if not start and not around:
        raise ArchiveError(path, "is empty", _FETCH)
    if what := next((what for mark, what in _PACKED.items() if start.startswith(mark)), ""):
        raise ArchiveError(path, f"is {around}{what}, which is not read", _PACK)
    if what := _other(start):
        raise ArchiveError(path, f"is {around}{what}, not an archive", _FETCH)


def _other(start: bytes) -> str:
    if what := next((what for mark, what in _OTHERS.items() if start.startswith(mark)), ""):
        return what
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "a web page (HTML)"
    return "text" if start and _TEXT.issuperset(start) else ""
