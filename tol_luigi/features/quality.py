"""Properties of an image that show how usable it is: size, sharpness, exposure, colour, border, compression.

Pixels are counted in integers, and only the last steps are made in float64 and rounded to :data:`DIGITS` digits
after the point, so that the same pixels have the same values on every machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.header import header, jpeg_quality
from tol_luigi.features.registry import register
from tol_luigi.features.samples import SampleError, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.header import Header
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Quality", "small"]

DIGITS = 6
"""The digits after the point of what is not an integer."""

SMALL_SIDE = 512
"""The longer side in pixels of the image that sharpness, colours and the border are measured on."""

CLIPPED = 2
"""How far from black or white, of 255, a pixel counts as clipped."""

GREY_SPREAD = 12
"""How far apart, of 255, the channels of a grey pixel may be, as JPEG makes them."""

BORDER_SPREAD = 12
"""How far apart, of 255, the pixels of a uniform border may be, as JPEG makes them."""


def small(sample: FeatureSample) -> Image.Image:
    """Return the image, reduced to a longer side of :data:`SMALL_SIDE`; a smaller one as it is."""
    return sample.shared(f"bilinear, at most {SMALL_SIDE}", lambda one: _reduced(one.image))


def _reduced(image: Image.Image) -> Image.Image:
    longer = max(image.size)
    if longer <= SMALL_SIDE:
        return image
    width, height = (max(1, (2 * side * SMALL_SIDE + longer) // (2 * longer)) for side in image.size)
    # Triangles: the weights of this filter need no functions that libraries round differently.
    return image.resize((width, height), Image.Resampling.BILINEAR)


@register("quality")
class Quality(Extractor):
    """Size, sharpness, exposure, colour, border and compression.

    A truncated image is a finding here, not an error: it has the values of its header, and no others.
    """

    columns = (
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("megapixels", pa.float64()),
        pa.field("aspect", pa.float64()),
        pa.field("blur_lapvar", pa.float64()),
        pa.field("brightness_mean", pa.float64()),
        pa.field("brightness_std", pa.float64()),
        pa.field("clipped_lo", pa.float64()),
        pa.field("clipped_hi", pa.float64()),
        pa.field("contrast", pa.float64()),
        pa.field("entropy", pa.float64()),
        pa.field("colourfulness", pa.float64()),
        pa.field("is_grey", pa.bool_()),
        pa.field("border_frac", pa.float64()),
        pa.field("jpeg_q", pa.int16()),
        pa.field("n_frames", pa.int32()),
        pa.field("exif_orientation", pa.int8()),
        pa.field("truncated", pa.bool_()),
    )

    def prepare(self, sample: FeatureSample) -> dict[str, Any]:
        """Return the values of a sample."""
        found = header(sample)
        try:
            grey = sample.shared("grey", lambda one: one.image.convert("L"))
            values = {**_exposure(grey.histogram()), **_of_pixels(small(sample))}
        except SampleError as error:
            if error.status is not Status.TRUNCATED:
                raise
            return {**_of_header(found), "truncated": True}
        return {**_of_header(found), **values, "truncated": False}

    def run(self, batch: list[dict[str, Any]], before: Mapping[str, Columns]) -> Columns:
        """Return the values as columns."""
        del before
        return {
            column.name: [_rounded(values.get(column.name)) for values in batch] for column in self.columns
        }


def _rounded(value: object) -> object:
    return round(value, DIGITS) if isinstance(value, float) else value


def _of_header(found: Header) -> dict[str, Any]:
    width, height = found.size
    return {
        "width": width,
        "height": height,
        "megapixels": width * height / 1_000_000,
        "aspect": width / height,
        "jpeg_q": None if found.quantisation is None else jpeg_quality(found.quantisation),
        "n_frames": found.frames,
        "exif_orientation": found.orientation,
    }


def _exposure(counts: Sequence[int]) -> dict[str, float]:
    """Return what follows from how many pixels have each brightness; of all pixels, not of the small image.

    ``contrast`` is the distance of the 1st and the 99th percentile, 0 to 1 (as in ``is_low_contrast`` of
    scikit-image, which calls less than 0.05 low); ``entropy`` is Shannon's, in bits, 0 to 8.
    """
    pixels = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return {
        "brightness_mean": total / pixels,
        "brightness_std": math.sqrt(pixels * squares - total * total) / pixels,
        "clipped_lo": sum(counts[: CLIPPED + 1]) / pixels,
        "clipped_hi": sum(counts[-CLIPPED - 1 :]) / pixels,
        "contrast": (_percentile(counts, 99) - _percentile(counts, 1)) / 255,
        "entropy": abs(math.fsum(count * math.log2(pixels / count) for count in counts if count)) / pixels,
    }


def _percentile(counts: Sequence[int], percent: int) -> int:
    """Return the lowest value that so many per cent of the pixels do not exceed."""
    sums = np.cumsum(np.asarray(counts, np.int64))
    return int(np.argmax(100 * sums >= percent * sums[-1]))


def _of_pixels(image: Image.Image) -> dict[str, Any]:
    pixels = np.asarray(image).astype(np.int32)
    return {
        "blur_lapvar": _laplacian_variance(np.asarray(image.convert("L")).astype(np.int32)),
        "colourfulness": _colourfulness(pixels),
        "is_grey": _is_grey(pixels),
        "border_frac": _border(pixels),
    }


def _variance(values: NDArray[np.int32]) -> float:
    """Return the variance of integers; from sums in integers, which no order of summing changes."""
    number, total = values.size, int(values.sum(dtype=np.int64))
    squares = int(np.square(values, dtype=np.int64).sum())
    return float((number * squares - total * total) / (number * number))


def _laplacian_variance(grey: NDArray[np.int32]) -> float | None:
    """Return the variance of the second differences of neighbours; None below 3 x 3 pixels.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", LAP4 with 4 neighbours.
    """
    if min(grey.shape) < 3:  # noqa: PLR2004 (a pixel and its neighbours)
        return None
    neighbours = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return _variance(neighbours - 4 * grey[1:-1, 1:-1])


def _colourfulness(pixels: NDArray[np.int32]) -> float:
    """Return how colourful an image is: 0 without colours, about 15 slightly, 59 quite, above 100 extremely.

    Source: Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", M3.
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    red_green, twice_yellow_blue = red - green, red + green - 2 * blue
    means = (
        int(red_green.sum(dtype=np.int64)) / red.size,
        int(twice_yellow_blue.sum(dtype=np.int64)) / (2 * red.size),
    )
    spread = math.sqrt(_variance(red_green) + _variance(twice_yellow_blue) / 4)
    return spread + 0.3 * math.sqrt(means[0] * means[0] + means[1] * means[1])


