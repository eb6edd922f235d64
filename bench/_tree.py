"""A tree of life that is nobody's: names for any number of species, hanging together down to them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from _columns import below, chosen, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

KINGDOM, PHYLUM, CLASS, ORDER, FAMILY, GENUS, SPECIES = range(7)
INSECTA = 0
"""The place of the class that BIOSCAN's images are of; it is the largest one."""

_SYLLABLES = [consonant + vowel for consonant in "bcdfglmnprstv" for vowel in "aeiou"][::2][:32]
_PAIRS = [first + second for first in _SYLLABLES for second in _SYLLABLES]
_CAPITALISED = [pair.capitalize() for pair in _PAIRS]
_BITS = 10
"""A pair of syllables tells so many bits of a number, two of them twice as many."""

_ENDINGS = (
    ("",),
    ("phyta", "poda", "zoa", "mycota"),
    ("opsida", "ia", "ata", "mycetes"),
    ("ales", "iformes", "ptera", "ida"),
    ("idae", "aceae"),
    ("us", "a", "um", "is"),
)
_EPITHET_ENDINGS = ("us", "a", "ensis", "ii", "oides", "atum", "ana", "alis")
_REAL = {KINGDOM: ("Animalia", "Plantae", "Fungi"), PHYLUM: ("Arthropoda",), CLASS: ("Insecta",)}
"""What the first taxa of some ranks are called."""


class Tree:
    """Seven ranks, with a number of taxa each; a taxon is its place in its rank.

    A taxon's children stand together, in the order of the taxa, and the first ones have the most.

    Args:
        counts: How many taxa each rank has, highest first.

    Attributes:
        counts: The same.
        starts: The first species of each genus, and the number of all species.
    """

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self._parents = [np.zeros(counts[KINGDOM], np.int64)]
        for above, count in itertools.pairwise(counts):
            share = (np.arange(count) + 0.5) / count
            self._parents.append((above * share * share).astype(np.int64))
        self._names = [_names(rank, count) for rank, count in enumerate(counts[:SPECIES])]
        self.starts = np.searchsorted(self._parents[SPECIES], np.arange(counts[GENUS] + 1))

    def above(self, rank: int, places: Places, wanted: int) -> Places:
        """Give the taxa at a higher rank, or the same, that taxa belong to."""
        for step in range(rank, wanted, -1):
            places = self._parents[step][places]
        return places

    def within(self, rank: int, place: int, wanted: int) -> int:
        """Count the taxa of a lower rank that belong to a taxon and to those before it."""
        end = place + 1
        for step in range(rank + 1, wanted + 1):
            end = int(np.searchsorted(self._parents[step], end))
        return end

    def one_species(self, genera: Places, numbers: NDArray[np.uint64], salt: int) -> Places:
        """Give a species of each genus; one of the next genus where it has none."""
        starts, ends = self.starts[genera], self.starts[genera + 1]
        drawn = starts + below(numbers, salt, 1 << 40) % np.maximum(ends - starts, 1)
        return np.minimum(drawn, self.counts[SPECIES] - 1)

    def name(self, rank: int, places: Places) -> pa.Array:
        """Name taxa of a rank above the species."""
        return chosen(self._names[rank], places)

    def epithet(self, species: Places) -> pa.Array:
        """Give the second words of species; no two are the same within a genus."""
        genera = self._parents[SPECIES][species]
        first, second = _halves(genera * 7919 + (species - self.starts[genera]) * 31)
        ending = chosen(_EPITHET_ENDINGS, first % len(_EPITHET_ENDINGS))
        return joined(chosen(_PAIRS, first), chosen(_PAIRS, second), ending)

    def binomial(self, species: Places) -> pa.Array:
        """Give the scientific names of species."""
        return joined(
            self.name(GENUS, self.above(SPECIES, species, GENUS)), self.epithet(species), separator=" "
        )

    def lineage(self, rank: int, places: Places) -> list[pa.Array]:
        """Give the names of taxa and of those above them, highest first; of species the second word."""
        names = [self.name(step, self.above(rank, places, step)) for step in range(min(rank + 1, SPECIES))]
        return [*names, self.epithet(places)] if rank == SPECIES else names


def _names(rank: int, count: int) -> pa.Array:
    """Make the names of a rank, all different: of some million taxa."""
    numbers = np.arange(count)
    first, second = _halves(numbers * 0x5851F42D + rank * 7919)
    third = chosen(["", *_PAIRS], numbers >> 2 * _BITS)
    ending = chosen(_ENDINGS[rank], numbers % len(_ENDINGS[rank]))
    made = joined(chosen(_CAPITALISED, first), chosen(_PAIRS, second), third, ending)
    real = _REAL.get(rank, ())[:count]
    return pa.concat_arrays([pa.array(real, pa.string()), made[len(real) :]])


def _halves(numbers: Places) -> tuple[Places, Places]:
    """Give the lower bits of numbers, and the next ones."""
    return numbers & ((1 << _BITS) - 1), numbers >> _BITS & ((1 << _BITS) - 1)
