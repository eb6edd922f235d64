"""Undo content codings that a server applies although the request asks for none."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GZIP", "BadEncodingError", "content_encoding", "gzip_reader", "is_double_gzip"]

GZIP = frozenset({"gzip", "x-gzip"})
"""The names of the supported coding."""

_MAGIC = b"\x1f\x8b"
_HEAD = 1 << 16
"""This many compressed bytes yield the first two decompressed bytes, even after a long gzip header."""


class BadEncodingError(Exception):
    """The body is not encoded as the server declares, or is truncated."""


def content_encoding(headers: Mapping[str, str]) -> str:
    """Return the content codings of a response, lower-case and comma-separated, or ""."""
    named = (name.strip() for name in headers.get("Content-Encoding", "").lower().split(","))
    return ", ".join(name for name in named if name not in {"", "identity"})


def gzip_reader(packed: IO[bytes]) -> Callable[[int], bytes]:
    """Return a function that reads and decompresses gzip, and checks length and checksum at the end.

    The function raises :class:`BadEncodingError`.
    """
    unpacked = gzip.GzipFile(fileobj=packed)

    def read(size: int) -> bytes:
        try:
            return unpacked.read(size)
        except EOFError as error:
            raise BadEncodingError("the server closed the connection early") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BadEncodingError("the server declares gzip but sends other or truncated data") from error

    return read


def is_double_gzip(read: Callable[[int], bytes]) -> bool:
    """Return whether the decompressed data is gzip again; read only the start."""
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(read(_HEAD), len(_MAGIC)) == _MAGIC
    return False
