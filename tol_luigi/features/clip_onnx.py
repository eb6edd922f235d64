"""CLIP models as two ONNX files, computed by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.clip_models import ClipModel
from tol_luigi.features.onnx_models import described_onnx, versions
from tol_luigi.features.tokens import TextTokenizer
from tol_luigi.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options
    from tol_luigi.features.onnx_models import OnnxModel

__all__ = ["OnnxClip"]


class OnnxClip(ClipModel):
    """A folder with ``image.onnx``, ``text.onnx`` and ``model.yml``, as ``export_onnx`` writes it."""

    backend = "onnx"

    def __init__(self, description: Description, options: Options) -> None:
        super().__init__(description, options)
        self.transform = Transform.of(description)
        self.dimensions = description.whole("dimensions")
        self._length = description.whole("context_length")
        self._image_file = description.path("image_file", "image.onnx")
        self._text_file = description.path("text_file", "text.onnx")
        description.text("tokenizer")
        # Without it, vectors can be computed, but no probabilities.
        self.logit_scale = description.number("logit_scale", 0.0)

    def files(self) -> list[Path]:
        """Return all files of the folder but notes: large models have more than the two."""
        return [
            file
            for file in self.description.folder.iterdir()
            if file.is_file() and not file.name.startswith(".") and file.suffix not in {".md", ".yml"}
        ]

    def packages(self) -> dict[str, str]:
        """Return the versions of ONNX Runtime and of the tokenizer."""
        tokenizer = TextTokenizer.package(self.description)
        return versions(self.description.extractor, tokenizer)

    def load(self) -> None:
        """Load both towers and the tokenizer."""
        self._tokenizer = TextTokenizer(self.description, self._length)
        side = self.transform.side
        self._image = described_onnx(
            self._image_file, self.description, "transform", (3, side, side), self.options
        )
        self._text = described_onnx(
            self._text_file, self.description, "context_length", (self._length,), self.options
        )

    def image_features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of images."""
        return _vectors(self._image, pixels)

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts."""
        return _vectors(self._text, self._tokenizer(texts))


def _vectors(model: OnnxModel, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Return the first output of a model for each input."""
    return np.stack([outputs[0] for outputs in model(list(inputs.astype(model.dtype)))]).astype(np.float32)
