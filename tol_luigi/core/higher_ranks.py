"""Filling in the higher ranks of a taxon from other taxonomies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import RANK_LABELS, Taxon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HigherRankTable"]

_SPECIES = 5
"""The position of the lowest level, genus and species together. The levels above it are the positions of the
ranks."""


class _Entry(NamedTuple):
    """The ranks of a name and its parent, which is "" if the first row of the name has a blank parent."""

    ranks: tuple[int, ...]
    above: str


_RANKS = tuple((rank,) for rank in range(_SPECIES))

_TWO_RANKS = {
    **dict.fromkeys(("collembola", "diplura", "protura"), _Entry((2, 3), "arthropoda")),
    **dict.fromkeys(
        (
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
        ),
        _Entry((1, 2), "bacteria"),
    ),
    "micrognathozoa": _Entry((1, 2), "animalia"),
    "protozoa": _Entry((0, 1), ""),
}
"""Predefined names that have two ranks."""

_PLACED_TWICE = {"leptogaster\tflavipes": "asilidae"}
"""Predefined families of species that ITIS places in two families."""


class HigherRankTable:
    """A map from names to their rank and parent name; the first entry of a name wins, at any rank.

    Add all ITIS rows first, then the resolved names. If the first row of a name has a blank parent, the
    parent stays blank.

    Source: the published completion of names with ITIS and a resolver.
    """

    def __init__(self) -> None:
        self._names: dict[str, _Entry] = dict(_TWO_RANKS)
        self._families: dict[str, str] = dict(_PLACED_TWICE)
        self._contradictions: dict[str, None] = {}
        self._blocked: set[str] = set()

    @property
    def contradictions(self) -> list[str]:
        """The names that ITIS places in two ways, one per line, in order of first occurrence.

        Predefined entries and resolved names are not reported.
        """
        return list(self._contradictions)

    def add_chain(self, taxon: Taxon) -> None:
        """Add the seven ranks of an ITIS row."""
        self._add(taxon, is_listed=True)

    def add_resolved(self, name: str, resolvers: Mapping[str, Mapping[str, str]]) -> None:
        """Add one name of ``resolved.jsonl``: only the first resolver is used, and existing entries win.

        Args:
            name: Genus and species; the first word is the genus, even if it is the only one. A
                blank name, or one without a resolver, is ignored.
            resolvers: The names by lower-case rank label (such as ``class``), for each resolver.
        """
        genus, *words = name.lower().split() or [""]
        if genus and resolvers:
            ranks = next(iter(resolvers.values()))
            higher = [ranks.get(label, "") for label in RANK_LABELS[:_SPECIES]]
            self._add(Taxon.of(*[*higher, genus, " ".join(words)]), is_listed=False)

    def _add(self, taxon: Taxon, *, is_listed: bool) -> None:
        """Add the ranks of a row, lowest first; record contradictions if ``is_listed`` is set."""
        family = "boidae" if (taxon.family, taxon.order) == ("charinidae", "squamata") else taxon.family
        species = _key(taxon.genus, taxon.species)
        known = self._families.setdefault(species, sys.intern(family))
        if known != family and species not in _PLACED_TWICE:
            self._collide(species, known, family)
            if is_listed:
                self._contradict(species.replace("\t", " "), _SPECIES, known, _SPECIES, family)
        names = (taxon.kingdom, taxon.phylum, taxon.cls, taxon.order, family)
        for rank in range(_SPECIES - 1, -1, -1):
            if not (name := names[rank]):
                continue
            above = names[rank - 1] if rank else ""
            entry = self._names.get(name)
            if entry is None:
                self._names[name] = _Entry(_RANKS[rank], sys.intern(above))
            elif entry != (_RANKS[rank], above) and name not in _TWO_RANKS:
                self._collide(name, entry.above, above)
                if is_listed:
                    self._contradict(name, entry.ranks[0], entry.above, rank, above)

    def _collide(self, name: str, known: str, other: str) -> None:
        if other and not known:
            self._blocked.add(name)

    def _contradict(self, name: str, rank: int, known: str, other_rank: int, other: str) -> None:
        at_first, then = (_describe(*found) for found in ((rank, known), (other_rank, other)))
        self._contradictions[f"{name}: {at_first} at first, then {then}"] = None

    def fill(self, taxon: Taxon) -> Taxon:
        """Return the taxon with its ranks from kingdom to family filled in and overwritten as far as known.

        The first round starts at the highest rank that is connected to the species without a gap. As long as
        a rank is unknown, the next round starts at a lower rank, and the last one at genus and species. Each
        round normalises the taxon again.
        """
        below, ranks, is_settled = 0, list(taxon.ranks), taxon.has_plain_species
        while True:
            start = _start(ranks, below)
            self._fill_from(ranks, start)
            if not is_settled:
                ranks = list(Taxon.of(*ranks).ranks)
            if start == _SPECIES or all(ranks):
                return Taxon(*ranks)
            below = start + 1

    def taxon_of(self, name: str, ranks: Sequence[str]) -> Taxon:
        """Return the taxon of a scientific name, or of ranks.

        Args:
            name: Genus and species; or one word, which is a genus unless the first entry of that name says that it is a
                higher rank. Underscores count as blanks. "" if only ranks are known.
            ranks: The seven ranks, "" for those that are not known.
        """
        filled = list(ranks)
        genus, _, species = " ".join(name.replace("_", " ").split()).partition(" ")
        entry = self._names.get(genus.lower()) if not species else None
        if entry:
            for rank in entry.ranks:
                filled[rank] = filled[rank] or genus
        else:
            filled[_SPECIES] = filled[_SPECIES] or genus
            filled[_SPECIES + 1] = filled[_SPECIES + 1] or species
        return Taxon.of(*filled)

    def rules(self, taxon: Taxon) -> frozenset[NameRule]:
        """Return the rule that applies to a filled taxon if a blank parent left ranks empty."""
        if all(taxon.ranks[:_SPECIES]) or not self._blocked:
            return frozenset()
        names = (_key(taxon.genus, taxon.species), *taxon.ranks[:_SPECIES])
        return frozenset() if self._blocked.isdisjoint(names) else frozenset({NameRule.BLANK_PARENT})

    def _fill_from(self, ranks: list[str], start: int) -> None:
        """Set the rank of a level and all known ranks above it; a repeated name ends the walk."""
        name = ranks[start] if start < _SPECIES else self._families.get(_key(*ranks[_SPECIES:]), "")
        met = set()
        while (entry := self._names.get(name)) and name not in met:
            met.add(name)
            for rank in entry.ranks:
                ranks[rank] = name
            name = entry.above


def _start(ranks: Sequence[str], below: int) -> int:
    """Return the highest level from ``below`` on that is connected to the species by known ranks."""
    start = _SPECIES
    while start > below and ranks[start - 1]:
        start -= 1
    return start


def _key(genus: str, species: str) -> str:
    """Return genus and species as one key, which takes half the memory of a pair."""
    return f"{genus}\t{species}"


def _describe(rank: int, above: str) -> str:
    """Describe an entry by its rank and its parent."""
    what = "species" if rank == _SPECIES else RANK_LABELS[rank]
    if not rank:
        return what
    parent = RANK_LABELS[rank - 1]
    return f"{what} of {parent} {above}" if above else f"{what} of no {parent}"
