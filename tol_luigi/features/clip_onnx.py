"""CLIP models as two ONNX files, computed by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.features.clip_models import ClipModel
from tol_luigi.features.onnx_models import session
from tol_luigi.features.packages import versions
from tol_luigi.features.tokens import TextTokenizer
from tol_luigi.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options

__all__ = ["EXTRA", "OnnxClip", "run_batch"]

EXTRA = "clip-onnx"

_TYPES: dict[str, type] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


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
        """Return all files of the folder: large models have more than the two."""
        return [
            file
            for file in self.description.folder.iterdir()
            if file.is_file() and not file.name.startswith(".") and file.suffix != ".md"
        ]

    def packages(self) -> dict[str, str]:
        """Return the versions of ONNX Runtime and of the tokenizer."""
        return versions(EXTRA, "onnxruntime") | TextTokenizer.packages(self.description, EXTRA)

    def load(self) -> None:
        """Load both towers and the tokenizer."""
        self._tokenizer = TextTokenizer(self.description, self._length, EXTRA)
        self._image = session(self._image_file, self.options)
        self._text = session(self._text_file, self.options)
        for key, found, stated in (
            ("transform", self._image.get_inputs()[0].shape[2:], [self.transform.side] * 2),
            ("context_length", self._text.get_inputs()[0].shape[1:], [self._length]),
        ):
            # A size that may vary has a name, not a number.
            if any(isinstance(one, int) and one != two for one, two in zip(found, stated, strict=False)):
                what = f"it makes inputs of {_times(stated)}, but the model expects {_times(found)}"
                raise self.description.error(key, what, "Correct it")

    def image_features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of images."""
        return run_batch(self._image, pixels)[0]

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts."""
        return run_batch(self._text, self._tokenizer(texts))[0]


def _times(sizes: Sequence[Any]) -> str:
    return " x ".join(map(str, sizes))


def run_batch(loaded: Any, batch: NDArray[Any]) -> list[NDArray[np.float32]]:  # noqa: ANN401 (a session)
    """Return the outputs of a session with one input, one element at a time if its batches have one."""
    (first,) = loaded.get_inputs()
    values = batch.astype(_TYPES.get(first.type, np.float32))
    if first.shape[0] == 1:
        parts = [loaded.run(None, {first.name: values[i : i + 1]}) for i in range(len(values))]
        return [np.concatenate(outputs).astype(np.float32) for outputs in zip(*parts, strict=True)]
    return [output.astype(np.float32) for output in loaded.run(None, {first.name: values})]
