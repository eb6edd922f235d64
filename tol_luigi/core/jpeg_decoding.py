"""Decoding of JPEGs: by simplejpeg, which has Pillow's pixels in less time, or by Pillow.

simplejpeg is missing where it has no wheel (setup.cfg). Both contain libjpeg-turbo.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import itertools
import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from PIL import Image, features

if TYPE_CHECKING:
    from PIL import ImageFile

__all__ = ["AUTO", "DECODERS", "PILLOW", "decoder_label", "decoder_name", "load"]

AUTO, PILLOW, SIMPLEJPEG = "auto", "pillow", "simplejpeg"

DECODERS = (AUTO, PILLOW)
"""The values of ``[images] decoder``."""

_LOG = logging.getLogger("luigi-interface")

_SAMPLINGS = (0, 1, 2)
"""Pillow's numbers of 4:4:4, 4:2:2 and 4:2:0."""


def load(image: ImageFile.ImageFile, data: bytes, decoder: str = AUTO) -> None:
    """Decode the pixels of an image that Pillow has opened; pixels, metadata and errors are Pillow's.

    Args:
        image: The image; its pixels have not been decoded.
        data: The content of its file. simplejpeg decodes JPEGs in YCbCr in which it finds no fault, Pillow all others.
        decoder: One of ``DECODERS``.
    """
    if decoder_name(decoder) == SIMPLEJPEG and (image.format, image.mode) == ("JPEG", "RGB"):
        decoded = _decoded(data, image.size)
        if decoded is not None:  # otherwise Pillow has its own words for the fault, or accepts it
            image.im, image.tile = decoded.im, []
    image.load()  # nothing, if there are no tiles left to decode


def decoder_name(decoder: str = AUTO) -> str:
    """Return what decodes JPEGs with one of ``DECODERS``: ``simplejpeg`` or ``pillow``."""
    return SIMPLEJPEG if decoder == AUTO and _simplejpeg() and _is_exact() else PILLOW


def decoder_label(name: str) -> str:
    """Return a name of :func:`decoder_name` as it is shown to users."""
    return "Pillow" if name == PILLOW else f"{name} {importlib.metadata.version(name)}"


def _decoded(data: bytes, size: tuple[int, int]) -> Image.Image | None:
    """Return a JPEG in YCbCr as an RGB image, with Pillow's settings: exact DCT and smooth upsampling.

    Args:
        data: The content of the file.
        size: Width and height that Pillow has read in its header.

    Returns:
        The image; None if simplejpeg finds a fault in it, or its header is not that of Pillow.
    """
    simplejpeg = _simplejpeg()
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (width, height) != size or colours != "YCbCr":
            return None
        pixels = simplejpeg.decode_jpeg(data, "RGBX", fastdct=False, fastupsample=False)
        array = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), pixels.shape[-1])
        return Image.fromarrow(array, "RGB", size)  # without a copy
    except (ValueError, KeyError):  # KeyError: it has no name for the sampling of the colours
        return None


@functools.cache
def _simplejpeg() -> Any:  # noqa: ANN401 (a module, or None if it is not installed)
    try:
        import simplejpeg  # noqa: PLC0415 (loads NumPy, which most commands do without)
    except ImportError:
        return None
    return simplejpeg


@functools.cache
def _is_exact() -> bool:
    """Return whether simplejpeg and Pillow decode some images to the same pixels; if not, log a warning."""
    bands = [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L").rotate(90)]
    picture = Image.merge("RGB", bands).resize((67, 45))
    for sampling, progressive in itertools.product(_SAMPLINGS, (False, True)):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60, subsampling=sampling, progressive=progressive)
        with Image.open(file) as image:
            decoded = _decoded(file.getvalue(), image.size)
            if decoded is None or decoded.tobytes() != image.tobytes():
                _LOG.warning(
                    "simplejpeg decodes JPEGs otherwise than Pillow %s, so Pillow is used, which takes longer. Please report this.",
                    features.version("pil"),
                )
                return False
    return True
