"""Conversion of an opened image to the RGB pixels of a sample.

Images that are not RGB are converted in bands of rows: a full-size copy would take up to eight times the
memory of the image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tol_luigi.core.image_geometry import placement
from tol_luigi.core.image_memory import BAND_PIXELS
from tol_luigi.core.resampling import resize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.core.image_geometry import Placement
    from tol_luigi.core.images import ImageSpec

__all__ = [
    "UnsupportedDepthError",
    "has_deep_channels",
    "in_rgb",
    "is_deep_grey",
    "is_transparent",
    "padded",
    "to_sample",
]

_Limits = tuple[float, float]
_Array = np.ndarray[Any, Any]

_WHITE, _WHITE_OF_16_BITS = 0xFF, 0xFFFF

_BACKGROUNDS = {"white": (255, 255, 255, 255), "black": (0, 0, 0, 255)}
"""Backgrounds by the values of ``[images] transparency``; with ``published`` the hidden colours become
visible."""

_SHOWS, _LEAST_SHOWN = 64, 0.001
"""A sample is nearly black if less than this fraction of its pixels reach this level, a quarter of the scale.

This is so for values of 14 bits or fewer, as of most cameras and microscopes, on a 16-bit scale.
"""

_STRETCHED = 0.001
"""The fraction of values at each end that stretching may clip; otherwise one hot pixel would leave the rest
black."""

_MOST_COMPARED = 1 << 20
"""The number of values, at regular distances, from which the limits of stretching are computed; it bounds the
memory."""


class UnsupportedDepthError(Exception):
    """An image with more than 8 bits per channel is nearly black in 8 bits."""


def is_deep_grey(mode: str) -> bool:
    """Return whether a Pillow mode holds greys of more than 8 bits."""
    return mode == "F" or mode.startswith("I")


def has_deep_channels(image: Image.Image) -> bool:
    """Return whether the channels of an image that is not yet decoded have more than 8 bits.

    Pillow keeps the upper 8 of 16 bits of colours. Formats that are scaled to 8 bits, such as AVIF and JPEG
    2000, lose nothing visible.
    """
    tiles = getattr(image, "tile", [])
    of_16_bits = image.format in {"PNG", "TIFF"} and bool(tiles) and ";16" in str(tiles[0][3])
    return of_16_bits or is_deep_grey(image.mode)


def is_transparent(image: Image.Image) -> bool:
    """Return whether any pixel of a decoded image is not opaque."""
    if not image.has_transparency_data:
        return False
    return any(_alpha(band).getextrema() != (255, 255) for _, band in _bands(image))


def _alpha(band: Image.Image) -> Image.Image:
    if band.mode.startswith("I;16"):
        return Image.fromarray(
            np.where(np.asarray(band) == band.info["transparency"], 0, 255).astype(np.uint8)
        )
    if band.mode in {"LA", "PA", "RGBA"}:
        return band.getchannel("A")
    return band.convert("RGBA").getchannel("A")


def to_sample(image: Image.Image, spec: ImageSpec, *, deep: bool) -> Image.Image:
    """Return the RGB pixels of a sample, resized with Pillow's bicubic filter.

    Args:
        image: A decoded image.
        spec: How samples are made.
        deep: Whether the channels of the image have more than 8 bits.

    Raises:
        UnsupportedDepthError: The sample would be nearly black, or values are outside the scale, and the
            settings do not allow such images.
    """
    place = placement(image.size, (spec.width, spec.height), spec.fit)
    limits = _stretch_limits(image) if spec.high_bit_depth == "stretch" and is_deep_grey(image.mode) else None
    background = _BACKGROUNDS.get(spec.transparency) if image.has_transparency_data else None
    if image.mode == "RGB" and background is None:
        sample = resize(image, place.size, place.box, spec.kernel)
    elif image.mode == "L" and not image.has_transparency_data:
        sample = _resized_grey(image, place, spec.kernel).convert("RGB")
    else:
        sample = _resized(
            image, place, spec.kernel, lambda band: _over(band, _to_rgb(band, limits), background)
        )
    if deep and limits is None and spec.high_bit_depth != "keep":
        _validate_visible(image, sample)
    return padded(sample, place, spec)


def in_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded image in RGB, with transparent pixels on white; greys of 16 bits keep their upper eight bits."""
    background = _BACKGROUNDS["white"] if image.has_transparency_data else None
    return _over(image, _to_rgb(image, None), background)


def padded(drawn: Image.Image, place: Placement, spec: ImageSpec) -> Image.Image:
    """Return the sample that shows an image at its place, with bars where the image does not reach."""
    size = spec.width, spec.height
    if drawn.size == size:
        return drawn
    sample = Image.new("RGB", size, spec.padding)
    sample.paste(drawn, place.corner)
    return sample


