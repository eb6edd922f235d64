"""Images of a bounded size: what is larger is resized, with its aspect ratio, by the decoder and the resizer of samples."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from tol_luigi.core.image_formats import FORMATS
from tol_luigi.core.image_memory import EMBEDDING_FORMATS
from tol_luigi.core.images import BrokenImageError, ImageSpec, encode
from tol_luigi.core.pillow_limits import pillow_limits

__all__ = ["ImageSize", "bounded_image", "image_size"]

_ORIENTATION, _TURNED = 0x0112, {5, 6, 7, 8}

_AS_RECEIVED = {"high_bit_depth", "transparent"}
"""Flags of images that are kept as they are, because a JPEG cannot contain what the settings of samples use of them."""


class ImageSize(NamedTuple):
    """The size of an image in pixels, as its header has it, and whether EXIF exchanges width and height."""

    width: int
    height: int
    is_turned: bool


def image_size(data: bytes, spec: ImageSpec) -> ImageSize | None:
    """Return the size of an image; None if its header cannot be read, or has not the size of the image that is embedded.

    Args:
        data: The content of the file.
        spec: How samples are made.
    """
    with pillow_limits(max_pixels=spec.max_pixels, lenient=False):
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.format in EMBEDDING_FORMATS:
                    return None
                turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
                return ImageSize(*image.size, turned)
        except Exception:  # noqa: BLE001 (with a hostile file, a decoder can raise anything)
            return None


def bounded_image(data: bytes, side: int, spec: ImageSpec) -> bytes:
    """Return an image as a JPEG with a longest side of at most some pixels.

    An image is returned as it is if it is not larger; if it cannot be decoded, is truncated or too large for the
    settings, so that the ledger reports it; and if it has transparent pixels or more than 8 bits per channel.

    Args:
        data: The content of the file.
        side: The largest number of pixels of a side.
        spec: How samples are made; its size, ``fit`` and format are not used.
    """
    size = image_size(data, spec)
    if size is None or (longest := max(size.width, size.height)) <= side:
        return data
    is_turned = size.is_turned and spec.exif == "apply"
    shown = (size.height, size.width) if is_turned else (size.width, size.height)
    width, height = (max(1, (2 * pixels * side + longest) // (2 * longest)) for pixels in shown)
    bounded = replace(
        spec,
        width=width,
        height=height,
        fit="stretch",
        format="jpeg",
        truncated="drop",
        hashed=False,
    )
    try:
        content, original = encode(data, bounded)
    except BrokenImageError:
        return data
    return data if _AS_RECEIVED.intersection(original.flags) else content
