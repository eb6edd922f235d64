"""``tol features --export``: write the features of the dataset in the layout of another tool."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import DatasetError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.features.exports.shards import Catalog
from tol_luigi.features.exports.twins import export_d2m, export_datacomp
from tol_luigi.features.exports.vectors import export_clip_retrieval, export_emb_explorer
from tol_luigi.report.text import counted
from tol_luigi.tasks import luigi_command as luigi_command  # noqa: PLC0414 (imported for errors of tasks)
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse

__all__ = ["features_export"]

_EXPORTS = {
    "datacomp": export_datacomp,
    "d2m": export_d2m,
    "clip-retrieval": export_clip_retrieval,
    "emb-explorer": export_emb_explorer,
}


def features_export(given: argparse.Namespace) -> int:
    """Write what is computed into a folder."""
    if given.output is None:
        raise SettingsError(
            "--output",
            "it is missing",
            f"Name the folder for the files: --export {given.export} --output FOLDER",
        )
    extractors = feature_set(settings()).extractors
    root = ExtractFeatures()
    if not extractors or not root.complete():
        raise DatasetError(root.layout.features, "not all features are computed", "Run tol features first")
    image = settings().image_spec.image_format
    catalog = Catalog(root.layout.catalog, settings().features.text, image)
    files = _EXPORTS[given.export](given.output, root.shards(), extractors, catalog, given.model or "")
    sys.stdout.write(f"{counted(len(files), 'file')} in {given.output}\n")
    return ExitCode.COMPLETE
