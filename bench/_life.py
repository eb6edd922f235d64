"""What the images of a dataset that is made up show, and what EOL calls it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from _columns import chosen, dealt, decimal, fractions, joined, often_low, uuids
from _tree import CLASS, FAMILY, GENUS, INSECTA, SPECIES, Tree

if TYPE_CHECKING:
    import pyarrow as pa
    from _columns import Numbers
    from _sizes import Sizes
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

SCRAPED, NAMELESS = SPECIES + 1, SPECIES + 2
"""Kinds of a page beside the ranks: with a name of its own, in no table, and with none at all."""

_SHARES = {NAMELESS: 0.01, SCRAPED: 0.02, FAMILY: 0.03, GENUS: 0.1, SPECIES: 1.0}
"""How many of the pages are of a kind, or of those before it."""

_REPEATED, _MISNAMED, _FLAWED = 500, 700, 1000
"""One file of EOL in so many repeats the name of an earlier one, and one has a name that tells nothing."""

_WELLS = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]
_FIRST_CONTENT = 1_000_000
_CONTENT, _PAGE, _KIND, _TAXON, _ROW, _FILE, _CLASS, _INSECT, _KNOWN, _ONE = range(100, 200, 10)


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
        count = self.sizes.pages
        lot = dealt(np.arange(count, dtype=np.uint64), _KIND, count) / count
        places = np.searchsorted(list(_SHARES.values()), lot, side="right")
        found: Ints = np.array(list(_SHARES))[places]
        return found

    @cached_property
    def taxa(self) -> Ints:
        """The taxon of each of those pages, at the rank that it is of, else a species."""
        found = np.zeros(self.sizes.pages, np.int64)
        for kind in _SHARES:
            pages = np.flatnonzero(self.kinds == kind)
            count = self.tree.counts[min(kind, SPECIES)]
            found[pages] = dealt((pages % count).astype(np.uint64), _TAXON + kind, count)
        return found

    def some_species(self, numbers: Numbers, salt: int) -> Ints:
        """Give a species for each number, no two the same one as long as there are enough."""
        count = self.tree.counts[SPECIES]
        return dealt(numbers % np.uint64(count), salt, count).astype(np.int64)

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
        meant = np.where(self._flaw(images) == _REPEATED, images // np.uint64(2), images)
        pages = often_low(meant, _PAGE, self.sizes.pages)
        most = 1 << (4 * self.sizes.eol).bit_length()
        content = dealt(meant, _CONTENT, most).astype(np.int64) + _FIRST_CONTENT
        return content, self.pages_of(pages), pages

    def is_misnamed(self, images: Numbers) -> NDArray[np.bool_]:
        """Tell of files of EOL whether their names tell nothing."""
        return self._flaw(images) == _MISNAMED

    def is_repeated(self, images: Numbers) -> NDArray[np.bool_]:
        """Tell of files of EOL whether they repeat the name of an earlier one."""
        return self._flaw(images) == _REPEATED

    def _flaw(self, images: Numbers) -> Ints:
        """Give a number for each file of EOL, of which two stand for flaws; the first file has none."""
        return (images % np.uint64(_FLAWED)).astype(np.int64)

    def inat21(self, images: Numbers) -> pa.Array:
        """Name the files of images of iNat21."""
        return joined(uuids(images, _FILE), ".jpg")

    @cached_property
    def classes(self) -> pa.Array:
        """The names of the classes of iNat21, without their numbers."""
        numbers = np.arange(self.sizes.classes, dtype=np.uint64)
        return joined(*self.tree.lineage(SPECIES, self.some_species(numbers, _CLASS)), separator="_")

    def insects(self, images: Numbers) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Give genus and species of images of BIOSCAN, and a fraction that settles how much of that is known."""
        genera = often_low(images, _INSECT, self.tree.within(CLASS, INSECTA, GENUS))
        return genera, self.tree.one_species(genera, images, _ONE), fractions(images, _KNOWN)

    def insect_files(self, images: Numbers) -> tuple[pa.Array, pa.Array]:
        """Give the sample and the file of images of BIOSCAN: the wells of one plate after the other."""
        plate, well = np.divmod(images, np.uint64(len(_WELLS)))
        samples = joined(
            "BIOUG", decimal(plate + np.uint64(10_000)), "-", chosen(_WELLS, well.astype(np.int64))
        )
        return samples, joined(samples, ".jpg")
