"""CLIP models: an image tower and a text tower, whatever computes them."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.descriptions import described, file_hashes
from tol_luigi.features.extractor import unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options
    from tol_luigi.features.transforms import Transform

__all__ = ["ClipModel", "clip_model"]

KEYS = (
    "activation",
    "backend",
    "context_length",
    "dimensions",
    "dtype",
    "image_file",
    "licence",
    "logit_scale",
    "model",
    "pad_token",
    "source",
    "text_file",
    "tokenizer",
    "transform",
    "weights",
)
"""The keys of ``model.yml`` of a CLIP model; ``licence`` and ``source`` are notes."""

_STATED = (
    "activation",
    "context_length",
    "dtype",
    "logit_scale",
    "model",
    "pad_token",
    "tokenizer",
)
"""The keys whose values determine vectors, next to the files and the transform."""

TEXTS_AT_ONCE = 256
"""How many texts are embedded at once."""


class ClipModel(abc.ABC):
    """A CLIP model. Its properties are known before its weights are loaded, but for :attr:`logit_scale`.

    Attributes:
        transform: How images become pixels.
        dimensions: The length of its vectors.
        logit_scale: What cosines are multiplied by before probabilities are computed; known after
            :meth:`load`, and 0 if nothing states it.
    """

    backend: ClassVar[str]
    transform: Transform
    dimensions: int
    logit_scale: float = 0.0

    def __init__(self, description: Description, options: Options) -> None:
        self.description, self.options = description, options

    def identity(self) -> dict[str, Any]:
        """Return what determines its vectors, as JSON."""
        return {
            "backend": self.backend,
            "files": file_hashes(self.files()),
            "transform": self.transform.stated,
            "packages": self.packages(),
            # The rest of model.yml, which completes the files.
            "stated": {
                key: self.description.values[key] for key in _STATED if key in self.description.values
            },
        }

    @abc.abstractmethod
    def files(self) -> list[Path]:
        """Return the files that it reads."""

    @abc.abstractmethod
    def packages(self) -> dict[str, str]:
        """Return the versions of the packages that compute it."""

    @abc.abstractmethod
    def load(self) -> None:
        """Load the weights."""

    @abc.abstractmethod
    def image_features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of images, of any length."""

    @abc.abstractmethod
    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, of any length."""

    def embed_images(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the vectors of images, of length 1; pixels as :meth:`.Transform.pixels` returns them."""
        return self._checked(self.image_features(self.transform.normalised(pixels)))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, of length 1; each different text is embedded once."""
        unique = list(dict.fromkeys(texts))
        rows = np.zeros((len(unique), self.dimensions), np.float32)
        for start in range(0, len(unique), TEXTS_AT_ONCE):
            part = unique[start : start + TEXTS_AT_ONCE]
            rows[start : start + len(part)] = self._checked(self.text_features(part))
        places = {text: place for place, text in enumerate(unique)}
        return rows[[places[text] for text in texts]]

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        if vectors.shape[1:] != (self.dimensions,):
            what = f"{self.dimensions}, but vectors of the model have the shape {vectors.shape[1:]}"
            raise self.description.error("dimensions", what, "Correct it")
        return unit_rows(vectors.astype(np.float32))


def clip_model(name: str, options: Options) -> ClipModel:
    """Return a CLIP model of the user, whose weights are not loaded yet.

    The key ``backend`` of ``model.yml`` decides what computes it; otherwise the files of the folder do.

    Args:
        name: ``clip:`` and the name of the model.
        options: The models that the user has.

    Raises:
        SettingsError: The model is missing, or not described completely.
    """
    _, description = described(name, options)
    description.check_keys(KEYS)
    backends = _backends()
    if description.has("backend"):
        chosen = description.text("backend", backends)
    else:
        chosen = _recognised(description.folder)
    return backends[chosen](description, options)


def _recognised(folder: Path) -> str:
    """Return the backend for the files of a folder."""
    for backend, files in {
        "onnx": ("image.onnx",),
        "hf": ("config.json", "model.safetensors"),
        "open_clip": ("open_clip_config.json",),
    }.items():
        if all((folder / file).is_file() for file in files):
            return backend
    what = (
        "it has neither image.onnx and text.onnx, nor config.json and model.safetensors, nor"
        " open_clip_config.json"
    )
    raise SettingsError(folder, what, "Copy the files of the model there, or write model.yml with backend")


def _backends() -> dict[str, type[ClipModel]]:
    # They import this module.
    from tol_luigi.features.clip_onnx import OnnxClip  # noqa: PLC0415
    from tol_luigi.features.clip_torch import HuggingFaceClip, OpenClip  # noqa: PLC0415

    return {backend.backend: backend for backend in (OnnxClip, HuggingFaceClip, OpenClip)}
