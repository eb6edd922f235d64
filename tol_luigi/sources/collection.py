"""A collection of images in any tree of folders, or in an archive, that is listed at one go."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SourceError
from tol_luigi.core.keys import hashed_number
from tol_luigi.core.reader import Reader
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.reader import FileContent, Found, Member

__all__ = ["CollectionReader"]

_LISTING = "all"


class CollectionReader(Reader):
    """Reads a collection of images. The partition of a file follows from its path alone.

    Args:
        images: A folder, with folders in it or not, or an archive.
        name: How the catalogs call the collection.
        partitions: The number of partitions.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    if_empty: str = "Set it to the folder or archive of the images"
    """What to do about an empty folder."""

    def __init__(self, images: Path, name: str, partitions: int, index: Path | None = None) -> None:
        self.images = images
        self.collection = name
        self.count = partitions
        self.index = index

    def partitions(self) -> tuple[str, ...]:
        """Return all partitions; if there are few images, some of them are empty."""
        self._check()
        return tuple(f"{number:03d}" for number in range(self.count))

    def listings(self) -> tuple[str, ...]:
        """Return the one listing."""
        self._check()
        return (_LISTING,)

    def place(self, listing: str) -> Path:
        """Return the archive or folder, which is the same for all listings."""
        del listing
        return self.images

    def scan(self, listing: str) -> Iterator[Found]:
        """Yield all files."""
        del listing  # there is only one
        classify = self.classifier()
        for found in archives.scan(self.images):
            yield classify(found)
        if self.index:
            archives.index(self.images, self.index)

    @abc.abstractmethod
    def classifier(self) -> Callable[[Found], Found]:
        """Return a function that gives a file its partition, and its natural key or the reason to leave it out."""

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        del partition  # a member's name is enough
        return archives.read(self.images, members, self.index)

    def partition_of(self, file: str) -> str:
        """Return the partition of a file."""
        return f"{hashed_number(file) % self.count:03d}"

    def _check(self) -> None:
        if archives.kind(self.images) == "folder" and not archives.entries(self.images):
            raise SourceError(self.images, "is empty", self.if_empty)
