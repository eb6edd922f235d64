"""Perceptual hashes: 256 bits that stay nearly the same while a picture looks the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BITS", "LEAST_QUALITY", "USUAL_DISTANCE", "PerceptualHash", "perceptual_hash"]

BITS = 256
"""Bits of a hash."""

USUAL_DISTANCE = 31
"""Pictures whose hashes differ in so many bits or fewer look the same.

Source: pdq/README.md of facebook/ThreatExchange. What it finds is told in docs/performance.md.
"""

LEAST_QUALITY = 50
"""A picture of less quality is too plain to be known by its hash.

Source: pdq/README.md of facebook/ThreatExchange, which discards hashes of a quality up to 49.
"""

_SIDE, _FREQUENCIES = 64, 16
# Whole numbers: all products and sums below 2**53, so that no machine and no library rounds them differently.
_COSINES = np.rint(
    2**16 * np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(1, _FREQUENCIES + 1), np.arange(1, 2 * _SIDE, 2)))
)


class PerceptualHash(NamedTuple):
    """What a picture looks like.

    Attributes:
        bits: 32 bytes, of which pictures that look the same share nearly all bits.
        quality: How much there is to see, from 0 (plain) to 100.
    """

    bits: bytes
    quality: int

    @property
    def tells(self) -> bool:
        """Tell whether there is enough to see for the bits to mean something."""
        return self.quality >= LEAST_QUALITY


def perceptual_hash(image: Image.Image) -> PerceptualHash:
    """Hash a picture of any size; the aspect ratio plays no role.

    Its brightness, reduced to 64 x 64, is taken apart by the cosine transform; the bits tell which of the 16 x 16
    lowest frequencies (without the constant ones) are above their median. The same pixels give the
    same bits on every machine.

    Source: the PDQ hash of facebook/ThreatExchange (hashing.pdf), bits and quality. It reduces a picture in
    another way, so its hashes are not to be compared with these.
    """
    reduced = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    brightness = np.asarray(reduced)
    amplitudes = (_COSINES @ brightness.astype(np.float64) @ _COSINES.T).ravel()
    median = np.partition(amplitudes, BITS // 2 - 1)[BITS // 2 - 1]
    return PerceptualHash(np.packbits(amplitudes > median).tobytes(), _quality(brightness.astype(np.int16)))


def _quality(brightness: NDArray[np.int16]) -> int:
    """Add up the steps between neighbours, in hundredths of the way from black to white; 9,000 are enough."""
    steps = sum(int((np.abs(np.diff(brightness, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(100, steps // 90)