def _resized(
    image: Image.Image, place: Placement, kernel: str, to_rgb: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Convert and resize an image in bands, with the same result as for the complete image.

    Pillow resizes the width first, row by row, and rounds before it resizes the height.
    """
    if image.width * image.height <= BAND_PIXELS:
        return resize(to_rgb(image), place.size, place.box, kernel)
    width = place.size[0]
    left, upper, right, lower = place.box
    narrow = Image.new("RGB", (width, image.height))
    for top, band in _bands(image):
        rows = resize(to_rgb(band), (width, band.height), (left, 0, right, band.height), kernel)
        narrow.paste(rows, (0, top))
    return resize(narrow, place.size, (0, upper, width, lower), kernel)


def _resized_grey(image: Image.Image, place: Placement, kernel: str) -> Image.Image:
    """Resize greys, with the same result as in RGB, whose three channels would be equal: see :func:`_resized`."""
    if image.width * image.height <= BAND_PIXELS:
        return resize(image, place.size, place.box, kernel)
    left, upper, right, lower = place.box
    width = place.size[0]
    narrow = resize(image, (width, image.height), (left, 0, right, image.height), kernel)
    narrow.info = {}  # bands have no metadata either
    return resize(narrow, place.size, (0, upper, width, lower), kernel)


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in bands of rows, each with the number of its first row."""
    rows = max(1, BAND_PIXELS // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _to_rgb(band: Image.Image, limits: _Limits | None) -> Image.Image:
    """Convert any mode to RGB; greys of 16 bits keep their upper eight bits, whereas Pillow would clip."""
    if is_deep_grey(band.mode):
        values = np.asarray(band)
        levels = _upper_bits(values) if limits is None else _stretched(values, *limits)
        band = Image.fromarray(levels.astype(np.uint8))
    return band if band.mode == "RGB" else band.convert("RGB")


def _upper_bits(values: _Array) -> _Array:
    """Return greys on an 8-bit scale, which floats already use. Values outside the scale are clipped."""
    if values.dtype.kind == "f":
        return np.nan_to_num(values, nan=0, posinf=_WHITE, neginf=0).clip(0, _WHITE)
    return (values.astype(np.int64) >> 8).clip(0, _WHITE)


def _stretched(values: _Array, low: float, high: float) -> _Array:
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return ((finite - low) * (_WHITE / (high - low)) + 0.5).clip(0, _WHITE)


def _stretch_limits(image: Image.Image) -> _Limits | None:
    """Return the values that become black and white, None if all values are equal."""
    step = math.ceil(math.sqrt(image.width * image.height / _MOST_COMPARED))
    chosen = np.concatenate([np.asarray(band)[::step, ::step].ravel() for _, band in _bands(image)])
    ordered = np.sort(chosen[np.isfinite(chosen)]).astype(np.float64)
    if not ordered.size:
        return None
    clipped = int(ordered.size * _STRETCHED)
    for low, high in [(ordered[clipped], ordered[-1 - clipped]), (ordered[0], ordered[-1])]:
        if low < high:
            return float(low), float(high)
    return None


def _validate_visible(image: Image.Image, sample: Image.Image) -> None:
    if not is_deep_grey(image.mode):
        if _is_nearly_black(sample):
            what = "colours of 16 bits per channel, of which the upper 8 are nearly black"
            raise UnsupportedDepthError(what)
        return
    extents = [(np.asarray(band).min(), np.asarray(band).max()) for _, band in _bands(image)]
    low, high = np.min(extents), np.max(extents)
    scale = _WHITE if image.mode == "F" else _WHITE_OF_16_BITS
    if low == high == 0:
        return  # the original is black
    if not 0 <= low <= high <= scale:  # also true for NaN
        what = f"greys from {low:g} to {high:g}, beyond the scale from 0 to {scale}"
    elif _is_nearly_black(sample):
        what = f"greys from {low:g} to {high:g}, nearly black on a scale from 0 to {scale}"
    else:
        return
    raise UnsupportedDepthError(what)


def _is_nearly_black(sample: Image.Image) -> bool:
    counts = np.reshape(sample.histogram(), (len(sample.getbands()), _WHITE + 1))
    return bool(counts[:, _SHOWS:].sum(axis=1).max() < _LEAST_SHOWN * sample.width * sample.height)


def _over(band: Image.Image, rgb: Image.Image, background: tuple[int, int, int, int] | None) -> Image.Image:
    """Composite a band over a background."""
    if background is None:
        return rgb
    composed = Image.new("RGBA", band.size, background)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(_alpha(band))
    composed.alpha_composite(rgba)
    return composed.convert("RGB")
