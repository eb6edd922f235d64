"""The chunks of a PNG file: those that hold the image, and those that say something about it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from PIL.PngImagePlugin import PngStream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_bad_metadata"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = struct.Struct(">I4s")  # length and name; the body and its CRC follow
_CRC_LENGTH = 4
_OF_PIXELS = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}
"""Chunks without which pixels would differ, although the format calls them ancillary."""


def without_bad_metadata(content: bytes) -> bytes | None:
    """Return a PNG file without those texts, profiles and other notes that Pillow cannot take.

    Pillow refuses the complete image if a text or a colour profile unpacks to more than a mebibyte, or if a note is
    damaged. Pixels do not depend on them.

    Returns:
        The file, or None if it is no PNG file or there is nothing to leave out.
    """
    if not content.startswith(_SIGNATURE):
        return None
    stream = PngStream(io.BytesIO())
    kept = [chunk for name, chunk in _chunks(content) if _holds_pixels(name) or _is_readable(chunk, stream)]
    shorter = _SIGNATURE + b"".join(kept)
    return shorter if len(shorter) < len(content) else None


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name of each chunk and all of its bytes; the last one may break off."""
    start = len(_SIGNATURE)
    while start + _FRAME.size <= len(content):
        length, name = _FRAME.unpack_from(content, start)
        end = start + _FRAME.size + length + _CRC_LENGTH
        yield name, content[start:end]
        start = end


def _holds_pixels(name: bytes) -> bool:
    return name[:1].isupper() or name in _OF_PIXELS


def _is_readable(chunk: bytes, stream: PngStream) -> bool:
    """Return whether Pillow takes a chunk; the stream counts how much all texts unpack to."""
    length, name = _FRAME.unpack_from(chunk)
    body, crc = chunk[_FRAME.size : -_CRC_LENGTH], chunk[-_CRC_LENGTH:]
    if len(body) != length or zlib.crc32(name + body).to_bytes(_CRC_LENGTH) != crc:
        return False
    stream.fp = io.BytesIO(body)
    try:
        stream.call(name, 0, length)
    except AttributeError:  # a chunk that Pillow does not know, and skips
        return True
    except (ValueError, SyntaxError, LookupError, OSError, struct.error):
        return False
    return True
