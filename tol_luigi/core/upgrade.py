"""Filling the higher ranks of a taxon from what other catalogues know."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.taxon import RANK_LABELS, Taxon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Lookup"]

_SPECIES = 5
"""Position of the lowest step: genus and species together. The steps above are the ranks' positions."""

_ARTHROPODS = ("collembola", "diplura", "protura")
_BACTERIA = (
    "actinobacteria",
    "aquificae",
    "chlamydiae",
    "chrysiogenetes",
    "deferribacteres",
    "elusimicrobia",
    "gemmatimonadetes",
    "nitrospira",
    "thermodesulfobacteria",
    "thermotogae",
)

_KNOWN = (
    *(entry for name in _ARTHROPODS for entry in ((3, name, name), (2, name, "arthropoda"))),
    *(entry for name in _BACTERIA for entry in ((2, name, name), (1, name, "bacteria"))),
    (2, "micrognathozoa", "micrognathozoa"),
    (1, "micrognathozoa", "animalia"),
    (1, "protozoa", "protozoa"),
    (_SPECIES, "leptogaster\tflavipes", "asilidae"),
)
"""Names that stand at two ranks, or that ITIS places twice: step, name, name of the step above."""


class Lookup:
    """From a name to the name one rank above; the first entry wins.

    Filled with all ITIS rows first, then with the resolved names. A name is known at its rank
    only, so that an order and a class of one name do not meet. What a row leaves empty makes no
    entry: a later row may tell.

    Source: the published upgrade of names with ITIS and a resolver.
    """

    def __init__(self) -> None:
        self._above: tuple[dict[str, str], ...] = tuple({} for _ in range(_SPECIES + 1))
        for step, name, above in _KNOWN:
            self._above[step][name] = above
        self._fixed = frozenset((step, name) for step, name, _ in _KNOWN)
        self._contradictions: dict[str, None] = {}

    @property
    def contradictions(self) -> list[str]:
        """Where ITIS places a name in two ways: a line each, in the order met, each once.

        The entries that are fixed beforehand contradict nothing, nor do resolved names.
        """
        return list(self._contradictions)

    def add_chain(self, taxon: Taxon) -> None:
        """Add the seven ranks of an ITIS row."""
        family = "boidae" if (taxon.family, taxon.order) == ("charinidae", "squamata") else taxon.family
        steps = _steps((taxon.kingdom, taxon.phylum, taxon.cls, taxon.order, family), taxon)
        for step, name, above in steps:
            known = self._above[step].setdefault(name, above)
            if known != above and (step, name) not in self._fixed:
                self._contradict(step, name, known, above)

    def add_resolved(self, name: str, resolvers: Mapping[str, Mapping[str, str]]) -> None:
        """Add one name of ``resolved.jsonl``: only the first resolver counts, and existing entries win.

        Args:
            name: Genus and species.
            resolvers: Of each resolver, rank labels in lower case (``class``) to names.
        """
        ranks = next(iter(resolvers.values()), {})
        higher = [ranks.get(label, "") for label in RANK_LABELS[:_SPECIES]]
        taxon = Taxon.of(*[*higher, "", name])
        for step, lower, above in _steps(taxon.ranks[:_SPECIES], taxon):
            self._above[step].setdefault(lower, above)

    def upgrade(self, taxon: Taxon) -> Taxon:
        """Fill and overwrite the ranks from kingdom to family as far as the lookup knows them.

        It starts from the highest rank that hangs together with the species without a gap. While
        a rank is unknown after that, it starts again further down, at last from genus and
        species. Genus and species stay as they are.
        """
        higher = [taxon.kingdom, taxon.phylum, taxon.cls, taxon.order, taxon.family]
        species = _species(taxon)
        below = 0
        while True:
            start = _start(higher, below)
            self._follow(higher, start, species)
            if start == _SPECIES or (all(higher) and taxon.genus and taxon.species):
                return Taxon(*[*higher, taxon.genus, taxon.species])
            below = start + 1

    def _follow(self, higher: list[str], start: int, species: str) -> None:
        """Overwrite the ranks above a step with what the lookup knows, as far as it knows."""
        name = species if start == _SPECIES else higher[start]
        for step in range(start, 0, -1):
            above = self._above[step].get(name)
            if above is None:
                return
            higher[step - 1] = name = above

    def _contradict(self, step: int, name: str, known: str, other: str) -> None:
        what = "species" if step == _SPECIES else RANK_LABELS[step]
        where = RANK_LABELS[step - 1]
        line = f"{what} {name.replace(chr(9), ' ')}: {where} {known} at first, then {other}"
        self._contradictions[line] = None


def _start(higher: Sequence[str], below: int) -> int:
    """Find the highest step from ``below`` on that is joined to the species by known ranks."""
    start = _SPECIES
    while start > below and higher[start - 1]:
        start -= 1
    return start


def _species(taxon: Taxon) -> str:
    """Write genus and species as one key: half the memory of a pair."""
    return f"{taxon.genus}\t{taxon.species}"


def _steps(higher: Sequence[str], taxon: Taxon) -> list[tuple[int, str, str]]:
    """List the entries of a row, lowest first: step, name, name of the step above."""
    names = (*higher, _species(taxon) if taxon.genus and taxon.species else "")
    return [
        (step, names[step], sys.intern(names[step - 1]))
        for step in range(_SPECIES, 0, -1)
        if names[step] and names[step - 1]
    ]
