"""Reference taxonomies: many sources, one tree, with the origin of every taxon.

Importers read the files of a source into :class:`~tol_luigi.taxonomy.records.Records`; a normalisation repairs
them; an alignment and a merge add them to a union, source by source in order of priority; products are written from
the union. No module here imports Luigi.

:func:`open` opens a finished taxonomy. Importing this package imports no other module: its names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tol_luigi.taxonomy.matching import MatchStatus, NameMatch
    from tol_luigi.taxonomy.opened import Taxonomy
    from tol_luigi.taxonomy.opened import open_taxonomy as open  # noqa: A004 (as in taxonomy.open(path))
    from tol_luigi.taxonomy.reference_taxon import ReferenceTaxon

__all__ = ["MatchStatus", "NameMatch", "ReferenceTaxon", "Taxonomy", "open"]

_PLACES = {
    "MatchStatus": ("matching", "MatchStatus"),
    "NameMatch": ("matching", "NameMatch"),
    "ReferenceTaxon": ("reference_taxon", "ReferenceTaxon"),
    "Taxonomy": ("opened", "Taxonomy"),
    "open": ("opened", "open_taxonomy"),
}
"""The modules of the public names, and their names there."""


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(f"tol_luigi.taxonomy.{module}"), attribute)


def __dir__() -> list[str]:
    """List all names, including public names that are not loaded yet."""
    return sorted({*globals(), *__all__})
