"""The chunks of a PNG file: image data and metadata."""

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
"""Chunks that affect pixels, although the format calls them ancillary."""


def without_bad_metadata(content: bytes) -> bytes | None:
    """Return a PNG file without the texts, profiles and other metadata that Pillow rejects.

    Pillow rejects the image if a text or a colour profile decompresses to more than one mebibyte, or if a
    metadata chunk is damaged. The pixels do not depend on these chunks.

    Returns:
        The file, or None if it is not a PNG file or has no such chunk.
    """
    if not content.startswith(_SIGNATURE):
        return None
    stream = PngStream(io.BytesIO())
    kept = [chunk for name, chunk in _chunks(content) if _holds_pixels(name) or _is_readable(chunk, stream)]
    shorter = _SIGNATURE + b"".join(kept)
    return shorter if len(shorter) < len(content) else None


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the complete bytes of each chunk; the last one may be truncated."""
    start = len(_SIGNATURE)
    while start + _FRAME.size <= len(content):
        length, name = _FRAME.unpack_from(content, start)
        end = start + _FRAME.size + length + _CRC_LENGTH
        yield name, content[start:end]
        start = end


def _holds_pixels(name: bytes) -> bool:
    return name[:1].isupper() or name in _OF_PIXELS


def _is_readable(chunk: bytes, stream: PngStream) -> bool:
    """Return whether Pillow accepts a chunk; the stream sums the decompressed sizes of all texts."""
    length, name = _FRAME.unpack_from(chunk)
    body, crc = chunk[_FRAME.size : -_CRC_LENGTH], chunk[-_CRC_LENGTH:]
    if len(body) != length or zlib.crc32(name + body).to_bytes(_CRC_LENGTH) != crc:
        return False
    stream.fp = io.BytesIO(body)
    try:
        stream.call(name, 0, length)
    except AttributeError:  # Pillow skips unknown chunks
        return True
    except (ValueError, SyntaxError, LookupError, OSError, struct.error):
        return False
    return True
