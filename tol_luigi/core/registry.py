"""Plugins of other packages, found through entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

__all__ = ["FAULTS", "add_plugins"]

T = TypeVar("T")

FAULTS: list[SettingsError] = []
"""Errors of plugins. Every command reports the first one and stops, instead of continuing without the
plugin."""


def add_plugins(group: str, found: dict[str, T], check: Callable[[Any], tuple[str, T]]) -> None:
    """Add the plugins of a group of entry points to the built-in ones; record errors in ``FAULTS``.

    Args:
        group: The group.
        found: The plugins by name, in order; new ones are added.
        check: Returns name and plugin for the object of an entry point; raises ValueError if it is not a
            plugin of this group.
    """
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            name, plugin = check(entry.load())
            is_taken = name in found and found[name] is not plugin  # a module may have registered it itself
            fault = f"a plugin called {name} already exists" if is_taken else ""
        except Exception as error:  # noqa: BLE001 (whatever the module of another package raises)
            fault = " ".join(str(error).split()) or type(error).__name__
        if fault:
            FAULTS.append(SettingsError(_label(entry), fault, "Correct that package, or uninstall it"))
        else:
            found[name] = plugin


def _label(entry: EntryPoint) -> str:
    package = f" of the package {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"{entry.group}: {entry.name} = {entry.value}{package}"
