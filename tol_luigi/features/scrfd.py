"""Faces, found by a model of the SCRFD family as an ONNX file.

Source of the numbers: the detector ``faces-scrfd10g`` of dataset2metadata, with which DataComp was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.descriptions import described, file_hashes, weights_of
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.onnx_models import described_onnx, versions
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Scrfd", "decoded_faces", "kept_boxes", "padded_square"]

STRIDES = (8, 16, 32)
ANCHORS = 2
CANDIDATE_SCORE, FACE_SCORE = 0.02, 0.3
MAX_OVERLAP = 0.45


class _Input(NamedTuple):
    pixels: NDArray[np.uint8]
    # Of the square's side: the margins left and above, and the width and height of the image.
    place: tuple[float, float, float, float]


def padded_square(image: Image.Image, side: int) -> _Input:
    """Return an image in the middle of a white square, resized, and where it is in it."""
    longest = max(image.size)
    left, top = (longest - image.width) // 2, (longest - image.height) // 2
    square = Image.new("RGB", (longest, longest), "white")
    square.paste(image, (left, top))
    pixels = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC), np.uint8)
    place = (left / longest, top / longest, image.width / longest, image.height / longest)
    return _Input(pixels, place)


def decoded_faces(outputs: list[NDArray[np.float32]], side: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return candidate boxes in parts of the side, and their scores.

    Args:
        outputs: Outputs for one image, with 1 number (score) or 4 (distances to the edges of the box) for each
            anchor; others, such as points of the face, are ignored.
        side: The width and height of the input.

    Raises:
        ValueError: There is no output for a level.
    """
    boxes, scores = [], []
    flat = [output.reshape(-1, output.shape[-1]) for output in outputs]
    for stride in STRIDES:
        cells = side // stride
        count = cells * cells * ANCHORS
        level = {part.shape[1]: part for part in flat if len(part) == count}
        if not {1, 4} <= level.keys():
            raise ValueError(f"no scores and distances for {count} anchors")
        grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1).reshape(-1, 2)
        centres = np.repeat(grid * stride, ANCHORS, axis=0)
        near, far = np.split(level[4] * stride, 2, axis=1)
        boxes.append(np.hstack([centres - near, centres + far]) / side)
        scores.append(level[1][:, 0])
    return np.vstack(boxes), np.concatenate(scores)


def kept_boxes(boxes: NDArray[Any], scores: NDArray[Any], overlap: float = MAX_OVERLAP) -> list[int]:
    """Return the places of boxes that no better box overlaps, the best first.

    Args:
        boxes: Their edges, of shape (boxes, 4).
        scores: How good each is.
        overlap: The intersection over union up to which both boxes of a pair are kept.
    """
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    waiting, kept = np.argsort(-scores, kind="stable"), []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        near = np.maximum(boxes[rest, :2], boxes[best, :2])
        far = np.minimum(boxes[rest, 2:], boxes[best, 2:])
        common = np.prod(np.maximum(far - near, 0), axis=1)
        union = areas[rest] + areas[best] - common
        waiting = rest[common <= overlap * union]
    return kept


@register("scrfd")
class Scrfd(Extractor):
    """Boxes around faces: left, top, right and bottom, each from 0 to 1 of the image, the surest first."""

    columns = (
        pa.field("face_bboxes", pa.list_(pa.list_(pa.float64()))),
        pa.field("face_scores", pa.list_(pa.float64())),
        pa.field("n_faces", pa.int32()),
    )

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        model, description = described(name, options)
        description.check_keys(("size", "weights", "scores", "mean", "std", "licence", "source"))
        self._file = weights_of(model, description)
        self._side = description.whole("size", 224)
        if self._side % STRIDES[-1]:
            what = f"{self._side} is not a multiple of {STRIDES[-1]}"
            raise description.error("size", what, "Correct it")
        self._scores = description.text("scores", ("probabilities", "logits"), "probabilities")
        self._mean, self._std = description.number("mean", 0.5), description.number("std", 0.5)
        self._description = description

    def identity(self) -> dict[str, Any]:
        """Return the hash of its file, and what determines its input."""
        stated = [self._side, self._scores, self._mean, self._std]
        return {
            "files": file_hashes([self._file]),
            "stated": stated,
            "packages": versions(self.name),
        }

    def load(self) -> None:
        """Load the model."""
        sizes = (3, self._side, self._side)
        self._model = described_onnx(self._file, self._description, "size", sizes, self.options)

    def prepare(self, sample: FeatureSample) -> _Input:
        """Return the image in a square."""
        return sample.shared(f"square {self._side}", lambda one: padded_square(one.image, self._side))

    def run(self, batch: list[_Input], before: Mapping[str, Columns]) -> Columns:
        """Return boxes and scores."""
        del before
        # One image at a time: exported models have outputs without a dimension for images.
        found = [self._faces(one) for one in batch]
        return {
            "face_bboxes": [boxes for boxes, _ in found],
            "face_scores": [scores for _, scores in found],
            "n_faces": [len(scores) for _, scores in found],
        }

    def _faces(self, one: _Input) -> tuple[list[list[float]], list[float]]:
        pixels = (one.pixels.astype(np.float32) / 255 - self._mean) / self._std
        outputs = self._model.outputs(pixels.transpose(2, 0, 1)[np.newaxis].astype(self._model.dtype))
        try:
            boxes, scores = decoded_faces(outputs, self._side)
        except ValueError as error:
            raise SettingsError(self._file, f"it is no SCRFD model ({error})", "Name another file") from error
        if self._scores == "logits":
            scores = 1 / (1 + np.exp(-np.clip(scores, -80, 80)))
        elif scores.size and (scores.min() < 0 or scores.max() > 1):
            what = f"{self._scores}, but scores are from {scores.min():.1f} to {scores.max():.1f}"
            raise self._description.error("scores", what, "Set it to logits")
        likely = scores > CANDIDATE_SCORE
        boxes, scores = boxes[likely], scores[likely]
        kept = [place for place in kept_boxes(boxes, scores) if scores[place] > FACE_SCORE]
        left, top, width, height = one.place
        inside = (boxes[kept] - [left, top, left, top]) / [width, height, width, height]
        return np.clip(inside, 0, 1).astype(np.float64).tolist(), scores[kept].astype(np.float64).tolist()
