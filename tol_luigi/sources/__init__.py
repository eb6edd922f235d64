"""Where images and names come from: one module a source, and the archives they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.sources.bioscan import Bioscan
from tol_luigi.sources.eol import Eol
from tol_luigi.sources.folder import Folder
from tol_luigi.sources.inat21 import INat21

if TYPE_CHECKING:
    from tol_luigi.core.source import Source

__all__ = ["SOURCES"]

SOURCES: dict[str, type[Source]] = {source.name: source for source in (Eol, Bioscan, INat21, Folder)}
"""Every source by its name, in the order of the catalogs."""
