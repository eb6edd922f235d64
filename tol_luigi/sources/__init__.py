"""The sources of images and names, one module each, and the readers of their archives."""

from __future__ import annotations

from typing import Any

from tol_luigi.core.plugin import SourcePlugin
from tol_luigi.core.registry import add_plugins
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.sources.folder import FOLDER
from tol_luigi.sources.imagefolder import IMAGEFOLDER
from tol_luigi.sources.inat21 import INAT21

__all__ = ["SOURCES", "by_precedence"]

SOURCES: dict[str, SourcePlugin[Any]] = {
    plugin.name: plugin for plugin in (EOL, BIOSCAN, INAT21, FOLDER, IMAGEFOLDER)
}
"""Every source by name, in the order of the catalogs: built-in sources, then sources of other packages."""


def _check(plugin: object) -> tuple[str, SourcePlugin[Any]]:
    if not isinstance(plugin, SourcePlugin):
        raise TypeError(f"it is a {type(plugin).__name__}, not a SourcePlugin")
    if fault := plugin.fault():
        raise ValueError(fault)
    return plugin.name, plugin


add_plugins("tol_luigi.sources", SOURCES, _check)


def by_precedence() -> list[SourcePlugin[Any]]:
    """Return all sources in the order of precedence for naming images."""
    return sorted(SOURCES.values(), key=lambda plugin: plugin.precedence)
