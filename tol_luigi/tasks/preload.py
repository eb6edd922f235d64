"""Modules that tasks use: which are imported before the first fork for a task, and which only when they are needed.

Luigi forks a process for each task if there are several workers, so what is slow to import is imported once before. A
process that runs no task, such as that of ``tol status`` or of a build with nothing to do, does without.
"""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import luigi.worker
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec

__all__ = ["apply", "import_modules"]

_MODULES = ("encodings.utf_8_sig", "pyarrow.acero", "pyarrow.dataset")


def import_modules() -> None:
    """Import the modules, and Pillow's usual formats."""
    for module in _MODULES:
        importlib.import_module(module)
    importlib.import_module("PIL.Image").preinit()


def apply() -> None:
    """Make Luigi import the modules before it starts the process of a task, and pyarrow do without pandas at first."""
    _postpone_pandas()
    process: Any = luigi.worker.TaskProcess
    process.start = _preloading(process.start)


def _preloading(start: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(start)
    def preloaded(self: luigi.worker.TaskProcess) -> None:
        import_modules()
        start(self)

    return preloaded


def _postpone_pandas() -> None:
    """Keep pyarrow from importing pandas for the first array that it makes.

    That takes as long as all other modules, and hardly a task needs it. pyarrow looks for pandas once, so it is not found
    then. Once pandas is imported, pyarrow knows its types as usual.
    """
    if "pandas" in sys.modules:
        return
    finder: Any = _PandasFinder()
    sys.meta_path.insert(0, finder)
    pa.array([])
    finder.hides = False


class _PandasFinder:
    """Hides pandas at first; later finds it, and tells pyarrow once it is imported."""

    hides = True

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return the spec of pandas; None for any other module, which other finders then find."""
        if name != "pandas":
            return None
        if self.hides:
            raise ModuleNotFoundError(name=name)
        spec = PathFinder.find_spec(name)
        if spec and spec.loader:
            loader: Any = spec.loader
            loader.exec_module = _then(loader.exec_module, lambda: pa.lib._pandas_api.pd)  # noqa: SLF001 (looks again)
        return spec


def _then(execute: Callable[[Any], None], done: Callable[[], object]) -> Callable[[Any], None]:
    @functools.wraps(execute)
    def executed(module: Any) -> None:  # noqa: ANN401 (a module)
        execute(module)
        done()

    return executed
