"""What the images of a dataset that is made up show, and what EOL calls it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from _columns import below, dealt, fractions, joined, uuids, zipf
from _tree import CLASS, FAMILY, GENUS, INSECTA, SPECIES, Tree

if TYPE_CHECKING:
    from _columns import Numbers
    from _sizes import Sizes
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

SCRAPED, NAMELESS = SPECIES + 1, SPECIES + 2
"""Kinds of a page beside the ranks: with a name of its own, in no table, and with none at all."""

_SHARES = ((0.005, NAMELESS), (0.02, SCRAPED), (0.03, FAMILY), (0.10, GENUS), (1.0, SPECIES))
_CONTENT, _PAGE, _KIND, _TAXON, _ROW, _FILE, _CLASS_SALT, _INSECT, _LEVEL, _BEFORE = range(100, 110)
_FIRST_CONTENT = 1_000_000


class Life:
    """Says of each image of each source what it shows.

    Args:
        sizes: How much there is of everything.
    """

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.tree = Tree(sizes.ranks)

    @cached_property
    def rows(self) -> dict[int, int]:
        """Where each rank begins in the numbers of EOL's hierarchy."""
        starts = np.cumsum([1, *self.tree.counts])
        return dict(enumerate(starts.tolist()))

    @cached_property
    def kinds(self) -> Ints:
        """What each of the pages that may have images is about: a rank, or one of the kinds beside them."""
        drawn = fractions(np.arange(self.sizes.pages, dtype=np.uint64), _KIND)
        bounds, kinds = np.array([share for share, _ in _SHARES]), np.array([kind for _, kind in _SHARES])
        found: Ints = kinds[np.searchsorted(bounds, drawn, side="right")]
        return found

    @cached_property
    def taxa(self) -> Ints:
        """The taxon of each of those pages, at the rank that it is of, or a species."""
        numbers = np.arange(self.sizes.pages, dtype=np.uint64)
        found = np.zeros(len(numbers), np.int64)
        for kind in (FAMILY, GENUS, SPECIES, SCRAPED, NAMELESS):
            rank = min(kind, SPECIES)
            of_kind = self.kinds == kind
            found[of_kind] = dealt(numbers[of_kind] % np.uint64(self.tree.counts[rank]), kind, self.tree.counts[rank])
        return found

    @cached_property
    def _row_of(self) -> Ints:
        """The row of each of those pages in the hierarchy, or a number that none has."""
        end = self.rows[SPECIES + 1]
        starts = np.array([self.rows[rank] for rank in range(SPECIES + 1)])
        listed = self.kinds <= SPECIES
        there = starts[np.minimum(self.kinds, SPECIES)] + self.taxa
        return np.where(listed, there, 4 * end + np.arange(self.sizes.pages))

    @cached_property
    def in_use(self) -> NDArray[np.bool_]:
        """Whether each species has a page that may have images."""
        found = np.zeros(self.tree.counts[SPECIES], np.bool_)
        found[self.taxa[self.kinds == SPECIES]] = True
        return found

    def page_ids(self, rows: Numbers | Ints) -> Ints:
        """Give the page of each row of the hierarchy, all of them different."""
        most = 1 << (16 * self.rows[SPECIES + 1]).bit_length()
        return dealt(rows.astype(np.uint64), _ROW, most).astype(np.int64) + 1

    def pages_of(self, pages: Ints) -> Ints:
        """Give the page id of each of the pages that may have images."""
        return self.page_ids(self._row_of[pages])

    def eol(self, images: Numbers) -> tuple[Ints, Ints, Ints]:
        """Give the content id, the page id and the number of the page of images of EOL."""
        pages = zipf(images, _PAGE, self.sizes.pages)
        most = 1 << (4 * self.sizes.eol).bit_length()
        content = dealt(images, _CONTENT, most).astype(np.int64) + _FIRST_CONTENT
        return content, self.pages_of(pages), pages

    def inat21(self, images: Numbers) -> pa.Array:
        """Name the files of images of iNat21."""
        return joined(uuids(images, _FILE), ".jpg")

    @cached_property
    def classes(self) -> pa.Array:
        """The names of the classes of iNat21, without their numbers."""
        numbers = np.arange(self.sizes.classes, dtype=np.uint64)
        species = dealt(numbers % np.uint64(self.tree.counts[SPECIES]), _CLASS_SALT, self.tree.counts[SPECIES])
        return joined(*self.tree.lineage(SPECIES, species.astype(np.int64)), separator="_")

    def insects(self, images: Numbers) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Give the genus and the species of images of BIOSCAN, and a fraction that settles how much of it is known."""
        genera = zipf(images, _INSECT, self.tree.within(CLASS, INSECTA, GENUS))
        return genera, self.tree.one_species(genera, images, _BEFORE), fractions(images, _LEVEL)

    def insect_files(self, images: Numbers) -> tuple[pa.Array, pa.Array]:
        """Give the sample and the file of images of BIOSCAN."""
        plate, well = images // np.uint64(96), images % np.uint64(96)
        letters = pa.array(list("ABCDEFGH")).take(pa.array((well // np.uint64(12)).astype(np.int64)))
        wells = pa.array([f"{number:02d}" for number in range(1, 13)]).take(
            pa.array((well % np.uint64(12)).astype(np.int64))
        )
        samples = joined("BIOUG", pa.array(plate + np.uint64(10_000)).cast(pa.string()), "-", letters, wells)
        return samples, joined(samples, ".jpg")

    def sizes_of(self, images: Numbers, salt: int, mean: int) -> Ints:
        """Give lengths of files in bytes."""
        return mean // 2 + below(images, salt, mean)
