"""The format of fetched content, by its first bytes; what a server declares is often wrong."""

from __future__ import annotations

import re
import zlib

from tol_luigi.core.image_formats import unread_format

__all__ = ["describe_content", "ending_of", "unpacked"]

_ENDINGS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", ".jp2"),
    (b"\xff\x4f\xff\x51", ".j2k"),
)
_OTHERS = {"AVIF": ".avif", "HEIC": ".heic", "JPEG XL": ".jxl"}

_GZIP = b"\x1f\x8b"
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)


def ending_of(content: bytes) -> str:
    """Return the ending for the format of an image, "" if the content is no image of a known format."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ".webp"
    known = (ending for begin, ending in _ENDINGS if content.startswith(begin))
    return next(known, "") or _OTHERS.get(unread_format(content), "")


def describe_content(content: bytes) -> str:
    """Return what content that is no image is, in a few words."""
    if _HTML.match(content):
        return "a page in HTML or XML"
    return f"no image by its first bytes, {content[:8].hex(' ')}"


def unpacked(content: bytes, most: int) -> bytes:
    """Return the content of a gzip file, or the content itself if it is none.

    Args:
        content: The content as received.
        most: The largest allowed size.

    Raises:
        ValueError: The gzip file is damaged, or its content is too large.
    """
    if not content.startswith(_GZIP):
        return content
    packed = zlib.decompressobj(wbits=31)
    try:
        plain = packed.decompress(content, most + 1)
    except zlib.error as error:
        raise ValueError(f"a damaged gzip file ({error})") from error
    if len(plain) > most:
        raise ValueError(f"a gzip file of more than {most} bytes")
    if not packed.eof:
        raise ValueError("an incomplete gzip file")
    return plain
