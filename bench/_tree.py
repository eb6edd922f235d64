"""A tree of life that is nobody's: names for any number of species, hanging together down to them."""

from __future__ import annotations

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

_LETTERS = [c + v for c in "bcdfglmnprstv" for v in "aeiou"][::2][:32]
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_LARGE = [pair.capitalize() for pair in _PAIRS]
_BITS = 10
_ENDINGS = (
    [""],
    ["phyta", "poda", "zoa", "mycota"],
    ["opsida", "ia", "ata", "mycetes"],
    ["ales", "iformes", "ptera", "ida"],
    ["idae", "aceae", "idae", "aceae"],
    ["us", "a", "um", "is"],
)
_EPITHETS = ["us", "a", "ensis", "ii", "oides", "atum", "ana", "alis"]
_EPITHET_BITS = 20
_FIRST = {KINGDOM: ["Animalia", "Plantae", "Fungi"], PHYLUM: ["Arthropoda"], CLASS: ["Insecta"]}


class Tree:
    """Seven ranks, with a number of taxa each; a taxon is its place in its rank.

    A taxon's children stand together, in the order of the taxa, and the first ones have the most.

    Args:
        counts: How many taxa each rank has, highest first.
    """

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self._parents = [np.zeros(counts[KINGDOM], np.int64)]
        for above, count in zip(counts, counts[1:], strict=False):
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
        place = species - self.starts[genera]
        number = (genera * 7919 + place * 31) % (1 << _EPITHET_BITS)
        first, second = number & ((1 << _BITS) - 1), number >> _BITS
        return joined(chosen(_PAIRS, first), chosen(_PAIRS, second), chosen(_EPITHETS, first % 8))

    def binomial(self, species: Places) -> pa.Array:
        """Give the scientific names of species."""
        return joined(
            self.name(GENUS, self.above(SPECIES, species, GENUS)), self.epithet(species), separator=" "
        )

    def lineage(self, rank: int, places: Places) -> list[pa.Array]:
        """Give the names of taxa and of those above them, highest first; of species the second word."""
        names = [
            self.name(step, self.above(rank, places, step)) for step in range(min(rank + 1, SPECIES))
        ]
        return [*names, self.epithet(places)] if rank == SPECIES else names


def _names(rank: int, count: int) -> pa.Array:
    """Make the names of a rank, all different."""
    numbers = np.arange(count)
    shuffled = (numbers * 0x5851F42D + rank * 7919) % (1 << 2 * _BITS)
    first, second = shuffled & ((1 << _BITS) - 1), shuffled >> _BITS
    further = numbers >> 2 * _BITS  # 0 up to a million names
    third = chosen(["", *_PAIRS], np.minimum(further, len(_PAIRS)))
    names = joined(
        chosen(_LARGE, first), chosen(_PAIRS, second), third, chosen(_ENDINGS[rank], numbers % len(_ENDINGS[rank]))
    )
    known = _FIRST.get(rank, [])[:count]
    return pa.concat_arrays([pa.array(known, pa.string()), names[len(known) :]])
