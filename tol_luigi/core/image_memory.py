"""The memory that it takes to open an image, estimated from its header.

The figures are upper bounds of the measurements of ``bench/bench_image_memory.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["BAND_PIXELS", "EMBEDDING_FORMATS", "UNKNOWN_FORMAT_BYTES", "bytes_to_open"]

BAND_PIXELS = 1 << 20
"""Images that are not RGB are converted in bands of rows of about this many pixels, to avoid a full-size
copy."""

_BAND_BYTES = 48
"""Bytes per pixel of a band: the rows, their RGBA and RGB copies, and the numbers that deep greys are
computed with."""

_CHANNEL_BYTES = {"1": 1, "L": 1, "P": 1}
_PIXEL_BYTES = 4
"""Bytes per pixel in Pillow's memory, except for those modes and for 16-bit greys."""

_DECODER_BYTES = {
    "PNG": 0,
    "GIF": 1,
    "BMP": 2,
    "DIB": 2,
    "TGA": 0,
    "PCX": 0,
    "PPM": 12,
    "WEBP": 14,
    "AVIF": 20,
}
"""Bytes per pixel that decoders hold beyond the image and the file, if that depends on the format alone."""

_JPEG2000_BYTES = 6
"""The same, per channel."""

UNKNOWN_FORMAT_BYTES = 64
"""The same for all other formats: some decoders are written in Python, and some formats embed other
formats."""

EMBEDDING_FORMATS = {"BLP", "CUR", "ICNS", "ICO"}
"""Formats that embed an image in another format, whose size Pillow learns only by decoding it."""

_RATIO_OF_JPEG_IN_TIFF = 3
"""The memory for a JPEG-compressed TIFF block, which may be progressive, as a multiple of its pixels."""

_COMPRESSION, _WIDTHS, _STRIP_ROWS, _TILE_WIDTH, _TILE_ROWS = 259, 258, 278, 322, 323
_JPEG_COMPRESSIONS = {6, 7}


def bytes_to_open(image: ImageFile, content: bytes, width: int, *, turned: bool) -> int:
    """Return an upper bound, in bytes, of the memory that it takes to make a sample from an image.

    Args:
        image: An image whose header has been read, but not its pixels.
        content: The file.
        width: The width of the sample, in pixels.
        turned: Whether the image is first rotated upright, which takes a copy.
    """
    pixels = image.width * image.height
    stored = 2 if image.mode.startswith("I;16") else _CHANNEL_BYTES.get(image.mode, _PIXEL_BYTES)
    band = 0 if image.mode == "RGB" and not image.has_transparency_data else max(BAND_PIXELS, image.width)
    # resizing starts with the width: the intermediate image is as high as the original
    narrow = width * max(image.size if turned else (image.height,))
    decoding = round(pixels * _decoder_bytes(image, content)) + _block_bytes(image)
    return (
        len(content)
        + pixels * stored * (1 + turned)
        + decoding
        + _BAND_BYTES * min(band, pixels)
        + _PIXEL_BYTES * narrow
    )


def _decoder_bytes(image: ImageFile, content: bytes) -> float:
    if isinstance(image, JpegImageFile):
        return _coefficient_bytes(image, content)
    match image.format or "":
        case "TIFF":
            return 0
        case "JPEG2000":
            return _JPEG2000_BYTES * len(image.getbands())
        case known if known in _DECODER_BYTES:
            return _DECODER_BYTES[known]
        case _:
            return UNKNOWN_FORMAT_BYTES


def _coefficient_bytes(image: JpegImageFile, content: bytes) -> float:
    """Return the bytes per pixel of the coefficients, which libjpeg holds for images with several scans."""
    channels = [(across, down) for _, across, down, _ in image.layer]
    if not channels or _has_one_scan(image, content, len(channels)):
        return 0
    densest = max(across for across, _ in channels) * max(down for _, down in channels)
    return 2 * sum(across * down for across, down in channels) / densest


def _has_one_scan(image: JpegImageFile, content: bytes, channels: int) -> bool:
    """Return whether the first scan, whose header Pillow has just read, contains all channels completely."""
    header = 6 + 2 * channels
    start = image.fp.tell() - header if image.fp else 0
    return "progressive" not in image.info and content[start : start + 3] == bytes([0, header, channels])


def _block_bytes(image: ImageFile) -> int:
    """Return the bytes of one strip or tile of a TIFF, which is decoded in one step."""
    if not isinstance(image, TiffImageFile):
        return 0
    tags = image.tag_v2
    tile = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_ROWS, 0)
    strip = image.width * min(tags.get(_STRIP_ROWS, image.height), image.height)
    ratio = _RATIO_OF_JPEG_IN_TIFF if tags.get(_COMPRESSION) in _JPEG_COMPRESSIONS else 1
    return int(ratio * max(tile, strip if not tile else 0) * sum(tags.get(_WIDTHS, (1,))) / 8)
