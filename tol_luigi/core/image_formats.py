"""Which image formats are read, and what files in other formats are."""

from __future__ import annotations

__all__ = ["FORMATS", "OPTIONAL_FORMATS", "unread_format"]

FORMATS = (
    "BMP", "DIB", "GIF", "JPEG", "PPM", "PNG", "AVIF", "BLP", "CUR", "PCX", "DCX", "DDS", "FITS", "FLI", "FTEX", "GBR",
    "JPEG2000", "ICNS", "ICO", "IM", "IMT", "MCIDAS", "TIFF", "MSP", "PCD", "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN",
    "TGA", "WEBP", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip
"""What is read: all that Pillow decodes itself, in the order in which it tries them, as some have no mark of their own.

Refused are EPS, which Pillow hands to Ghostscript: an image may not start a program; IPTC, which can hold an image in
any format, EPS among them; and BUFR, GRIB, HDF5, MPEG and WMF, which Pillow recognises and cannot decode.
"""

OPTIONAL_FORMATS = {"avif": "AVIF", "jpg_2000": "JPEG 2000", "webp": "WebP"}
"""Formats that a Pillow built by hand may lack, by the names of its features."""

_HEIF_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
}
"""Formats that share one container, by the four letters with which a file names its own."""

_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def unread_format(content: bytes) -> str:
    """Return the name of the format of a file that Pillow does not open, "" if it is not one of the common ones."""
    if content.startswith(_JPEG_XL):
        return "JPEG XL"
    if content[4:8] != b"ftyp":
        return ""
    # the size of the box, "ftyp", the main brand, a version, and the compatible brands
    brands = content[8 : min(int.from_bytes(content[:4]), 256)]
    found = (_HEIF_BRANDS.get(brands[start : start + 4]) for start in range(0, len(brands), 4))
    return next(filter(None, found), "")
