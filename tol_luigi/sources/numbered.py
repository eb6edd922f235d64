"""Numbered folders that are assigned to partitions, on disk or in one archive."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SourceError
from tol_luigi.core.reader import Reader
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.reader import FileContent, Found, Member

__all__ = ["NumberedReader"]

_ARCHIVE = "archive"


class NumberedReader(Reader):
    """Reads numbered folders, or one archive that contains them.

    The partition of a folder depends only on its number, so it is known without listing anything. Images in a
    ``.tar.gz`` are read at their offsets, by the index that its scan writes.

    Args:
        images: The folder of the numbered folders, or one archive.
        partitions: The number of partitions.
        index: The path of the index that the scan of a ``.tar.gz`` writes.
    """

    no_folders: tuple[str, str]
    """The error and the remedy if there are no numbered folders."""

    def __init__(self, images: Path, partitions: int, index: Path | None = None) -> None:
        self.images = images
        self.count = partitions
        self.index = index

    @abc.abstractmethod
    def numbered(self, entries: Iterable[str]) -> dict[int, str]:
        """Return the folders that have a number, in the order in which they are scanned.

        Args:
            entries: The names of folders.
        """

    @abc.abstractmethod
    def slots(self) -> Sequence[int]:
        """Return the numbers of all partitions."""

    @abc.abstractmethod
    def slot(self, number: int) -> int:
        """Return the number of the partition that a folder belongs to."""

    @abc.abstractmethod
    def slot_name(self, slot: int) -> str:
        """Return the name of a partition."""

    @abc.abstractmethod
    def classify(self, found: Found, owners: dict[int, str]) -> Found:
        """Return a file with its natural key, or with the reason to reject it.

        Args:
            found: The file.
            owners: The folder of each number; new numbers are added.
        """

    def root(self) -> Path:
        """Return the folder that contains the numbered folders."""
        return self.images

    def partitions(self) -> tuple[str, ...]:
        """Return the partitions that have a folder; all, for an archive, which is not opened."""
        if self._is_archive():
            return tuple(map(self.slot_name, self.slots()))
        folders = self._folders()
        if not folders:
            raise SourceError(self.images, *self.no_folders)
        return tuple(map(self.slot_name, sorted({self.slot(number) for number in folders})))

    def listings(self) -> tuple[str, ...]:
        """Return the partitions, or the one archive."""
        return (_ARCHIVE,) if self._is_archive() else self.partitions()

    def place(self, listing: str) -> Path:
        """Return the archive, or the folder that contains the numbered folders."""
        del listing
        return self.unlisted_root()

    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the files of one partition's folders, or of the complete archive."""
        if self._is_archive():
            owners: dict[int, str] = {}
            for found in archives.scan(self.images):
                yield self.classify(found, owners)
            if self.index:
                archives.index(self.images, self.index)
            return
        owners = self._folders()
        for number, folder in list(owners.items()):
            if self.slot_name(self.slot(number)) == listing:
                for found in archives.scan(self.root(), folder):
                    yield self.classify(found, owners)

    def unlisted_root(self) -> Path:
        """Return the folder that contains the numbered folders; or the archive, without unlisted files."""
        return self.images if self._is_archive() else self.root()

    def unlisted(self) -> Iterator[Found]:
        """Yield the files next to the numbered folders, and those in folders without their own number."""
        if self._is_archive():
            return
        owners = self._folders()
        used = set(owners.values())
        for entry in archives.entries(self.root()):
            if entry.name not in used:
                for found in archives.scan(self.root(), entry.name):
                    yield self.classify(found, owners)

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        return archives.read(self.place(partition), members, self.index)

    def _is_archive(self) -> bool:
        return archives.kind(self.images) != "folder"

    def _folders(self) -> dict[int, str]:
        found = archives.entries(self.root())
        # A link without a number belongs to no partition, so its target need not be readable here.
        numbered = (entry for entry in found if self.numbered([entry.name]))
        return self.numbered(entry.name for entry in numbered if archives.is_folder(entry))
