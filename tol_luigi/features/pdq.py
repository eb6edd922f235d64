"""PDQ, the perceptual hash of 256 bits, for near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.packages import Package
from tol_luigi.features.quality import small
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Pdq"]

_PACKAGE = Package("pdqhash", "pdq")


@register("pdq")
class Pdq(Extractor):
    """The hash PDQ of Meta's ThreatExchange, and how much its image lets it distinguish, 0 to 100.

    It is made of an image of at most 512 pixels, as PDQ's own programs do, so large images cost no more.
    """

    columns = (pa.field("pdq256", pa.binary(32)), pa.field("pdq_quality", pa.int16()))

    def identity(self) -> dict[str, Any]:
        """Return the version of the package."""
        return {"pdqhash": _PACKAGE.version(self.name)}

    def load(self) -> None:
        """Import the package."""
        self._pdqhash = _PACKAGE.module("pdqhash", self.name)

    def prepare(self, sample: FeatureSample) -> tuple[bytes, int]:
        """Return the hash and the quality of a sample; the first bit of the hash is the highest."""
        bits, quality = self._pdqhash.compute(np.asarray(small(sample)))
        return np.packbits(np.asarray(bits, np.uint8)).tobytes(), int(quality)

    def run(self, batch: list[tuple[bytes, int]], before: Mapping[str, Columns]) -> Columns:
        """Return them as columns."""
        del before
        return {"pdq256": [bits for bits, _ in batch], "pdq_quality": [quality for _, quality in batch]}
