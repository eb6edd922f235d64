"""``tol features --to-onnx``: write a CLIP model as ONNX files, which run without PyTorch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.features.export_onnx import export_onnx
from tol_luigi.features.extractor import Options
from tol_luigi.tasks.feature_settings import known_models

if TYPE_CHECKING:
    import argparse

__all__ = ["features_onnx"]


def features_onnx(given: argparse.Namespace) -> int:
    """Write the model into a new folder, after comparing it with the original."""
    if given.output is None:
        what = f"Name a new folder: --to-onnx {given.to_onnx} --output FOLDER"
        raise SettingsError("--output", "it is missing", what)
    models = known_models(given.models)
    distance = export_onnx(f"clip:{given.to_onnx}", Options(models=models), given.output)
    sys.stdout.write(f"{given.output}: the vectors differ by a cosine distance of {distance:.1g} at most\n")
    return ExitCode.COMPLETE
