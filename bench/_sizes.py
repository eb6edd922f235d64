"""How much of everything a dataset of so many images has: the shares of TreeOfLife-10M."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)

FULL = 10_400_000
_INAT21, _BIOSCAN = 2_686_843, 1_128_313
_ARCHIVE = 104_500


@dataclass(frozen=True)
class Sizes:
    """Counts in proportion to those of ten million images; whatever images there are beyond are of EOL, and of the same taxa.

    Attributes:
        images: How many images there are in all.
        of_part: How many a part of BIOSCAN has.
    """

    images: int
    of_part: int = 10_000

    def of(self, full: int, least: int = 1) -> int:
        """Scale a count of the full size."""
        return max(least, full * min(self.images, FULL) // FULL)

    @property
    def inat21(self) -> int:
        """Images of iNat21."""
        return self.of(_INAT21)

    @property
    def bioscan(self) -> int:
        """Images of BIOSCAN."""
        return self.of(_BIOSCAN)

    @property
    def eol(self) -> int:
        """Images of EOL: all others."""
        return max(1, self.images - self.inat21 - self.bioscan)

    @property
    def archives(self) -> int:
        """Archives of EOL."""
        return max(1, round(self.eol / _ARCHIVE))

    @property
    def classes(self) -> int:
        """Class folders of iNat21."""
        return self.of(10_000)

    @property
    def groups(self) -> int:
        """Partitions of iNat21."""
        return self.of(100)

    @property
    def parts(self) -> int:
        """Parts of BIOSCAN, a partition each."""
        return -(-self.bioscan // self.of_part)

    @property
    def ranks(self) -> list[int]:
        """Taxa at each rank, from kingdom to species."""
        full = [(0, 3), (60, 4), (300, 6), (1500, 12), (12_000, 24), (220_000, 80), (2_200_000, 400)]
        return [self.of(*rank) for rank in full]

    @property
    def pages(self) -> int:
        """Pages of EOL that may have images; nearly all of them do."""
        return self.of(480_000, 40)

    def bounds(self, source: str) -> list[int]:
        """Give where each archive of EOL, each class of iNat21 or each part of BIOSCAN begins, and where the last ends."""
        if source == "bioscan":
            return [*range(0, self.bioscan, self.of_part), self.bioscan]
        count, pieces = (self.eol, self.archives) if source == "eol" else (self.inat21, self.classes)
        return [count * piece // pieces for piece in range(pieces + 1)]


@dataclass(frozen=True)
class Places:
    """Where everything lies in the folder of a dataset that is made up.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "luigi.cfg"

    @property
    def sources(self) -> Path:
        """The folder of the sources, which are empty."""
        return self.folder / "sources"

    @property
    def tables(self) -> Path:
        """The folder of the metadata tables."""
        return self.folder / "tables"

    @property
    def dataset(self) -> Path:
        """The folder of the dataset."""
        return self.folder / "built" / "full"
