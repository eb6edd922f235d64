"""What other packages add to this one, through entry points."""

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
"""What is wrong with plugins. Every command reports the first of them and stops, instead of going on without a plugin."""


def add_plugins(group: str, found: dict[str, T], check: Callable[[Any], tuple[str, T]]) -> None:
    """Add the plugins of a group of entry points to those of this package; record those that cannot be used in ``FAULTS``.

    Args:
        group: The group.
        found: The plugins by their names, in order.
        check: Returns name and plugin of what an entry point names; raises ValueError if it is no plugin of this group.
    """
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            name, plugin = check(entry.load())
            fault = f"there is already one called {name}" if name in found else ""
        except Exception as error:  # noqa: BLE001 (whatever the module of another package raises)
            fault = " ".join(str(error).split()) or type(error).__name__
        if fault:
            FAULTS.append(SettingsError(_label(entry), fault, "Correct that package, or uninstall it"))
        else:
            found[name] = plugin


def _label(entry: EntryPoint) -> str:
    package = f" of the package {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"{entry.group}: {entry.name} = {entry.value}{package}"