def _is_grey(pixels: NDArray[np.int32]) -> bool:
    """Return whether the channels of 99 % of the pixels are nearly equal."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool(100 * np.count_nonzero(spread <= GREY_SPREAD) >= 99 * spread.size)


def _border(pixels: NDArray[np.int32]) -> float:
    """Return the part of the area in uniform rows and columns along the edges; 1 for a uniform image."""
    # Channel by channel: numpy reduces long rows several times as fast as pixels of three numbers.
    channels = np.ascontiguousarray(pixels.transpose(2, 0, 1).astype(np.int16))
    rows = _inner(channels)
    columns = _inner(channels[:, rows].swapaxes(1, 2))
    inside = (rows.stop - rows.start) * (columns.stop - columns.start)
    area = pixels.shape[0] * pixels.shape[1]
    return float((area - inside) / area)


def _inner(channels: NDArray[np.int16]) -> slice:
    """Return the rows without those at both ends that are uniform, and of the colour of the outermost one."""
    if not channels.size:
        return slice(0, 0)
    lowest, highest = channels.min(axis=2), channels.max(axis=2)

    def differs(edge: int) -> NDArray[np.bool_]:
        # A row is like the edge if both together are uniform.
        most, least = highest[:, edge, np.newaxis], lowest[:, edge, np.newaxis]
        spread = np.maximum(highest, most) - np.minimum(lowest, least)
        return np.asarray((spread > BORDER_SPREAD).any(axis=0))

    below, above = np.flatnonzero(differs(0)), np.flatnonzero(differs(-1))
    if not len(below) or not len(above):
        return slice(0, 0)
    start, stop = int(below[0]), int(above[-1]) + 1
    return slice(start, max(start, stop))
