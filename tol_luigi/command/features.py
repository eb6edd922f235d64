"""``tol features``: compute the features of a dataset."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.command.build import run
from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.feature_stages import BuildFeatures
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse

__all__ = ["features"]


def features(given: argparse.Namespace) -> int:
    """Build all that ``[features]`` asks for, and what is missing of the dataset; write the report last."""
    if not feature_set(settings()).extractors:
        what = "none, and no extractor is named, so there is nothing to compute"
        raise SettingsError("[features] profile", what, "Set it, for example: --set features.profile=light")
    root = BuildFeatures()
    code = run(root, given)
    if code == ExitCode.COMPLETE:
        sys.stdout.write(f"\n{root.clone(ExtractFeatures).summary()}{root.layout.features_views}\n")
    return code
