"""Perceptual hashes: 256 bits that are nearly equal for images that look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BITS", "LEAST_QUALITY", "USUAL_DISTANCE", "PerceptualHash", "perceptual_hash"]

BITS = 256
"""The number of bits of a hash."""

USUAL_DISTANCE = 31
"""The greatest Hamming distance, in bits, between the hashes of near-duplicates.

Source: pdq/README.md of facebook/ThreatExchange. See docs/performance.md for what it finds.
"""

LEAST_QUALITY = 50
"""The lowest quality of a hash that identifies an image; images below it are too plain.

Source: pdq/README.md of facebook/ThreatExchange, which discards hashes of a quality up to 49.
"""

_SIDE, _FREQUENCIES = 64, 16
# Integers: all products and sums are below 2**53, so no machine or library rounds them differently.
_COSINES = np.rint(
    2**16 * np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(1, _FREQUENCIES + 1), np.arange(1, 2 * _SIDE, 2)))
)


class PerceptualHash(NamedTuple):
    """A perceptual hash with its quality.

    Attributes:
        bits: 32 bytes; near-duplicates share nearly all bits.
        quality: The amount of detail, from 0 (plain) to 100.
    """

    bits: bytes
    quality: int

    @property
    def is_informative(self) -> bool:
        """Whether the image has enough detail for the bits to identify it."""
        return self.quality >= LEAST_QUALITY


def perceptual_hash(image: Image.Image) -> PerceptualHash:
    """Return the hash of an image of any size and aspect ratio.

    The brightness, reduced to 64 x 64 pixels, is transformed by the cosine transform. Each bit is set if one
    of the 16 x 16 lowest frequencies (without the constant ones) is above their median. The same pixels give
    the same bits on every machine.

    Source: bits and quality of the PDQ hash of facebook/ThreatExchange (hashing.pdf). PDQ reduces images
    differently, so its hashes cannot be compared with these.
    """
    reduced = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    brightness = np.asarray(reduced)
    amplitudes = (_COSINES @ brightness.astype(np.float64) @ _COSINES.T).ravel()
    median = np.partition(amplitudes, BITS // 2 - 1)[BITS // 2 - 1]
    return PerceptualHash(np.packbits(amplitudes > median).tobytes(), _quality(brightness.astype(np.int16)))


def _quality(brightness: NDArray[np.int16]) -> int:
    """Return the sum of differences between neighbours, in hundredths of the full range; 9,000 give 100."""
    steps = sum(int((np.abs(np.diff(brightness, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(100, steps // 90)
