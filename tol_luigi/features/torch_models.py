"""PyTorch and transformers, as the extractors use them: without the network, and on the device of the options."""

from __future__ import annotations

import os
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.packages import Package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tol_luigi.features.descriptions import Description
    from tol_luigi.features.extractor import Options

__all__ = [
    "SAFETENSORS",
    "TORCH",
    "TRANSFORMERS",
    "check_weights",
    "load_pretrained",
    "load_tensors",
    "state_dict",
    "torch_for",
    "transformers_offline",
]

TORCH = Package("torch", "clip")
TRANSFORMERS = Package("transformers", "clip")
SAFETENSORS = Package("safetensors", "clip")


def torch_for(options: Options, extractor: str) -> Any:  # noqa: ANN401 (a module without types)
    """Return the module torch, with one thread for each call on a CPU, so that no result depends on their number.

    Several calls may run at the same time; see :mod:`tol_luigi.features.blocks`.

    Raises:
        SettingsError: It is not installed, or has no such device.
    """
    torch: Any = TORCH.module("torch", extractor)
    torch.set_num_threads(1)
    try:
        torch.zeros(1, device=options.device)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        what = f"{options.device}, but PyTorch cannot use it ({reason})"
        raise SettingsError(
            "[features] device", what, "Set it to cpu, or to a GPU of this machine"
        ) from error
    return torch


def transformers_offline(extractor: str) -> Any:  # noqa: ANN401 (a module without types)
    """Return the module transformers, which asks no server for files.

    Raises:
        SettingsError: It is not installed.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    TORCH.module("torch", extractor)
    transformers: Any = TRANSFORMERS.module("transformers", extractor)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def load_pretrained(auto: Any, description: Description, options: Options, **config: Any) -> Any:  # noqa: ANN401
    """Return a model of a Hugging Face folder, with all its weights, on the device of the options.

    Args:
        auto: The class of transformers that loads it.
        description: The description of the model, whose ``dtype`` is the number format.
        options: The device and the number of threads.
        config: More arguments of ``from_pretrained``.

    Raises:
        SettingsError: It cannot be loaded, or has not all weights.
    """
    torch = torch_for(options, description.extractor)
    dtype = getattr(torch, description.text("dtype", ("float32", "float16", "bfloat16"), "float32"))
    try:
        model, found = auto.from_pretrained(
            description.folder,
            local_files_only=True,
            # Others are programs, or could hold some; and only these are part of the fingerprint.
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
            **config,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # transformers raises whatever its parts do
        reason = " ".join(str(error).split())[:300]
        what = f"the model cannot be loaded ({reason})"
        raise SettingsError(description.folder, what, "Copy its files again") from error
    # transformers fills in random weights for those that are missing.
    check_weights(description.folder, {*found["missing_keys"], *map(str, found["mismatched_keys"])})
    return model.eval().to(options.device)


def check_weights(where: Path, missing: set[str]) -> None:
    """Check that no weights are missing, unknown or of another shape.

    Raises:
        SettingsError: Some are.
    """
    if missing:
        what = f"weights are missing, unknown or of another shape ({', '.join(sorted(missing)[:3])})"
        raise SettingsError(
            where, f"{what}, {len(missing)} in all", "Copy the model again, or correct model.yml"
        )


def state_dict(file: Path, extractor: str) -> Mapping[str, Any]:
    """Return the weights of a file by name: safetensors, a checkpoint of PyTorch, or TorchScript.

    Raises:
        SettingsError: It cannot be read, or holds more than weights.
    """
    torch: Any = TORCH.module("torch", extractor)
    try:
        if file.suffix == ".safetensors":
            return dict(SAFETENSORS.module("safetensors.torch", extractor).load_file(file))
        if is_torchscript(file):
            return dict(torch.jit.load(str(file), map_location="cpu").state_dict())
        content = load_tensors(file, extractor)
    except SettingsError:
        raise
    except Exception as error:  # pickle, zip and PyTorch raise classes of their own
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(file, f"its weights cannot be read ({reason})", "Copy it again") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict):
        raise SettingsError(file, f"it holds a {type(content).__name__}, no weights by name", "Copy it again")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def load_tensors(file: Path, extractor: str) -> Any:  # noqa: ANN401 (tensors, or a dictionary of them)
    """Return what a file of PyTorch contains; programs in it are not run.

    Raises:
        SettingsError: It contains more than tensors.
    """
    torch: Any = TORCH.module("torch", extractor)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        remedy = "Copy it again, or save the state_dict of the model in it"
        raise SettingsError(file, "it is damaged, or holds more than tensors", remedy) from error


def is_torchscript(file: Path) -> bool:
    """Return whether a file holds a program of TorchScript, as OpenAI's models do."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
