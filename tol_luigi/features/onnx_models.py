"""Models as ONNX files, computed by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.packages import need

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.features.extractor import Options

__all__ = ["session"]


def session(file: Path, options: Options) -> Any:  # noqa: ANN401 (ONNX Runtime has no types)
    """Return an ONNX model, loaded on the device of the options.

    Raises:
        SettingsError: ONNX Runtime is not installed, has no such device, or cannot load the file.
    """
    runtime = need("onnxruntime", "clip-onnx")
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
    # Threads that wait would take processor time from the other workers of the machine.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    kind, _, number = options.device.partition(":")
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        if "CUDAExecutionProvider" not in runtime.get_available_providers():
            what = f"{options.device}, but this ONNX Runtime computes on processors only"
            raise SettingsError("[features] device", what, "Install onnxruntime-gpu, or set it to cpu")
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(number or 0)}))
    try:
        return runtime.InferenceSession(str(file), settings, providers=providers)
    except Exception as error:  # ONNX Runtime has a class for each kind of failure
        reason = " ".join(str(error).split())
        raise SettingsError(file, f"the model cannot be loaded ({reason})", "Copy it again") from error
