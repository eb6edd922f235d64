"""What the file of an image contains besides pixels: frames, tables of quantisation, Exif."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from tol_luigi.core.image_formats import FORMATS
from tol_luigi.features.samples import SampleError, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.features.samples import FeatureSample

__all__ = ["Header", "capture_time", "cleaned", "coordinates", "header", "jpeg_quality"]

MAX_LENGTH = 64
"""The longest text of Exif in characters; the rest is cut off."""


class Header(NamedTuple):
    """What a file contains besides pixels.

    Attributes:
        size: Width and height in pixels, upright.
        frames: The number of frames or pages; None if it cannot be counted.
        quantisation: The first table of quantisation of a JPEG file, by rows; None for other formats.
        orientation: The orientation of Exif, 1 to 8; None without a valid one.
        main: The tags of the first directory of Exif.
        camera: The tags of the directory of the camera.
        gps: The tags of the directory of the position.
    """

    size: tuple[int, int]
    frames: int | None
    quantisation: tuple[int, ...] | None
    orientation: int | None
    main: Mapping[int, Any]
    camera: Mapping[int, Any]
    gps: Mapping[int, Any]


def header(sample: FeatureSample) -> Header:
    """Return the header of a sample's image; read once for all extractors.

    Raises:
        SampleError: There is no image, or its format is unknown.
    """
    return sample.shared("header", lambda one: _read(one.image_file))


def _read(content: bytes) -> Header:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _header(image)
    except Exception as error:  # a decoder can raise anything on a hostile file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SampleError(Status.DECODE_ERROR, reason) from error


def _header(image: Image.Image) -> Header:
    main: dict[int, Any] = {}
    camera: dict[int, Any] = {}
    gps: dict[int, Any] = {}
    # Each apart: one broken directory does not hide the others.
    with contextlib.suppress(Exception):
        main = dict(image.getexif())
    with contextlib.suppress(Exception):
        camera = dict(image.getexif().get_ifd(ExifTags.IFD.Exif))
    with contextlib.suppress(Exception):
        gps = dict(image.getexif().get_ifd(ExifTags.IFD.GPSInfo))
    orientation = main.get(ExifTags.Base.Orientation)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:  # noqa: PLR2004 (the values of Exif)
        orientation = None
    turned = orientation is not None and orientation >= 5  # noqa: PLR2004 (on its side)
    return Header(
        size=(image.height, image.width) if turned else image.size,
        frames=_frames(image),
        quantisation=_quantisation(image),
        orientation=orientation,
        main=main,
        camera=camera,
        gps=gps,
    )


def _frames(image: Image.Image) -> int | None:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 (a later frame may be broken in any way)
        return None


def _quantisation(image: Image.Image) -> tuple[int, ...] | None:
    if not isinstance(image, JpegImageFile):
        return None
    tables = image.quantization
    return tuple(tables[min(tables)]) if tables else None


# ITU-T T.81 (the JPEG standard), table K.1: luminance.
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip


def _scale(quality: int) -> int:
    """Return the per cent by which libjpeg scales its tables for a quality (jcparam.c, jpeg_quality_scaling)."""
    return 5000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 (libjpeg's numbers)


_TABLES = np.stack([np.clip((_LUMINANCE * _scale(quality) + 50) // 100, 1, 255) for quality in range(1, 101)])
"""The table of luminance that libjpeg writes for each quality from 1."""


def jpeg_quality(table: Sequence[int]) -> int:
    """Return the quality, 1 to 100, whose table in libjpeg is most similar to a table of quantisation.

    For a file that libjpeg has written with its own tables, this is the quality it was written with.
    """
    # The last of several equal ones: libjpeg's lowest qualities are alike where values are capped.
    distances = np.abs(_TABLES - np.asarray(table)).sum(axis=1)
    return int(len(distances) - np.argmin(distances[::-1]))


def cleaned(value: object) -> str | None:
    """Return a text of Exif without control characters and outer spaces, cut off; None if nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    # Some cameras pad with NUL characters, and write rubbish after the first.
    visible = "".join(letter for letter in value.partition("\0")[0] if letter.isprintable())
    return visible.strip()[:MAX_LENGTH] or None


def capture_time(found: Header) -> datetime | None:
    """Return when an image was taken, in the time of its place; else when it was changed."""
    for value in (found.camera.get(ExifTags.Base.DateTimeOriginal), found.main.get(ExifTags.Base.DateTime)):
        with contextlib.suppress(ValueError):
            return datetime.strptime(cleaned(value) or "", "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 (Exif has no zone)
    return None


def coordinates(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    """Return latitude and longitude in degrees, south and west negative, to 6 digits; both or neither."""
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180)
    return (None, None) if latitude is None or longitude is None else (latitude, longitude)


def _degrees(value: object, side: object, sides: str, limit: int) -> float | None:
    side = cleaned(side)
    if side is None or side.upper() not in sides or not isinstance(value, tuple) or len(value) != 3:  # noqa: PLR2004
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not (math.isfinite(found) and 0 <= found <= limit):
        return None
    return round(-found if side.upper() == sides[1] else found, 6)
