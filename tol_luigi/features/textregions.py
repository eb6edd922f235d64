"""Text in an image, such as labels, rulers and watermarks: where it is, not what it reads."""

from __future__ import annotations

import math
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
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

__all__ = ["TextRegions", "components", "text_boxes"]

_PACKAGE = Package("rapidocr", "ocr")

SIDE = 640
"""The longer side in pixels of the image that text is looked for in."""

_MULTIPLE = 32
"""What the sides must be a multiple of."""

TEXT = 0.3
"""The probability from which a pixel is text (rapidocr, config.yaml: Det.thresh)."""

BOX_SCORE = 0.6
"""The lowest mean probability of a box of text.

rapidocr's own 0.5 takes smooth surfaces, such as a table or the eyes of a cat, for text.
"""

HIGHEST_TEXT = 0.25
"""How high a line of text may be, of the shorter side of the image; what is higher is a surface, as above."""

SHORTEST_SIDE = 3
"""The shortest side of a box of text in pixels (rapidocr, DBPostProcess: min_size)."""

UNCLIP = 1.6
"""How much larger a text is than what is found of it (rapidocr, config.yaml: Det.unclip_ratio).

The model is trained to find the inner part of each line: Liao et al. 2020, "Real-time scene text detection with
differentiable binarization", section 3.4: moved outwards by area x ratio / perimeter, it is the line.
"""


@register("textregions")
class TextRegions(Extractor):
    """How much of an image is text, and in how many lines; the detector PP-OCRv6 of the package rapidocr."""

    columns = (pa.field("text_area_frac", pa.float64()), pa.field("n_text_boxes", pa.int32()))
    batch_size = 16

    def identity(self) -> dict[str, Any]:
        """Return the SHA-256 of the weights, and the version of what computes with them."""
        return {"weights": sha256_weights(self._path()), **versions(self.name)}

    def _path(self) -> Path:
        return _PACKAGE.file("rapidocr/models/*_det_*.onnx", self.name)

    def load(self) -> None:
        """Load the model."""
        self._model = OnnxModel(self._path(), self.options, self.name, gpu_batch=1)

    def prepare(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels of the image, with sides that the model expects."""
        return np.asarray(sample.shared(f"multiples of 32 up to {SIDE}", lambda one: _resized(one.image)))

    def run(self, batch: list[NDArray[np.uint8]], before: Mapping[str, Columns]) -> Columns:
        """Return the columns of a batch."""
        del before
        found = [self._boxes(pixels) for pixels in batch]
        return {
            "text_area_frac": [round(min(1.0, math.fsum(areas)), 6) for areas in found],
            "n_text_boxes": [len(areas) for areas in found],
        }

    def _boxes(self, pixels: NDArray[np.uint8]) -> list[float]:
        # Blue, green and red, to -1 to 1 (rapidocr, config.yaml: Det.mean and Det.std).
        image = (pixels[..., ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)
        ((chances,),) = self._model([image])
        return text_boxes(chances[0])


def _resized(image: Image.Image) -> Image.Image:
    longer = max(image.size)
    width, height = (max(1, round(side * SIDE / longer / _MULTIPLE)) * _MULTIPLE for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def text_boxes(chances: NDArray[np.float32]) -> list[float]:
    """Return the area of each line of text, as a part of the image.

    Args:
        chances: The probability that each pixel is text, (height, width).
    """
    highest = HIGHEST_TEXT * min(chances.shape)
    areas = []
    for rows, columns in components(chances > TEXT):
        if len(rows) < SHORTEST_SIDE * SHORTEST_SIDE:
            continue
        length, height = _sides(rows, columns)
        score = float(chances[rows, columns].sum(dtype=np.float64)) / (length * height)
        wider = UNCLIP * length * height / (length + height)  # twice the area x ratio / perimeter
        if height >= SHORTEST_SIDE and score >= BOX_SCORE and height + wider <= highest:
            areas.append((length + wider) * (height + wider) / chances.size)
    return areas


def _sides(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[float, float]:
    """Return the longer and the shorter side of a rectangle around pixels: upright, or along their main axis."""
    points = np.stack([columns, rows], axis=1).astype(np.float64)
    middle = points - points.mean(axis=0)
    (across, mixed), (_, down) = middle.T @ middle
    angle = math.atan2(2 * mixed, across - down) / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = np.ptp(middle @ np.array([[cosine, -sine], [sine, cosine]]), axis=0) + 1
    upright = np.ptp(points, axis=0) + 1
    best = min(upright, turned, key=np.prod)
    return float(best.max()), float(best.min())


def components(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the rows and columns of each connected part of a mask; pixels that touch at a corner are connected.

    Runs of pixels in a row are united with those that they touch in the row above, so that Python looks at
    runs, not at pixels.
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]  # of the same runs, since both are sorted by row and column
    width = mask.shape[1] + 2
    above = (rows - 1) * width
    firsts = np.searchsorted(rows * width + ends, above + starts).tolist()
    lasts = np.searchsorted(rows * width + starts, above + ends, side="right").tolist()
    parents = list(range(len(rows)))
    for run, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        for touching in range(first, last):
            one, other = _root(parents, run), _root(parents, touching)
            parents[max(one, other)] = min(one, other)
    roots = np.array([_root(parents, run) for run in range(len(rows))], np.int64)
    order = np.argsort(roots, kind="stable")
    for runs in np.split(order, np.flatnonzero(np.diff(roots[order])) + 1):
        if len(runs):
            lengths = ends[runs] - starts[runs]
            before = np.repeat(np.cumsum(lengths) - lengths, lengths)
            columns = np.repeat(starts[runs], lengths) + np.arange(lengths.sum()) - before
            yield np.repeat(rows[runs], lengths), columns


def _root(parents: list[int], run: int) -> int:
    while parents[run] != run:
        parents[run] = parents[parents[run]]  # shorter ways for the next search
        run = parents[run]
    return run
