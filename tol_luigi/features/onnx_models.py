"""Models in the format ONNX, run by ONNX Runtime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.blocks import GPU_BLOCK, Blocks
from tol_luigi.features.packages import Package

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options

__all__ = ["ONNX", "OnnxModel", "described_onnx", "fixed_inputs", "versions"]

_ONNX_RUNTIME = Package("onnxruntime", "features")
_ONNX_RUNTIME_GPU = Package("onnxruntime-gpu", "features")
ONNX = Package("onnx", "features")


def versions(extractor: str, *packages: Package) -> dict[str, str]:
    """Return the versions of ONNX Runtime and of other packages by name, for the identity of an extractor.

    Raises:
        SettingsError: One is not installed.
    """
    try:
        runtime = _ONNX_RUNTIME_GPU.version(extractor)
    except SettingsError:
        runtime = _ONNX_RUNTIME.version(extractor)
    return {"onnxruntime": runtime, **{package.name: package.version(extractor) for package in packages}}


_TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
}


class OnnxModel:
    """A model whose first input is a batch of images, one row each.

    A row's results do not depend on the other rows: on a CPU each is computed alone, which is no slower, and on a
    GPU in a block of a fixed size.

    Args:
        model: Its file, or the file's content.
        options: Where it runs, and with how many threads.
        extractor: The name of the extractor that it is for.
        gpu_batch: The number of images in each call on a GPU; 1 if their shapes differ.
        remedy: What to do if the file is damaged.

    Raises:
        SettingsError: ONNX Runtime is not installed, or does not support the device; or the file is not a model.

    Attributes:
        shape: The shape of its first input, with that of the batch; names stand for any length.
        dtype: The type of its first input.
    """

    def __init__(
        self,
        model: Path | bytes,
        options: Options,
        extractor: str,
        gpu_batch: int = GPU_BLOCK,
        remedy: str = "Install its package again",
    ) -> None:
        runtime = _runtime(extractor)
        providers = _providers(runtime, options.device)
        try:
            self._session = runtime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                sess_options=_session_options(runtime, options.threads),
                providers=providers,
            )
        except Exception as error:  # ONNX Runtime has no common class of errors
            what = f"ONNX Runtime cannot load the model of {extractor} ({_reason(error)})"
            where = model if isinstance(model, Path) else "[features] extractors"
            raise SettingsError(where, what, remedy) from error
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if wanted not in self._session.get_providers():  # it would run on the CPU, many times slower
            raise _no_cuda(options.device, "ONNX Runtime cannot use CUDA here")
        first = self._session.get_inputs()[0]
        self._input = first.name
        self.shape: list[int | str] = first.shape
        self.dtype: np.dtype[Any] = _TYPES.get(first.type, np.dtype(np.float32))
        # ONNX Runtime has threads of its own.
        self._blocks = Blocks(1 if options.device == "cpu" else gpu_batch)

    def outputs(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs for a batch as they are; for models whose outputs are not one row for each image."""
        return list(self._session.run(None, {self._input: batch}))

    def __call__(self, images: Sequence[NDArray[Any]]) -> list[tuple[NDArray[Any], ...]]:
        """Return the outputs of the model for each image.

        Args:
            images: Arrays of what the model expects, without the dimension of the batch.
        """
        if self._blocks.size == 1:  # their shapes may differ
            return [tuple(output[0] for output in self.outputs(image[np.newaxis])) for image in images]
        return self._blocks(lambda rows: list(zip(*self.outputs(rows), strict=True)), np.stack(images))


def described_onnx(
    file: Path, description: Description, key: str, sizes: Sequence[int], options: Options
) -> OnnxModel:
    """Return a model of the user, and check that it computes inputs of the shape that its description states.

    The sizes of a file may be open: only an input can show then whether the network is made for them.

    Args:
        file: The file of the model.
        description: What is stated about it.
        key: The key of the description that determines the shape.
        sizes: The shape of an input, without the dimension of the batch.
        options: Where it runs, and with how many threads.

    Raises:
        SettingsError: As for :class:`OnnxModel`; or it expects another shape.
    """
    model = OnnxModel(file, options, description.extractor, remedy="Copy it again")
    expected = model.shape[1:]
    is_other = len(expected) != len(sizes) or any(
        isinstance(one, int) and one != two for one, two in zip(expected, sizes, strict=True)
    )
    what = f"it makes inputs of {_times(sizes)}, but "
    if model.shape and is_other:
        what += f"the model expects {_times(expected)}"
        raise description.error(key, what, "Correct it")
    try:
        model.outputs(np.zeros((1, *sizes), model.dtype))
    except Exception as error:  # ONNX Runtime has no common class of errors
        what += f"{file.name} cannot compute them ({_reason(error)})"
        raise description.error(key, what, "Correct it") from error
    return model


def _times(sizes: Sequence[int | str]) -> str:
    return " x ".join(map(str, sizes))


def _reason(error: Exception) -> str:
    """Return the text of an error of ONNX Runtime as one line."""
    return " ".join(str(error).split())


def _runtime(extractor: str) -> ModuleType:
    """Return the module, which is in one of two packages: onnxruntime-gpu takes the place of onnxruntime."""
    try:
        return _ONNX_RUNTIME_GPU.module("onnxruntime", extractor)
    except SettingsError:
        return _ONNX_RUNTIME.module("onnxruntime", extractor)


def _session_options(runtime: ModuleType, threads: int) -> Any:  # noqa: ANN401 (a class of ONNX Runtime)
    chosen = runtime.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.use_deterministic_compute = True
    # Threads that wait in a loop take the cores from the other workers on a machine.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen.add_session_config_entry("session.inter_op.allow_spinning", "0")
    chosen.log_severity_level = 4  # fatal: an error is raised, and a user cannot act on warnings
    return chosen


def _providers(runtime: ModuleType, device: str) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    match = re.fullmatch(r"cuda:([0-9]+)", device)
    if match is None:
        raise SettingsError(
            "[features] device", f"{device} is unknown", "Set it to cpu, or cuda: and a number"
        )
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise _no_cuda(device, "the installed ONNX Runtime does not support CUDA")
    # TF32 has 10 bits of mantissa: scores would differ from those of a CPU. The search for the fastest algorithm
    # could choose another one in every process.
    cuda = {"device_id": int(match[1]), "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"}
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


def _no_cuda(device: str, what: str) -> SettingsError:
    remedy = "Set it to cpu, or install the package onnxruntime-gpu in place of onnxruntime, and its CUDA libraries"
    return SettingsError("[features] device", f"{device}: {what}", remedy)


def fixed_inputs(path: Path, shape: Sequence[int | str], extractor: str) -> bytes:
    """Return a model with another shape of its images; for models whose file has that of an example.

    Weights that are also inputs, as exporters wrote them before IR version 4, become constants, so that ONNX Runtime
    can simplify the model.

    Args:
        path: The file of the model.
        shape: The shape of its images; a name stands for any length.
        extractor: The name of the extractor that it is for.

    Raises:
        SettingsError: The package onnx is not installed.
    """
    model = ONNX.module("onnx", extractor).load_model_from_string(path.read_bytes())
    weights = {weight.name for weight in model.graph.initializer}
    images = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(images)
    model.ir_version = max(model.ir_version, 4)
    for length, dimension in zip(shape, model.graph.input[0].type.tensor_type.shape.dim, strict=True):
        if isinstance(length, str):
            dimension.dim_param = length
        else:
            dimension.dim_value = length
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString())
