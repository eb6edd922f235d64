"""Hashes of images: of their bytes, of their pixels, and perceptual ones for near-duplicates."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Hashes", "are_plain"]

_LEAST_STEPS, _MOST_STEPS = 4, 60
"""How many of the 64 steps of ``dhash64`` go down in an image with detail: in a plain image none does, in a smooth
gradient none or all."""


@register("hash")
class Hashes(Extractor):
    """Hashes that are equal for equal images, and perceptual ones that are similar for similar images."""

    columns = (
        pa.field("sha256", pa.string()),
        pa.field("pixel_sha256", pa.string()),
        pa.field("phash64", pa.uint64()),
        pa.field("dhash64", pa.uint64()),
    )

    def prepare(self, sample: FeatureSample) -> dict[str, Any]:
        """Return the hashes of a sample."""
        grey = sample.shared("grey", lambda one: one.image.convert("L"))
        return {
            "sha256": hashlib.sha256(sample.image_file).hexdigest(),
            "pixel_sha256": hashlib.sha256(sample.image.tobytes()).hexdigest(),
            "phash64": phash64(grey),
            "dhash64": dhash64(grey),
        }

    def run(self, batch: list[dict[str, Any]], before: Mapping[str, Columns]) -> Columns:
        """Return the hashes as columns."""
        del before
        return {column.name: [hashes[column.name] for hashes in batch] for column in self.columns}


_SIDE, _FREQUENCIES = 32, 8
# Integers, so that no machine or library rounds differently.
_COSINES = np.rint(
    2**16 * np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(_FREQUENCIES), np.arange(1, 2 * _SIDE, 2)))
)


def phash64(grey: Image.Image) -> int:
    """Return 64 bits: whether each of the 8 x 8 lowest frequencies of 32 x 32 pixels is above their median.

    Source: the usual definition of pHash, such as in the package imagehash; bits are numbered by rows, the
    first is the highest.
    """
    pixels = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), np.float64)
    amplitudes = _COSINES @ pixels @ _COSINES.T
    return _number(amplitudes > np.median(amplitudes))


def dhash64(grey: Image.Image) -> int:
    """Return 64 bits: whether each of 8 x 8 pixels is darker than the one to its right."""
    pixels = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS))
    return _number(pixels[:, 1:] > pixels[:, :-1])


def _number(bits: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes())


def are_plain(dhashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return for each ``dhash64`` whether its image has too little detail for ``phash64`` to identify it."""
    steps = np.bitwise_count(dhashes)
    return (steps < _LEAST_STEPS) | (steps > _MOST_STEPS)
