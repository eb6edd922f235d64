"""Builds TreeOfLife-10M, and datasets like it, as one Luigi graph, and reads them.

- :class:`Dataset` opens a finished dataset. It needs no Luigi.
- The tasks build one: ``luigi --module tol_luigi BuildCatalog``, or ``luigi.build([BuildCatalog()])`` in a program.

Importing this package imports nothing else: its names are loaded when they are asked for. The first task to be loaded
completes Luigi's own settings (:mod:`tol_luigi.tasks.luigi_defaults`). If Luigi itself does the importing, for
``--module`` or for a task that a scheduler hands out, all tasks are loaded at once, so that Luigi knows them by their names.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tol_luigi.dataset import Dataset
    from tol_luigi.tasks.public import *  # noqa: F403 (what its own list names)
    from tol_luigi.tasks.settings_context import settings_from

__version__ = version("tol_luigi")

__all__ = [
    "BuildCatalog",
    "CheckMatches",
    "CheckPredictedTaxa",
    "CheckShards",
    "CheckTaxa",
    "Dataset",
    "DownloadSources",
    "DrawDemonstration",
    "FindDuplicates",
    "HashBenchmarks",
    "HashPartition",
    "LoadMapping",
    "LoadNames",
    "MakeMapping",
    "MakeMetadata",
    "MakeSplits",
    "PlanShards",
    "PredictCatalog",
    "RelabelShards",
    "ReportLeaks",
    "ScanPartition",
    "StoreSettings",
    "VerifyDataset",
    "VerifyShards",
    "WriteCatalog",
    "WriteManifest",
    "WriteShards",
    "settings_from",
]

_ELSEWHERE = {"Dataset": "tol_luigi.dataset", "settings_from": "tol_luigi.tasks.settings_context"}
"""The modules of the public names that are no tasks."""

_LUIGI_LOADERS = {("luigi.cmdline_parser", "_attempt_load_module"), ("luigi.task_register", "load_task")}
"""The functions, by module, in which Luigi imports a module for its tasks: for ``--module``, and for a task that a
scheduler hands out."""


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "tol_luigi.tasks.public")), name)


def __dir__() -> list[str]:
    """List the public names as well, loaded or not."""
    return sorted({*globals(), *__all__})


def _is_loaded_by_luigi() -> bool:
    """Return whether Luigi imports this package for its tasks, directly or through a module of the user's.

    Luigi has no hook for that: ``--module`` is a plain import, after which Luigi looks for the task among those registered.
    """
    return any(
        (frame.f_globals.get("__name__"), frame.f_code.co_name) in _LUIGI_LOADERS
        for frame, _ in traceback.walk_stack(inspect.currentframe())
    )


if _is_loaded_by_luigi():
    importlib.import_module("tol_luigi.tasks.luigi_command")
