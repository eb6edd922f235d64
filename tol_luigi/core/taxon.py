"""A taxon: seven ranks, how they are normalised, and the ways they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.names import clean_scientific_name, strip_html

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RANKS", "RANK_LABELS", "Taxon", "common_or_name"]

RANKS = ("kingdom", "phylum", "cls", "order", "family", "genus", "species")
"""The ranks as fields are called, highest first."""

RANK_LABELS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
"""The ranks as people and tables call them, in the order of ``RANKS``."""

_UNKNOWN = frozenset({"(unidentified)", "unknown", "pleasehelp"})

_PLAIN = re.compile("[a-z -]*")
"""Texts in which nothing is to be cleaned, and which stay the same when they are capitalised and lower-cased."""

_KINGDOMS = {"metazoa": "animalia", "archaeplastida": "plantae", "chloroplastida": "plantae"}


@dataclass(frozen=True, slots=True)
class Taxon:
    """Seven ranks, each normalised (lower-case, no markup), "" where unknown.

    Make one with :meth:`of` from a source's values, or with :meth:`from_rendered` from ranks that
    have been rendered before; the bare constructor takes what it gets. Blanks around a rank stay.
    """

    kingdom: str = ""
    phylum: str = ""
    cls: str = ""
    order: str = ""
    family: str = ""
    genus: str = ""
    species: str = ""

    @staticmethod
    def of(  # noqa: PLR0917 (the ranks have one order, and *rendered gives it)
        kingdom: str = "",
        phylum: str = "",
        cls: str = "",
        order: str = "",
        family: str = "",
        genus: str = "",
        species: str = "",
    ) -> Taxon:
        """Return the taxon that the values of a source stand for, normalised.

        A full species name gives up the genus it begins with, and fills an empty one. Normalising
        what is normal already changes nothing, with two exceptions that lie in the rules: of a species whose first
        word is its genus (*Bison bison athabascae*) each round takes one word, and a genus that
        means unknown makes room for the next word. :meth:`again` is such a round.

        Source: the constructor of the published process's taxon.
        """
        higher = [_plain(value) for value in (kingdom, phylum, cls, order, family)]
        higher[0] = _KINGDOMS.get(higher[0], higher[0])
        lower = _parted(_plain(genus), clean_scientific_name(_plain(species)))
        return Taxon(*higher, *map(_plain, lower))

    def again(self) -> Taxon:
        """Return the taxon normalised once more, as rendered ranks are that the published process reads back.

        Source: ``load_name_lookup`` of the published process, which all its texts come from.
        """
        is_settled = (
            self.has_plain_species
            and _PLAIN.fullmatch("".join(self.ranks))
            and self.kingdom not in _KINGDOMS
            and _UNKNOWN.isdisjoint(self.ranks)
        )
        return self if is_settled else Taxon.of(*self.rendered)

    @staticmethod
    def from_rendered(ranks: Sequence[str]) -> Taxon:
        """Read ranks that were rendered before: the result renders the same, always.

        Raises:
            ValueError: There are not seven ranks.
        """
        if len(ranks) != len(RANKS):
            raise ValueError(f"a taxon has {len(RANKS)} ranks, not {len(ranks)}")
        return Taxon(*(rank.lower() for rank in ranks))

    @property
    def ranks(self) -> tuple[str, ...]:
        """The seven values as held, highest first."""
        return (self.kingdom, self.phylum, self.cls, self.order, self.family, self.genus, self.species)

    @property
    def rendered(self) -> tuple[str, ...]:
        """The seven values as people write them: all capitalised but the species, "" where unknown."""
        return (
            self.kingdom.capitalize(),
            self.phylum.capitalize(),
            self.cls.capitalize(),
            self.order.capitalize(),
            self.family.capitalize(),
            self.genus.capitalize(),
            self.species,
        )

    @property
    def taxonomic(self) -> str:
        """The known ranks as rendered, joined by single spaces: the taxonomic name."""
        return " ".join(" ".join(self.rendered).split())

    @property
    def scientific(self) -> str:
        """Genus and species, first letter upper-case, the rest lower-case; "" where neither is known."""
        return " ".join(f"{self.genus.capitalize()} {self.species}".split()).capitalize()

    @property
    def tagged(self) -> list[tuple[str, str]]:
        """The known ranks as (label, value as rendered), highest first."""
        return [(label, value) for label, value in zip(RANK_LABELS, self.rendered, strict=True) if value]

    @property
    def has_plain_species(self) -> bool:
        """Whether the species is one word without blanks, or none: then normalising normal ranks again changes nothing."""
        return self.species == "".join(self.species.split())

    @property
    def is_empty(self) -> bool:
        """Whether no rank is known."""
        return not any(self.ranks)


def common_or_name(taxon: Taxon, common: str) -> str:
    """Give the common name; without one the scientific, and without that the taxonomic name.

    Source: the common names of the published catalog.
    """
    return common or taxon.scientific or taxon.taxonomic


def _plain(value: str) -> str:
    """Strip markup, lower-case, and empty the values that mean unknown; blanks stay."""
    plain = strip_html(value).lower()
    return "" if plain in _UNKNOWN else plain


def _parted(genus: str, species: str) -> tuple[str, str]:
    """Part a species of several words from its genus."""
    words = species.split()
    if len(words) > 1 and (words[0] == genus or not genus):
        genus, *words = words
        species = " ".join(words)
    if len(words) == 2 and words[0] == words[1]:  # noqa: PLR2004 (Gorilla gorilla gorilla)
        species = words[0]
    return genus, species
