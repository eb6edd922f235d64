"""The extractors by name: the built-in ones, those of other packages, and those of a file of the user."""

from __future__ import annotations

import importlib
import importlib.util
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeVar

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.registry import FAULTS, add_plugins
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.profiles import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tol_luigi.features.extractor import Options

__all__ = ["load_file", "register", "resolve"]

E = TypeVar("E", bound=type[Extractor])

_GROUP = "tol_luigi.extractors"

_FOUND: dict[str, type[Extractor]] = {}


def register(name: str) -> Callable[[E], E]:
    """Register a class of extractors; a decorator.

    Args:
        name: The name in the settings; for extractors with a model, the kind, which precedes ``:<model>``.
    """

    def registered(extractor: E) -> E:
        known = _FOUND.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (
            extractor.__module__,
            extractor.__qualname__,
        ):
            raise ValueError(f"an extractor called {name} already exists")
        _FOUND[name] = extractor
        return extractor

    return registered


def _check(extractor: object) -> tuple[str, type[Extractor]]:
    if not isinstance(extractor, type) or not issubclass(extractor, Extractor):
        raise TypeError("it is not a subclass of Extractor")
    names = [name for name, known in _FOUND.items() if known is extractor]
    if not names and not isinstance(getattr(extractor, "name", None), str):
        raise TypeError("it is not registered, and has no name")
    return names[0] if names else extractor.name, extractor


def load_file(path: Path) -> None:
    """Load a Python file of the user, which registers extractors.

    Raises:
        SettingsError: It cannot be loaded.
    """
    spec = importlib.util.spec_from_file_location(f"tol_luigi_extractors_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SettingsError(path, "it is not a Python file", "Name a file that ends in .py")
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except (Exception, SystemExit) as error:  # whatever the file of the user raises; a script may end itself
        reason = " ".join(str(error).split()) or type(error).__name__
        what = f"the extractors of this file cannot be loaded ({type(error).__name__}: {reason})"
        raise SettingsError(path, what, "Correct the file") from error


def resolve(names: Iterable[str], options: Options) -> list[Extractor]:
    """Return extractors and all that they depend on, each after those that it depends on.

    Args:
        names: The names of extractors.
        options: What they are made with.

    Raises:
        SettingsError: A name is unknown, or extractors depend on each other in a circle; or those of another package
            cannot be loaded.
    """
    for fault in FAULTS:
        if fault.where.startswith(_GROUP):
            raise fault
    made: dict[str, Extractor] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in made:
            made[name] = _class(name)(name, options)
            waiting += made[name].depends
    graph = {name: sorted(extractor.depends) for name, extractor in sorted(made.items())}
    try:
        return [made[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        what = f"extractors depend on each other in a circle: {', '.join(error.args[1])}"
        raise SettingsError("[features] extractors", what, "Remove one of these dependencies") from error


def _class(name: str) -> type[Extractor]:
    kind = name.partition(":")[0]
    for known in (name, kind):
        if known not in _FOUND and known in BUILT_IN:
            importlib.import_module(f"tol_luigi.features.{BUILT_IN[known]}")
        if known in _FOUND:
            return _FOUND[known]
    valid = ", ".join(sorted({*BUILT_IN, *_FOUND}))
    several = "Write one per line. " if {",", " "} & set(name) else ""
    raise SettingsError(
        "[features] extractors", f"there is no extractor {name}", f"{several}Valid are {valid}"
    )


add_plugins(_GROUP, _FOUND, _check)
