"""Models in a file that was written for dataset2metadata (``custom_pypath``), as one extractor.

Such a file has four dictionaries: of classes of models, of preprocessors, and of functions that make a column or an
array of the models' results. It may also register extractors of ours.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from tol_luigi.core.errors import FeatureError, SettingsError
from tol_luigi.core.files import sha256_file
from tol_luigi.features.d2m.names import MODELS, OUTPUTS
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.torch_models import TORCH, torch_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.features.extractor import Columns, Options
    from tol_luigi.features.samples import FeatureSample

__all__ = ["CustomFile", "CustomModels", "Wanted", "load_custom"]

_FEATURE = "feature "


@dataclass(frozen=True)
class CustomFile:
    """What a file defines.

    Attributes:
        path: The file; None if there is none.
        models: The classes of its models by name.
        preprocessors: Functions of an image or text.
        columns: Functions that make a column of the results of all models.
        features: Functions that make an array of them.
    """

    path: Path | None = None
    models: Mapping[str, Any] = field(default_factory=dict)
    preprocessors: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)


class Wanted(NamedTuple):
    """What a job takes from a file.

    Attributes:
        models: The names of its models to run.
        columns: The names of the columns that it makes.
        features: The names of the arrays that it makes.
    """

    models: tuple[str, ...]
    columns: tuple[str, ...]
    features: tuple[str, ...]


_DICTIONARIES = {
    "models": "model_lookup",
    "preprocessors": "preprocessor_lookup",
    "columns": "postprocess_parquet_lookup",
    "features": "postprocess_feature_lookup",
}


def load_custom(path: Path | None) -> CustomFile:
    """Run a file, and return what it defines.

    Raises:
        SettingsError: It cannot be run, or one of its dictionaries is none.
    """
    if path is None:
        return CustomFile()
    where = f"custom_pypath {path}"
    name = f"tol_luigi_custom_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SettingsError(where, "there is no such Python file", "Name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for classes that are looked up by their module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the file of the user raises; a script may end itself
        reason = " ".join(str(error).split())
        what = f"it cannot be loaded ({type(error).__name__}: {reason})"
        raise SettingsError(where, what, "Correct the file, or install what it imports") from error
    found = {key: getattr(module, variable, {}) for key, variable in _DICTIONARIES.items()}
    for key, value in found.items():
        if not isinstance(value, dict):
            raise SettingsError(where, f"{_DICTIONARIES[key]} is not a dictionary", "Correct the file")
    found = {key: dict(value) for key, value in found.items()}
    for name, (model, ending, is_vector) in OUTPUTS.items():
        # The file may have a model of its own in the place of a usual one, whose outputs are then made as usual.
        if model in found["models"]:
            found["features" if is_vector else "columns"].setdefault(name, _usual(model, ending))
    return CustomFile(path, **found)


def _usual(model: str, ending: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that makes an output of the results of one of dataset2metadata's models."""
    places = {"_img": 0, "_txt": 1, "_max": 1}

    def made(results: Mapping[str, Any]) -> Any:  # noqa: ANN401 (torch has no types here)
        found = results[model]
        if MODELS[model].kind == "clip" and ending == "_score":
            return (found[0].float() * found[1].float()).sum(dim=-1)
        return found[places[ending]] if ending in places else found

    return made


