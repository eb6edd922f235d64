"""A taxon: its seven ranks, their normalisation and their text forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.names import clean_scientific_name, strip_html

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RANKS", "RANK_LABELS", "Taxon", "common_or_name"]

RANKS = ("kingdom", "phylum", "cls", "order", "family", "genus", "species")
"""The field names of the ranks, highest first."""

RANK_LABELS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
"""The names of the ranks in tables and texts, in the order of ``RANKS``."""

_UNKNOWN = frozenset({"(unidentified)", "unknown", "pleasehelp"})

_PLAIN = re.compile("[a-z -]*")
"""Texts that need no cleaning and that do not change when they are capitalised and lower-cased."""

_KINGDOMS = {"metazoa": "animalia", "archaeplastida": "plantae", "chloroplastida": "plantae"}


@dataclass(frozen=True, slots=True)
class Taxon:
    """Seven ranks, each normalised (lower-case, no markup), "" if unknown.

    Use :meth:`of` for the values of a source and :meth:`from_rendered` for rendered ranks; the constructor
    does not normalise. Blanks around a rank are kept.
    """

    kingdom: str = ""
    phylum: str = ""
    cls: str = ""
    order: str = ""
    family: str = ""
    genus: str = ""
    species: str = ""

    @staticmethod
    def of(  # noqa: PLR0917 (the ranks have a fixed order, that of *rendered)
        kingdom: str = "",
        phylum: str = "",
        cls: str = "",
        order: str = "",
        family: str = "",
        genus: str = "",
        species: str = "",
    ) -> Taxon:
        """Return the normalised taxon for the values of a source.

        The genus at the start of a full species name is removed from it and fills an empty genus. Normalising
        a normalised taxon changes nothing, with two exceptions that follow from the rules: each round removes
        one word from a species that starts with its genus (*Bison bison athabascae*), and a genus that means
        unknown is replaced by the next word. :meth:`renormalised` is such a round.

        Source: the constructor of the published process's taxon.
        """
        higher = [_plain(value) for value in (kingdom, phylum, cls, order, family)]
        higher[0] = _KINGDOMS.get(higher[0], higher[0])
        lower = _parted(_plain(genus), clean_scientific_name(_plain(species)))
        return Taxon(*higher, *map(_plain, lower))

    def renormalised(self) -> Taxon:
        """Return the taxon normalised a second time, as the published process does with rendered ranks.

        Source: ``load_name_lookup`` of the published process, the source of all its texts.
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
        """Return the taxon of rendered ranks; rendering it gives the same ranks.

        Raises:
            ValueError: The number of ranks is not seven.
        """
        if len(ranks) != len(RANKS):
            raise ValueError(f"a taxon has {len(RANKS)} ranks, not {len(ranks)}")
        return Taxon(*(rank.lower() for rank in ranks))

    @property
    def ranks(self) -> tuple[str, ...]:
        """The seven normalised values, highest first."""
        return (self.kingdom, self.phylum, self.cls, self.order, self.family, self.genus, self.species)

    @property
    def rendered(self) -> tuple[str, ...]:
        """The seven values as usually written: all capitalised except the species, "" if unknown."""
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
        """Genus and species, first letter upper-case, the rest lower-case; "" if neither is known."""
        return " ".join(f"{self.genus.capitalize()} {self.species}".split()).capitalize()

    @property
    def tagged(self) -> list[tuple[str, str]]:
        """The known ranks as (label, value as rendered), highest first."""
        return [(label, value) for label, value in zip(RANK_LABELS, self.rendered, strict=True) if value]

    @property
    def has_plain_species(self) -> bool:
        """Whether the species is one word or empty, so that normalising a second time changes nothing."""
        return self.species == "".join(self.species.split())

    @property
    def is_empty(self) -> bool:
        """Whether no rank is known."""
        return not any(self.ranks)


def common_or_name(taxon: Taxon, common: str) -> str:
    """Return the common name, else the scientific name, else the taxonomic name.

    Source: the common names of the published catalog.
    """
    return common or taxon.scientific or taxon.taxonomic


def _plain(value: str) -> str:
    """Return a value without markup, in lower case, and "" if it means unknown; blanks are kept."""
    plain = strip_html(value).lower()
    return "" if plain in _UNKNOWN else plain


def _parted(genus: str, species: str) -> tuple[str, str]:
    """Return genus and species, with the genus removed from a species of several words."""
    words = species.split()
    if len(words) > 1 and (words[0] == genus or not genus):
        genus, *words = words
        species = " ".join(words)
    if len(words) == 2 and words[0] == words[1]:  # noqa: PLR2004 (Gorilla gorilla gorilla)
        species = words[0]
    return genus, species
