"""The network EfficientNet-lite0 from its weights: read without PyTorch, built as an ONNX model.

Sources: Tan and Le 2019, "EfficientNet"; the table of blocks and the epsilon of ``efficientnet_lite_builder.py`` in
tensorflow/tpu.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.onnx_models import ONNX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["SIDE", "build", "read_weights"]

SIDE = 224
"""The width and height of its images in pixels."""

_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""The stride of each block; all else follows from the shapes of the weights."""

_EPSILON = 1e-3
"""What the normalisation adds to variances."""

_MAGIC = 0x1950A86A20F9469CFC6C
"""The number at the beginning of files of PyTorch before 1.6."""


class _Storage(NamedTuple):
    key: str
    type: str
    length: int


class _View(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def _view(storage: _Storage, offset: int, shape: Any, strides: Any, *_: object) -> _View:  # noqa: ANN401
    return _View(storage, int(offset), tuple(shape), tuple(strides))


class _TensorsOnly(pickle.Unpickler):
    """Reads pickles of tensors; anything else, which could execute code, is an error."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 (as in the base class)
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            **{("torch", kind): kind for kind in _TYPES},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a tensor")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401 (as in the base class)
        kind, dtype, key, _, length, _ = pid
        if kind != "storage" or dtype not in _TYPES:
            raise pickle.UnpicklingError(f"{kind} is not a storage")
        return _Storage(key, dtype, length)


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file of PyTorch before 1.6, by name.

    The file has five pickles (a number, a version, the sizes of types, the tensors, the keys of the storages), then
    for each storage its length in 8 bytes and its content.

    Raises:
        SettingsError: It is damaged, or another kind of file.
    """
    try:
        with path.open("rb") as file:
            return _tensors(file)
    except (
        pickle.UnpicklingError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        AttributeError,
    ) as error:
        what = f"it is not a file of weights ({' '.join(str(error).split())})"
        raise SettingsError(path, what, "Install its package again") from error


def _tensors(file: BinaryIO) -> dict[str, NDArray[Any]]:
    magic, _, _, views, keys = (_TensorsOnly(file).load() for _ in range(5))
    if magic != _MAGIC:
        raise ValueError("it has another format")
    kinds = {view.storage.key: view.storage for view in views.values()}
    storages = {key: _storage(file, kinds[key]) for key in keys}
    return {name: _array(storages[view.storage.key], view) for name, view in views.items()}


def _storage(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    dtype = _TYPES[storage.type]
    length = int.from_bytes(file.read(8), "little")
    content = file.read(length * dtype.itemsize)
    if length != storage.length or len(content) != length * dtype.itemsize:
        raise ValueError("it is truncated")
    return np.frombuffer(content, dtype)


def _array(storage: NDArray[Any], view: _View) -> NDArray[Any]:
    # Checked, because as_strided reads whatever memory it is pointed to.
    last = view.offset + sum(
        (length - 1) * step for length, step in zip(view.shape, view.strides, strict=True)
    )
    if min((view.offset, *view.shape, *view.strides)) < 0 or last >= len(storage):
        raise ValueError("a tensor is outside its storage")
    steps = [step * storage.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, steps, writeable=False)


def build(weights: Mapping[str, NDArray[Any]], extractor: str) -> bytes:
    """Return the network as an ONNX model: normalised images (N, 3, 224, 224) to embedding and probabilities.

    Raises:
        SettingsError: The package onnx is not installed.
    """
    return _Network(weights, extractor).model()


class _Network:
    """Nodes and weights of the network, added one after the other."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], extractor: str) -> None:
        onnx = ONNX.module("onnx", extractor)
        self._helper, self._types = onnx.helper, onnx.TensorProto
        self._array = ONNX.module("onnx.numpy_helper", extractor).from_array
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def model(self) -> bytes:
        found = self._convolution("images", "_conv_stem", "_bn0", stride=2)
        for block, stride in enumerate(_STRIDES):
            found = self._block(found, f"_blocks.{block}.", stride)
        found = self._convolution(found, "_conv_head", "_bn1")
        found = self._add("GlobalAveragePool", found)
        self._add("Flatten", found, output="embedding")
        scores = self._add(
            "Gemm", "embedding", self._constant("_fc.weight"), self._constant("_fc.bias"), transB=1
        )
        self._add("Softmax", scores, output="probabilities", axis=1)
        value = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "efficientnet-lite0",
            [value("images", self._types.FLOAT, ["N", 3, SIDE, SIDE])],
            [
                value("embedding", self._types.FLOAT, ["N", 1280]),
                value("probabilities", self._types.FLOAT, ["N", 1000]),
            ],
            list(self._constants.values()),
        )
        # The oldest versions that have all of it, so that every ONNX Runtime reads it.
        opset = self._helper.make_opsetid("", 13)
        model = self._helper.make_model(graph, opset_imports=[opset], ir_version=8)
        return bytes(model.SerializeToString(deterministic=True))

    def _block(self, images: str, prefix: str, stride: int) -> str:
        """Add an inverted residual block: expand, filter each channel, project."""
        found = images
        if f"{prefix}_expand_conv.weight" in self._weights:
            found = self._convolution(found, f"{prefix}_expand_conv", f"{prefix}_bn0")
        found = self._convolution(found, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride)
        found = self._convolution(found, f"{prefix}_project_conv", f"{prefix}_bn2", rectified=False)
        before = self._weights[f"{prefix}_depthwise_conv.weight"].shape[0]
        if f"{prefix}_expand_conv.weight" in self._weights:
            before = self._weights[f"{prefix}_expand_conv.weight"].shape[1]
        after = self._weights[f"{prefix}_project_conv.weight"].shape[0]
        return self._add("Add", found, images) if stride == 1 and before == after else found

    def _convolution(
        self, images: str, name: str, norm: str, stride: int = 1, *, rectified: bool = True
    ) -> str:
        """Add a convolution with its normalisation folded into it, and ReLU6."""
        weight, bias = self._folded(name, norm)
        side = weight.shape[-1]
        found = self._add(
            "Conv",
            images,
            self._constant(f"{name}.weight", weight),
            self._constant(f"{name}.bias", bias),
            kernel_shape=[side, side],
            strides=[stride, stride],
            # As TensorFlow pads, in which the network was trained: more at the end than at the beginning.
            auto_pad="SAME_UPPER",
            group=self._groups(name),
        )
        if not rectified:
            return found
        lowest, highest = (self._constant(f"{value}", np.array(value, np.float32)) for value in (0, 6))
        return self._add("Clip", found, lowest, highest)

    def _groups(self, name: str) -> int:
        return int(self._weights[f"{name}.weight"].shape[0]) if "depthwise" in name else 1

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale, shift, mean, variance = (
            self._weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        weight = self._weights[f"{name}.weight"] * factor[:, None, None, None]
        return weight.astype(np.float32), (shift - mean * factor).astype(np.float32)

    def _constant(self, name: str, value: NDArray[Any] | None = None) -> str:
        content = np.ascontiguousarray(self._weights[name] if value is None else value)
        self._constants[name] = self._array(content, name)
        return name

    def _add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [output], **attributes))
        return output
