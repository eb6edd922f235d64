"""Vectors of images and texts, and how well they agree, by a CLIP model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tol_luigi.features.clip_models import clip_model
from tol_luigi.features.descriptions import sql_name
from tol_luigi.features.extractor import Extractor, Vector
from tol_luigi.features.registry import register
from tol_luigi.features.samples import SampleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Clip"]


class _Input(NamedTuple):
    pixels: NDArray[np.uint8]
    text: str | None


@register("clip")
class Clip(Extractor):
    """The vectors of a CLIP model, of length 1, and their cosine.

    A sample without a text has the vector of its image; its score is null, and the vector of its text NaN.
    """

    reads_text = True

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        self.model = clip_model(name, options)
        self._prefix = sql_name(name.partition(":")[2])
        self.columns = (pa.field(f"{self._prefix}_score", pa.float32()),)
        self.vectors = (
            Vector(f"{self._prefix}_img", self.model.dimensions),
            Vector(f"{self._prefix}_txt", self.model.dimensions),
        )

    def identity(self) -> dict[str, Any]:
        """Return the hashes of its files, its transform and the versions of packages."""
        return self.model.identity()

    def load(self) -> None:
        """Load both towers."""
        self.model.load()

    def prepare(self, sample: FeatureSample) -> _Input:
        """Return the pixels and the text of a sample."""
        pixels = self.model.transform.pixels(sample)
        try:
            return _Input(pixels, sample.text)
        except SampleError:
            return _Input(pixels, None)

    def run(self, batch: list[_Input], before: Mapping[str, Columns]) -> Columns:
        """Return scores and vectors."""
        del before
        images = self.model.embed_images([one.pixels for one in batch])
        texts = np.full_like(images, np.nan)
        rows = [row for row, one in enumerate(batch) if one.text is not None]
        if rows:
            texts[rows] = self.model.embed_texts([one.text for one in batch if one.text is not None])
        scores = np.einsum("ij,ij->i", images, texts)
        return {
            f"{self._prefix}_score": [
                None if one.text is None else float(score) for one, score in zip(batch, scores, strict=True)
            ],
            f"{self._prefix}_img": images,
            f"{self._prefix}_txt": texts,
        }
