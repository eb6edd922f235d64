"""The registry of sources: our own, and those that other packages bring through entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.plugin import SourcePlugin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from importlib.metadata import EntryPoint

__all__ = ["FAULTS", "GROUP", "collect"]

GROUP = "tol_luigi.sources"
"""The group of entry points, each of which is a :class:`SourcePlugin`."""

FAULTS: list[SettingsError] = []
"""What is wrong with sources of other packages. Every command reports the first and stops, instead of going on without it."""


def collect(own: Iterable[SourcePlugin[Any]]) -> dict[str, SourcePlugin[Any]]:
    """Return the sources of this package and of all others, by name; report those that cannot be used in ``FAULTS``."""
    found = {plugin.name: plugin for plugin in own}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            plugin = _load(entry, known=found)
            found[plugin.name] = plugin
        except Exception as error:  # noqa: BLE001 (whatever the module of another package raises)
            reason = " ".join(str(error).split()) or type(error).__name__
            FAULTS.append(SettingsError(_label(entry), reason, "Correct that package, or uninstall it"))
    return found


def _load(entry: EntryPoint, known: Collection[str]) -> SourcePlugin[Any]:
    """Return the plugin of an entry point, whose name must not be among those that are known.

    Raises:
        ValueError: It is no plugin, or something is wrong with it.
    """
    plugin = entry.load()
    if not isinstance(plugin, SourcePlugin):
        raise ValueError(f"it is a {type(plugin).__name__}, not a SourcePlugin")  # noqa: TRY004 (no error of ours)
    if fault := plugin.fault():
        raise ValueError(fault)
    if plugin.name in known:
        raise ValueError(f"there is already a source {plugin.name}")
    return plugin


def _label(entry: EntryPoint) -> str:
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"source {entry.name}{package} ({entry.value})"
