"""How the files of a source are found and read, in place."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.ledger import State
    from tol_luigi.core.source import Key

__all__ = [
    "MAX_FILE_BYTES",
    "FileContent",
    "Found",
    "Member",
    "MemberError",
    "Reader",
    "listing_of",
    "partition_name",
]

MAX_FILE_BYTES = 1 << 29
"""A larger file (512 MiB) is not a photograph, and is not read into memory."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source and its location.

    Attributes:
        name: Its path within the archive or folder, with ``/`` as the separator.
        size: Its uncompressed size in bytes.
        offset: Its offset in an archive, in bytes: for a tar, compressed or not, the start of its data in the
            uncompressed tar; for a zip, its local header. None in a folder.
        stored_as: The name in the header before these bytes, if it differs: for a link, the name of its
            target.
    """

    name: str
    size: int
    offset: int | None = None
    stored_as: str = ""


class MemberError(Exception):
    """A file can never be used because of its content.

    Temporary problems, such as missing permissions, are an ``OSError``.
    """


FileContent = bytes | MemberError | OSError
"""The bytes of a file, or the permanent error in its content, or the temporary error in reading it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The result of scanning one file: an image with a natural key, or a reason to skip the file.

    Attributes:
        member: The file.
        partition: The partition of the image, one of ``Reader.partitions()``.
        key: Its natural key, or None if the file name is the published id.
        id: The published id (lower-case UUID) if the file name is one, else "".
        state: Why the file is skipped, or None for an image.
        reason: The reason as text.
    """

    member: Member
    partition: str = ""
    key: Key | None = None
    id: str = ""
    state: State | None = None
    reason: str = ""


def partition_name(listing: str, number: int) -> str:
    """Return the name of one of several partitions of a listing."""
    return f"{listing}-{number:03d}"


def listing_of(partition: str, listings: Sequence[str]) -> str:
    """Return the listing that contains the files of a partition."""
    if partition in listings:
        return partition
    listing = partition.rpartition("-")[0]
    return listing if listing in listings else listings[0]


class Reader(abc.ABC):
    """A reader of the files of a source, in place."""

    images: Path
    """The folder or archive."""

    index: Path | None = None
    """The path of the index that the scan of a compressed archive writes, if it writes one."""

    @abc.abstractmethod
    def partitions(self) -> tuple[str, ...]:
        """Return the names of the partitions, in order, without opening an archive.

        Each partition has its own shards.

        Raises:
            SourceError: The path in the settings contains nothing to read.
        """

    def expected_images(self) -> int | None:
        """Return the number of images before any of them is fetched; None if the files themselves must be counted."""
        return None

    def listings(self) -> tuple[str, ...]:
        """Return the names of the listings: one per partition, unless an archive contains several partitions.

        If there are several such archives, the names of their partitions are those of :func:`partition_name`.
        """
        return self.partitions()

    @abc.abstractmethod
    def place(self, listing: str) -> Path:
        """Return the archive of a listing, or the folder to which its file names are relative."""

    @abc.abstractmethod
    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the files of one listing, in the order in which they are stored.

        A compressed archive is read to the end of its stream, which verifies its checksum.
        Folders on disk are sorted by name.

        Raises:
            ArchiveError: The archive is incomplete.
        """

    def unlisted_root(self) -> Path:
        """Return the folder to which the names of unlisted files are relative."""
        return self.images

    @abc.abstractmethod
    def unlisted(self) -> Iterator[Found]:
        """Yield the files that belong to no listing, each with its state and reason."""

    @abc.abstractmethod
    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read files of one partition.

        Args:
            partition: The partition that all of them belong to.
            members: The files to read, in the order of the scan.

        Yields:
            The position of each member in ``members``, exactly once and in ascending order, with its bytes;
            or with a ``MemberError`` if its content cannot be used, or an ``OSError`` if it cannot be read just now.

        Raises:
            SourceError: The source cannot be read, for a reason that does not concern a single file.
            ArchiveError: The archive is incomplete.
            ChangedError: The source has changed since the scan.
        """