class CustomModels(Extractor):
    """The models of a file, and the columns and arrays that are made of their results.

    Results are stored as JSON and as lists, since their types are known only when they are there.

    Args:
        file: The file.
        wanted: What to run and to make.
        others: The extractors of dataset2metadata's own models whose results it gets, by the names of these models.
        options: What extractors are made with.
    """

    def __init__(
        self,
        file: CustomFile,
        wanted: Wanted,
        others: Mapping[str, Extractor],
        options: Options,
    ) -> None:
        super().__init__("custom", options)
        self.file, self.made, self.features = file, wanted.columns, wanted.features
        self.others = dict(others)
        self.models = self._ordered(wanted.models)
        self.depends = tuple(one.name for one in others.values())
        self.columns = (
            pa.field("values", pa.string()),
            *(pa.field(f"{_FEATURE}{name}", pa.list_(pa.float32())) for name in wanted.features),
        )

    def _fail(self, what: str, remedy: str = "Correct the file") -> SettingsError:
        return SettingsError(f"custom_pypath {self.file.path}", what, remedy)

    def _ordered(self, names: Sequence[str]) -> list[str]:
        """Return models and those that they depend on, each after those, and check what they need."""
        graph: dict[str, list[str]] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop(0)
            if name in graph:
                continue
            model = self.file.models[name]
            graph[name] = [one for one in getattr(model, "dependencies", ()) if one in self.file.models]
            waiting += graph[name]
            for need in getattr(model, "dependencies", ()):
                if need not in self.file.models and need not in self.others:
                    raise self._fail(f"model {name} depends on {need}, which is not in models", f"Add {need}")
            for need in getattr(model, "preprocessors", ()):
                if need not in self.file.preprocessors and need not in _PREPROCESSORS:
                    raise self._fail(f"preprocessor_lookup has no {need}, which model {name} needs")
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise self._fail(
                f"models depend on each other in a circle: {', '.join(error.args[1])}"
            ) from error

    def identity(self) -> dict[str, Any]:
        """Return the hash of the file; weights that it loads are not known."""
        return {
            "file": sha256_file(self.file.path) if self.file.path else "",
            "models": self.models,
            "columns": self.made,
            "features": self.features,
            "torch": TORCH.version(self.name),
        }

    def load(self) -> None:
        """Make the models; each gets the device as dataset2metadata passes it."""
        self._torch = torch_for(self.options, self.name)
        device = self.options.device
        given = device if device == "cpu" else int(device.partition(":")[2] or 0)
        self._networks = {name: self.file.models[name](given).to(device).eval() for name in self.models}

    def prepare(self, sample: FeatureSample) -> dict[tuple[str, str], Any]:
        """Return the inputs of all models; an input that two models share is made once."""
        made: dict[tuple[str, str], Any] = {}
        for name in self.models:
            for pair in _inputs(self.file.models[name]):
                if pair not in made:
                    preprocessor = self.file.preprocessors.get(pair[1]) or _PREPROCESSORS[pair[1]]
                    made[pair] = preprocessor(_raw(sample, pair[0]))
        return made

    def run(self, batch: list[dict[tuple[str, str], Any]], before: Mapping[str, Columns]) -> Columns:
        """Return the results of all models, as the functions of the file make columns and arrays of them."""
        results = {name: self._known(name, before[one.name]) for name, one in self.others.items()}
        with self._torch.no_grad():
            for name in self.models:
                model = self.file.models[name]
                inputs = [self._collated([one[pair] for one in batch]) for pair in _inputs(model)]
                if getattr(model, "to_device", True):
                    inputs = [self._moved(one) for one in inputs]
                needed = [results[one] for one in getattr(model, "dependencies", ())]
                results[name] = self._networks[name](*inputs, *needed)
            values = {
                name: self._column(name, self.file.columns[name](results), len(batch)) for name in self.made
            }
            arrays = {
                name: self._array(name, self.file.features[name](results), len(batch))
                for name in self.features
            }
        texts = [json.dumps({name: values[name][row] for name in self.made}) for row in range(len(batch))]
        return {"values": texts, **{f"{_FEATURE}{name}": list(array) for name, array in arrays.items()}}

    def _known(self, name: str, columns: Columns) -> Any:  # noqa: ANN401 (as dataset2metadata has it)
        """Return the results of one of dataset2metadata's models in the form in which its models return them."""
        extractor = self.others[name]
        kind = MODELS[name].kind if name in MODELS else ""
        vectors = [self._tensor(columns[one.name]) for one in extractor.vectors]
        numbers = [columns[one.name] for one in extractor.columns]
        if kind == "clip":
            return tuple(vectors)
        if kind == "scrfd":
            return list(numbers[0])
        made = [*vectors, *(self._tensor(one) for one in numbers[:1])] if kind else [*vectors, *numbers]
        return made[0] if len(made) == 1 else tuple(made)

    def _tensor(self, rows: Any) -> Any:  # noqa: ANN401 (torch has no types here)
        return self._torch.from_numpy(np.asarray(rows, np.float32)).to(self.options.device)

    def _collated(self, values: list[Any]) -> Any:  # noqa: ANN401 (the same)
        first = values[0]
        if isinstance(first, self._torch.Tensor):
            return self._torch.stack(values)
        if isinstance(first, np.ndarray):
            return self._torch.from_numpy(np.stack(values))
        if isinstance(first, int | float):
            return self._torch.tensor(values)
        if isinstance(first, list | tuple):
            return [self._collated(list(column)) for column in zip(*values, strict=True)]
        return values

    def _moved(self, value: Any) -> Any:  # noqa: ANN401 (the same)
        if isinstance(value, self._torch.Tensor):
            return value.to(self.options.device)
        return [self._moved(one) for one in value] if isinstance(value, list) else value

    def _column(self, name: str, found: Any, count: int) -> list[Any]:  # noqa: ANN401 (the same)
        if isinstance(found, self._torch.Tensor):
            # A model that squeezes returns no dimension for a batch of one.
            number = found.float().cpu()
            found = (number.reshape(count) if number.numel() == count else number).tolist()
        if not isinstance(found, list | tuple) or len(found) != count:
            raise FeatureError(
                f"custom_pypath {self.file.path}", self._miscounted(name, found, count), "Correct it"
            )
        return list(found)

    def _array(self, name: str, found: Any, count: int) -> np.ndarray[Any, Any]:  # noqa: ANN401 (the same)
        array = found.float().cpu().numpy() if isinstance(found, self._torch.Tensor) else np.asarray(found)
        if array.ndim == 1 and count == 1:
            array = array[np.newaxis]
        if array.ndim != 2 or len(array) != count:  # noqa: PLR2004 (a matrix)
            raise FeatureError(
                f"custom_pypath {self.file.path}", self._miscounted(name, array, count), "Correct it"
            )
        return array.astype(np.float32)

    @staticmethod
    def _miscounted(name: str, found: Any, count: int) -> str:  # noqa: ANN401 (anything)
        size = getattr(found, "shape", None) or (
            len(found) if hasattr(found, "__len__") else type(found).__name__
        )
        return f"{name} is made of {count} samples, but has the size {size}"


def _inputs(model: Any) -> list[tuple[str, str]]:  # noqa: ANN401 (a class of the user)
    """Return the pairs of raw input and preprocessor of a model."""
    return list(zip(getattr(model, "raw_inputs", ()), getattr(model, "preprocessors", ()), strict=True))


def _raw(sample: FeatureSample, name: str) -> Any:  # noqa: ANN401 (an image, a text or an object)
    if name == "image":
        return sample.image
    return sample.fields if name == "json" else sample.text


_SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def _clip_pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return an image as OpenAI's CLIP models get it: the middle of it, 224 pixels wide and high."""
    scale = _SIDE / min(image.size)
    width, height = (max(_SIDE, int(length * scale)) for length in image.size)
    left, top = round((width - _SIDE) / 2), round((height - _SIDE) / 2)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((left, top, left + _SIDE, top + _SIDE)), np.float32) / 255
    normalised: np.ndarray[Any, Any] = (pixels - _MEAN) / _STD
    return normalised.transpose(2, 0, 1)


_PREPROCESSORS = {"identity": lambda value: value, "clip-aug": _clip_pixels}
"""The preprocessors of dataset2metadata that a file may use without defining them."""
