"""How likely an image is not safe for work, by a classifier on top of the vectors of a CLIP model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.arrays import read_arrays
from tol_luigi.features.blocks import CPU_BLOCK, Blocks
from tol_luigi.features.descriptions import described, file_hashes, sql_name, weights_of
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Head", "NsfwClipHead", "read_head"]


class Head(NamedTuple):
    """A batch normalisation and fully connected layers, with ReLU between them and a sigmoid at the end.

    Attributes:
        scale: What each element of a vector is multiplied by first.
        shift: What is added then.
        layers: The weights, of shape (outputs, inputs), and biases.
    """

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a number from 0 to 1 for each vector."""
        values: NDArray[np.float32] = vectors * self.scale + self.shift
        for place, (weights, bias) in enumerate(self.layers):
            values = (np.maximum(values, 0) if place else values) @ weights.T + bias
        # Beyond this, the result is 0 or 1 in single precision, and exp would overflow.
        chances: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(values[:, 0], -80, 80)))).astype(np.float32)
        return chances


def read_head(file: Path, extractor: str) -> Head:
    """Return a head; layers are recognised by their shapes, and have the order of the numbers in their names.

    Source: ``nsfw-image-oai-clip-vit-l-14`` of dataset2metadata, whose normalisation has an epsilon of 0.

    Raises:
        SettingsError: The file cannot be read, or has other layers.
    """
    arrays = {name: np.asarray(value, np.float32) for name, value in read_arrays(file, extractor).items()}
    try:
        (norm,) = (name.removesuffix("running_mean") for name in arrays if name.endswith("running_mean"))
        mean, variance = arrays[f"{norm}running_mean"], arrays[f"{norm}running_var"]
        scale = (arrays[f"{norm}weight"] / np.sqrt(variance)).astype(np.float32)
        matrices = sorted((name for name, value in arrays.items() if value.ndim == 2), key=_numbered)  # noqa: PLR2004 (a matrix)
        layers = tuple((arrays[name], arrays[f"{name.removesuffix('weight')}bias"]) for name in matrices)
    except (KeyError, ValueError) as error:
        raise SettingsError(
            file, f"it is no batch normalisation with layers ({error})", "Copy it again"
        ) from error
    widths = [scale.shape[0], *(bias.shape[0] for _, bias in layers)]
    shapes = [weights.shape for weights, _ in layers]
    if not layers or widths[-1] != 1 or shapes != list(zip(widths[1:], widths[:-1], strict=True)):
        what = f"its layers of the shapes {shapes} do not fit together and end in one number"
        raise SettingsError(file, what, "Copy it again")
    return Head(scale, (arrays[f"{norm}bias"] - mean * scale).astype(np.float32), layers)


def _numbered(name: str) -> tuple[str | int, ...]:
    """Return a name as a key that sorts its numbers by value, and a layer without a number before those with one."""
    parts = re.split(r"(\d+)", name.removesuffix(".weight"))
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


@register("nsfw-clip-head")
class NsfwClipHead(Extractor):
    """How likely an image is not safe for work, from 0 to 1."""

    columns = (pa.field("nsfw_image_score", pa.float32()),)

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        model, description = described(name, options)
        description.check_keys(("clip", "weights", "licence", "source"))
        clip = description.text("clip")
        self.depends = (f"clip:{clip}",)
        self._vector = f"{sql_name(clip)}_img"
        self._file, self._description = weights_of(model, description), description

    def identity(self) -> dict[str, Any]:
        """Return the hash of its weights."""
        return {"files": file_hashes([self._file])}

    def load(self) -> None:
        """Load the layers."""
        self._head = read_head(self._file, self.name)

    def prepare(self, sample: FeatureSample) -> None:
        """Return nothing: what counts is the vector of the CLIP model."""
        del sample

    def run(self, batch: list[None], before: Mapping[str, Columns]) -> Columns:
        """Return the scores."""
        del batch
        vectors = np.asarray(before[self.depends[0]][self._vector], np.float32)
        if vectors.shape[1] != len(self._head.scale):
            what = f"{self.depends[0]} has vectors of {vectors.shape[1]}, but the weights are for {len(self._head.scale)}"
            raise self._description.error("clip", what, "Name the model that the weights were made for")
        return {"nsfw_image_score": Blocks(CPU_BLOCK)(lambda rows: self._head.scores(rows).tolist(), vectors)}
