"""Where images and names come from: one module per source, and the archives they are stored in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.sources.folder import FOLDER
from tol_luigi.sources.inat21 import INAT21
from tol_luigi.sources.registry import FAULTS, collect

if TYPE_CHECKING:
    from tol_luigi.core.plugin import SourcePlugin

__all__ = ["FAULTS", "SOURCES", "by_precedence"]

SOURCES = collect((EOL, BIOSCAN, INAT21, FOLDER))
"""Every source by its name, in the order of the catalogs: ours, then those of other packages by their names."""


def by_precedence() -> list[SourcePlugin[Any]]:
    """Return all sources in the order in which they name images."""
    return sorted(SOURCES.values(), key=lambda plugin: plugin.precedence)
