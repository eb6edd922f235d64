"""Content codings: what a server has done to the bytes of a file that was to come as it is."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["GZIP", "BadEncodingError", "encoding_of", "gunzipped", "is_packed_twice"]

GZIP = frozenset({"gzip", "x-gzip"})
"""The names of the coding that is undone."""

_MAGIC = b"\x1f\x8b"
_HEAD = 1 << 16
"""So many packed bytes show the first two unpacked ones, whatever name and comment the gzip header holds."""


class BadEncodingError(Exception):
    """What came is not encoded as the server says, or breaks off."""


def encoding_of(headers: Mapping[str, str]) -> str:
    """Return the codings of an answer in lower case, with commas between them; "" for the file as it is."""
    named = (name.strip() for name in headers.get("Content-Encoding", "").lower().split(","))
    return ", ".join(name for name in named if name not in {"", "identity"})


def gunzipped(packed: IO[bytes]) -> Callable[[int], bytes]:
    """Return a function that reads and unpacks gzip, and checks length and checksum at the end.

    That function raises :class:`BadEncodingError`.
    """
    unpacked = gzip.GzipFile(fileobj=packed)

    def read(size: int) -> bytes:
        try:
            return unpacked.read(size)
        except EOFError as error:
            raise BadEncodingError("the server broke off") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BadEncodingError(
                "the server says gzip, and sends something else or a part of it"
            ) from error

    return read


def is_packed_twice(read: Callable[[int], bytes]) -> bool:
    """Return whether gzip unpacks to gzip again; reads only the start."""
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(read(_HEAD), len(_MAGIC)) == _MAGIC
    return False
