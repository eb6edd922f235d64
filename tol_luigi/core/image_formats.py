"""Supported image formats, and names for some unsupported ones."""

from __future__ import annotations

__all__ = ["FORMATS", "OPTIONAL_FORMATS", "unread_format"]

FORMATS = (
    "BMP", "DIB", "GIF", "JPEG", "PPM", "PNG", "AVIF", "BLP", "CUR", "PCX", "DCX", "DDS", "FITS", "FLI", "FTEX", "GBR",
    "JPEG2000", "ICNS", "ICO", "IM", "IMT", "MCIDAS", "TIFF", "MSP", "PCD", "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN",
    "TGA", "WEBP", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip
"""All formats that Pillow itself decodes, in its own order, because some formats have no magic number.

Excluded are EPS, which Pillow passes to Ghostscript (an image must not start a program); IPTC, which can
embed an image in any format, including EPS; and BUFR, GRIB, HDF5, MPEG and WMF, which Pillow recognises but
cannot decode.
"""

OPTIONAL_FORMATS = {"avif": "AVIF", "jpg_2000": "JPEG 2000", "webp": "WebP"}
"""Formats that a self-built Pillow may lack, by the names of its features."""

_HEIF_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
}
"""Formats in the ISO base media container, by brand."""

_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def unread_format(content: bytes) -> str:
    """Return the name of a common format that Pillow does not open, "" if the format is unknown."""
    if content.startswith(_JPEG_XL):
        return "JPEG XL"
    if content[4:8] != b"ftyp":
        return ""
    # box size, "ftyp", main brand, version, compatible brands
    brands = content[8 : min(int.from_bytes(content[:4]), 256)]
    found = (_HEIF_BRANDS.get(brands[start : start + 4]) for start in range(0, len(brands), 4))
    return next(filter(None, found), "")
