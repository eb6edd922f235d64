"""From an opened image to the RGB pixels of a sample.

What is not RGB is converted in bands of rows: a full-size copy would take up to eight times the memory of the image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tol_luigi.core.image_memory import BAND_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.core.images import ImageSpec

__all__ = ["UnsupportedDepthError", "has_deep_channels", "is_deep_grey", "is_transparent", "to_sample"]

_Size = tuple[int, int]
_Limits = tuple[float, float]
_Array = np.ndarray[Any, Any]

_WHITE, _WHITE_OF_16_BITS = 0xFF, 0xFFFF

_GROUNDS = {"white": (255, 255, 255, 255), "black": (0, 0, 0, 255)}
"""What shows through, by the words of ``[images] transparency``; with ``published`` the colours under it do."""

_SHOWS, _LEAST_SHOWN = 64, 0.001
"""A sample is nearly black if less than this part of its pixels reaches this level, a quarter of the scale.

So is what 14 bits or fewer leave of a scale of 16, as most cameras and microscopes have them.
"""

_STRETCHED = 0.001
"""The part of the values at both ends that stretching may clip: a single hot pixel would leave the rest black."""

_MOST_COMPARED = 1 << 20
"""Values that the limits of stretching are taken from, at regular distances, so that memory is bounded."""


class UnsupportedDepthError(Exception):
    """An image of more than 8 bits per channel of which 8 bits show nearly nothing."""


def is_deep_grey(mode: str) -> bool:
    """Return whether Pillow's mode is one for greys of more than 8 bits."""
    return mode == "F" or mode.startswith("I")


def has_deep_channels(image: Image.Image) -> bool:
    """Return whether the channels of an image that is not yet decoded have more than 8 bits.

    Of colours Pillow keeps the upper 8 bits of 16. Formats that scale to 8 bits what they were made with, such as AVIF
    and JPEG 2000, lose nothing that could be seen.
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
    """Return the pixels of a sample: RGB, in the wanted size, by Pillow's bicubic filter.

    Args:
        image: A decoded image.
        spec: How samples are made.
        deep: Whether the channels of the image have more than 8 bits.

    Raises:
        UnsupportedDepthError: The sample would be nearly black, or values lie outside of the scale, and the settings say
            to refuse such images.
    """
    size = spec.width, spec.height
    limits = _stretch_limits(image) if spec.high_bit_depth == "stretch" and is_deep_grey(image.mode) else None
    ground = _GROUNDS.get(spec.transparency) if image.has_transparency_data else None
    if image.mode == "RGB" and ground is None:
        sample = image.resize(size, Image.Resampling.BICUBIC)
    else:
        sample = _resized(image, size, lambda band: _over(band, _to_rgb(band, limits), ground))
    if deep and limits is None and spec.high_bit_depth != "keep":
        _refuse_invisible(image, sample)
    return sample


def _resized(image: Image.Image, size: _Size, to_rgb: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert and resize band by band; the same pixels as converting and resizing the complete image.

    Pillow resizes in width first, each row by itself, and rounds in between.
    """
    if image.width * image.height <= BAND_PIXELS:
        return to_rgb(image).resize(size, Image.Resampling.BICUBIC)
    narrow = Image.new("RGB", (size[0], image.height))
    for top, band in _bands(image):
        narrow.paste(to_rgb(band).resize((size[0], band.height), Image.Resampling.BICUBIC), (0, top))
    return narrow.resize(size, Image.Resampling.BICUBIC)


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in bands of rows, each with the row that it starts at."""
    rows = max(1, BAND_PIXELS // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _to_rgb(band: Image.Image, limits: _Limits | None) -> Image.Image:
    """Convert any mode to RGB; greys of 16 bits keep their upper eight bits, where Pillow would clip."""
    if is_deep_grey(band.mode):
        values = np.asarray(band)
        levels = _upper_bits(values) if limits is None else _stretched(values, *limits)
        band = Image.fromarray(levels.astype(np.uint8))
    return band if band.mode == "RGB" else band.convert("RGB")


def _upper_bits(values: _Array) -> _Array:
    """Return greys on a scale of 8 bits; real numbers are on it already. What lies outside is clipped."""
    if values.dtype.kind == "f":
        return np.nan_to_num(values, nan=0, posinf=_WHITE, neginf=0).clip(0, _WHITE)
    return (values.astype(np.int64) >> 8).clip(0, _WHITE)


def _stretched(values: _Array, low: float, high: float) -> _Array:
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return ((finite - low) * (_WHITE / (high - low)) + 0.5).clip(0, _WHITE)


def _stretch_limits(image: Image.Image) -> _Limits | None:
    """Return the values that become black and white, None if all values are the same."""
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


def _refuse_invisible(image: Image.Image, sample: Image.Image) -> None:
    if not is_deep_grey(image.mode):
        if _is_nearly_black(sample):
            what = "colours of 16 bits per channel, of which the upper 8 are nearly black"
            raise UnsupportedDepthError(what)
        return
    extents = [(np.asarray(band).min(), np.asarray(band).max()) for _, band in _bands(image)]
    low, high = np.min(extents), np.max(extents)
    scale = _WHITE if image.mode == "F" else _WHITE_OF_16_BITS
    if low == high == 0:
        return  # it is black
    if not 0 <= low <= high <= scale:  # or some are not numbers
        what = f"greys from {low:g} to {high:g}, beyond the scale from 0 to {scale}"
    elif _is_nearly_black(sample):
        what = f"greys from {low:g} to {high:g}, nearly black on a scale from 0 to {scale}"
    else:
        return
    raise UnsupportedDepthError(what)


def _is_nearly_black(sample: Image.Image) -> bool:
    counts = np.reshape(sample.histogram(), (len(sample.getbands()), _WHITE + 1))
    return bool(counts[:, _SHOWS:].sum(axis=1).max() < _LEAST_SHOWN * sample.width * sample.height)


def _over(band: Image.Image, rgb: Image.Image, ground: tuple[int, int, int, int] | None) -> Image.Image:
    """Lay a band over a ground that shows where it is transparent."""
    if ground is None:
        return rgb
    laid = Image.new("RGBA", band.size, ground)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(_alpha(band))
    laid.alpha_composite(rgba)
    return laid.convert("RGB")
