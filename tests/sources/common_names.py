"""Common names out of the tables of sources, as a build reads them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tol_luigi.sources import SOURCES, by_precedence, tables
from tol_luigi.sources.eol import EolSection
from tol_luigi.sources.inat21 import INat21Section

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.vernacular import CommonNames


def read_common_names(
    *,
    chains: Path | None = None,
    inat: tuple[Path | None, Path | None] = (None, None),
    eol: Path | None = None,
) -> CommonNames:
    """Read the tables of ITIS, of iNaturalist (taxa and names) and of EOL."""
    sections = {
        "eol": EolSection(vernacular_names=eol),
        "inat21": INat21Section(taxa=inat[0], vernacular_names=inat[1]),
    }
    others = [
        partial(plugin.add_common_names, sections[plugin.name])
        for plugin in by_precedence(SOURCES.values())
        if plugin.add_common_names
    ]
    return tables.load_common_names(chains, others)
