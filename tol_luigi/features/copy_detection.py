"""Vectors that find copies of an image, and the best match among reference images, such as those of a benchmark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tol_luigi.features import torch_models
from tol_luigi.features.arrays import read_arrays
from tol_luigi.features.blocks import Blocks
from tol_luigi.features.descriptions import described, file_hashes, sql_name, weights_of
from tol_luigi.features.extractor import Extractor, Vector, unit_rows
from tol_luigi.features.nearest import nearest_vectors
from tol_luigi.features.onnx_models import described_onnx, versions
from tol_luigi.features.registry import register
from tol_luigi.features.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.onnx_models import OnnxModel
    from tol_luigi.features.samples import FeatureSample

__all__ = ["CopyDetection", "read_references"]

KEYS = ("weights", "dimensions", "transform", "references", "ids", "licence", "source")


def read_references(description: Description, dimensions: int) -> tuple[NDArray[Any], list[str]]:
    """Return the vectors and ids of the reference images of a description.

    ``references`` is a file with one array, or with the arrays ``vectors`` and ``ids``; ``ids`` may be a text file
    with one id per line. Without ids, references are numbered from 0.

    Raises:
        SettingsError: A file cannot be read, or they do not fit together.
    """
    arrays = read_arrays(description.path("references"), description.extractor)
    vectors = arrays.get("vectors", arrays.get(""))
    if vectors is None or vectors.ndim != 2 or vectors.shape[1] != dimensions or not len(vectors):  # noqa: PLR2004 (a matrix)
        shapes = {name: value.shape for name, value in arrays.items()}
        what = f"its arrays {shapes} are no vectors of {dimensions}"
        raise description.error("references", what, "Name a file with the vectors of this model")
    if description.has("ids"):
        ids = description.path("ids").read_text(encoding="utf-8").splitlines()
    else:
        ids = [str(one) for one in arrays.get("ids", range(len(vectors)))]
    if len(ids) != len(vectors):
        what = f"there are {len(ids)} ids for {len(vectors)} vectors"
        raise description.error("ids", what, "Write one id for each")
    return vectors, ids


class _TorchScript:
    """A program of TorchScript with one input and one output."""

    def __init__(self, file: Path, options: Options, extractor: str) -> None:
        self._torch, self._device = torch_models.torch_for(options, extractor), options.device
        self._blocks = Blocks.of(options)
        self._network = self._torch.jit.load(str(file), map_location=options.device).eval()

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack(self._blocks(self._computed, pixels))

    def _computed(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with self._torch.inference_mode():
            output = self._network(self._torch.from_numpy(pixels).to(self._device))
        return list(output.float().cpu().numpy())


def _first_output(model: OnnxModel) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a function that computes the first output of a model for each image."""
    return lambda pixels: np.stack([found[0] for found in model(list(pixels.astype(model.dtype)))])


@register("copy")
class CopyDetection(Extractor):
    """Vectors of length 1, such as those of ISC or SSCD; with references also the best match among them."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options)
        model, description = described(name, options)
        description.check_keys(KEYS)
        self._description = description
        self._transform = Transform.of(description)
        self._file, self._dimensions = weights_of(model, description), description.whole("dimensions")
        prefix = sql_name(name.partition(":")[2])
        self._vector, self._max, self._ref = f"{prefix}_img", f"{prefix}_max", f"{prefix}_ref"
        self.vectors = (Vector(self._vector, self._dimensions),)
        if description.has("references"):
            self.columns = (pa.field(self._max, pa.float32()), pa.field(self._ref, pa.string()))

    @property
    def _is_onnx(self) -> bool:
        return self._file.suffix == ".onnx"

    def identity(self) -> dict[str, Any]:
        """Return the hashes of its files and its transform."""
        keys = [key for key in ("references", "ids") if self._description.has(key)]
        files = [self._file, *map(self._description.path, keys)]
        packages = versions(self.name) if self._is_onnx else {"torch": torch_models.TORCH.version(self.name)}
        # Without references, the fingerprint is that of earlier releases, whose vectors are the same.
        matching = {"matching": 2} if keys else {}
        return {
            "files": file_hashes(files),
            "transform": self._transform.stated,
            "packages": packages,
            **matching,
        }

    def load(self) -> None:
        """Load the model and the references."""
        if self._is_onnx:
            side = self._transform.side
            self._network = _first_output(
                described_onnx(self._file, self._description, "transform", (3, side, side), self.options)
            )
        else:
            self._network = _TorchScript(self._file, self.options, self.name)
        if self.columns:
            self._references, self._ids = read_references(self._description, self._dimensions)

    def prepare(self, sample: FeatureSample) -> NDArray[np.uint8]:
        """Return the pixels of a sample."""
        return self._transform.pixels(sample)

    def run(self, batch: list[NDArray[np.uint8]], before: Mapping[str, Columns]) -> Columns:
        """Return vectors and best matches."""
        del before
        found = self._network(self._transform.normalised(batch))
        if found.shape[1:] != (self._dimensions,):
            what = (
                f"{self._dimensions}, but vectors of the model have the shape {json.dumps(found.shape[1:])}"
            )
            raise self._description.error("dimensions", what, "Correct it")
        vectors = unit_rows(found.astype(np.float32))
        if not self.columns:
            return {self._vector: vectors}
        best, rows = nearest_vectors(vectors, self._references)
        return {self._vector: vectors, self._max: best, self._ref: [self._ids[row] for row in rows]}
