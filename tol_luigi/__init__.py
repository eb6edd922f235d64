"""Build TreeOfLife-10M and similar datasets as one Luigi graph, and read them.

- :class:`Dataset` opens a finished dataset. It does not need Luigi.
- The tasks build one: ``luigi --module tol_luigi BuildCatalog``, or ``luigi.build([BuildCatalog()])`` in
  Python.

Importing this package imports no other module: its names are loaded on first use. The first task that is
loaded completes Luigi's own settings (:mod:`tol_luigi.tasks.luigi_defaults`). If Luigi imports this package,
for ``--module`` or for a task that a scheduler assigns, all tasks are loaded at once, so that Luigi can look
them up by name.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tol_luigi.dataset import Dataset
    from tol_luigi.tasks.public import *  # noqa: F403 (limited by its __all__)
    from tol_luigi.tasks.settings_context import settings_from

__version__ = version("tol_luigi")

__all__ = [
    "BuildCatalog",
    "BuildFeatures",
    "BuildIndex",
    "BuildReferenceTaxonomy",
    "BuildReport",
    "CatalogSelection",
    "CheckMatches",
    "CheckPredictedTaxa",
    "CheckShards",
    "CheckTaxa",
    "CompareTaxonomies",
    "Dataset",
    "DownloadSources",
    "DrawDemonstration",
    "EmbedTaxa",
    "ExtractFeatures",
    "ExtractReferences",
    "ExtractShards",
    "ExtractTars",
    "FetchPartition",
    "FindDuplicates",
    "FindNearDuplicates",
    "HashBenchmarks",
    "HashPartition",
    "ImportTaxonomy",
    "ListUrls",
    "LoadMapping",
    "LoadNames",
    "MakeMapping",
    "MakeMetadata",
    "MakeSplits",
    "NormaliseTaxonomy",
    "PlanShards",
    "PredictCatalog",
    "RelabelShards",
    "ReportFetched",
    "ReportLeaks",
    "ReportRights",
    "ScanPartition",
    "ScoreAgreement",
    "ScoreLeaks",
    "ScorePrototypes",
    "SelectSamples",
    "StoreSettings",
    "VerifyDataset",
    "VerifyShards",
    "WithholdImages",
    "WriteAttribution",
    "WriteCard",
    "WriteCatalog",
    "WriteManifest",
    "WriteSelection",
    "WriteShards",
    "settings_from",
]

_OTHER_MODULES = {"Dataset": "tol_luigi.dataset", "settings_from": "tol_luigi.tasks.settings_context"}
"""The modules of the public names that are not tasks."""

_LUIGI_LOADERS = {("luigi.cmdline_parser", "_attempt_load_module"), ("luigi.task_register", "load_task")}
"""The functions, as (module, name), with which Luigi imports a module for its tasks: for ``--module``, and for
a task that a scheduler assigns."""


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_OTHER_MODULES.get(name, "tol_luigi.tasks.public")), name)


def __dir__() -> list[str]:
    """List all names, including public names that are not loaded yet."""
    return sorted({*globals(), *__all__})


def _is_loaded_by_luigi() -> bool:
    """Return whether Luigi is importing this package for its tasks, directly or through a module of the user.

    Luigi has no hook for this: ``--module`` is a plain import. Luigi then looks up the task among the
    registered ones.
    """
    return any(
        (frame.f_globals.get("__name__"), frame.f_code.co_name) in _LUIGI_LOADERS
        for frame, _ in traceback.walk_stack(inspect.currentframe())
    )


if _is_loaded_by_luigi():
    importlib.import_module("tol_luigi.tasks.luigi_command")
