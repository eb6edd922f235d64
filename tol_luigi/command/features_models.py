"""``tol features models``: which extractors can run, which models are there, and where the others are had."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.features.d2m.names import MODELS
from tol_luigi.features.extractor import Options
from tol_luigi.features.profiles import BUILT_IN, MODEL_KINDS
from tol_luigi.features.registry import resolve
from tol_luigi.tasks.feature_settings import known_models

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tol_luigi.features.models import Model

__all__ = ["features_models"]


def features_models(given: argparse.Namespace) -> int:
    """Write the extractors and the models, each with what it lacks."""
    del given
    models = known_models(())
    rows = [("extractor", "state"), *_extractors(), ("", ""), ("model", "state"), *_models(models)]
    width = max(len(name) for name, _ in rows)
    sys.stdout.writelines(f"{name:<{width}}  {state}".rstrip() + "\n" for name, state in rows)
    return ExitCode.COMPLETE


def _extractors() -> Iterator[tuple[str, str]]:
    for name in BUILT_IN:
        if name in MODEL_KINDS:
            yield f"{name}:<model>", "needs a model"
        else:
            yield name, _state(name)


def _state(name: str) -> str:
    try:
        for extractor in resolve([name], Options()):
            extractor.identity()
    except SettingsError as error:
        return f"{error.what.removeprefix(f'{name}: ')}. {error.remedy}"
    return "ready"


def _models(models: dict[str, Model]) -> Iterator[tuple[str, str]]:
    for name, model in models.items():
        try:
            yield name, f"{model.path}, SHA-256 {model.sha256[:12]}"
        except SettingsError as error:
            yield name, f"{model.path}: {error.what}. {error.remedy}"
    for name, origin in MODELS.items():
        if name not in models:
            yield name, f"missing; for {origin.extractor(name)}; {origin.origin} (docs/models.md)"
