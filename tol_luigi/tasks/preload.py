"""Modules that tasks use and that are slow to import, imported once before the first fork for a task.

Luigi forks a process for each task if there are several workers. A process that runs no task, such as that of
``tol status`` or of a build with nothing to do, does without them: pandas takes as long as all other modules.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

import luigi.worker

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["apply", "import_modules"]

_MODULES = (
    "encodings.utf_8_sig",
    "pandas",  # pyarrow imports it for the first array that it makes
    "pyarrow.acero",
    "pyarrow.dataset",
)


def import_modules() -> None:
    """Import the modules, and Pillow's usual formats."""
    for module in _MODULES:
        importlib.import_module(module)
    importlib.import_module("PIL.Image").preinit()


def apply() -> None:
    """Make Luigi import the modules before it starts the process of a task."""
    process: Any = luigi.worker.TaskProcess
    process.start = _preloading(process.start)


def _preloading(start: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(start)
    def preloaded(self: luigi.worker.TaskProcess) -> None:
        import_modules()
        start(self)

    return preloaded
