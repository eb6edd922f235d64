"""What every source of images can do, and the words in which it tells what it found.

A further source is one module with one subclass of :class:`Source`, and one line in
``tol_luigi.sources.SOURCES``.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.ledger import State
    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = [
    "IMAGE_ID",
    "MAX_FILE_BYTES",
    "Column",
    "Entry",
    "FileContent",
    "Found",
    "Key",
    "License",
    "Member",
    "MemberError",
    "Source",
]

Key = tuple[int | str, ...]
"""A natural key: what tells an image from all others of its source, in the order of ``Source.columns``."""

IMAGE_ID = "evobio10m_id"
"""The column of the image id in the published tables."""

MAX_FILE_BYTES = 1 << 29
"""A file of more bytes than this (512 MiB) is no photograph, and is not read into memory."""


@dataclass(frozen=True, slots=True)
class Column:
    """One part of a natural key.

    Attributes:
        name: The column's name in the source's table of ``mapping.sqlite``.
        catalog: Its name in the catalogs.
        type: ``int`` or ``str``.
        repeats: Whether the same text stands in many images, so that the catalogs keep it once.
    """

    name: str
    catalog: str
    type: type[int | str]
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source, and where it lies.

    Attributes:
        name: Its path within the archive or folder, with ``/`` between the parts.
        size: Its length in bytes, unpacked.
        offset: Where it lies in an archive, in bytes: of a tar, packed or not, where its data start
            in the unpacked tar; of a zip its local header. None in a folder.
        stored_as: The name in the header before these bytes, if it is another one: of a link its target's.
    """

    name: str
    size: int
    offset: int | None = None
    stored_as: str = ""


class MemberError(Exception):
    """One file cannot be used because of its content, whenever and by whomever it is read.

    What keeps a file from being read for a while, such as a lack of rights, is an ``OSError``.
    """


FileContent = bytes | MemberError | OSError
"""The bytes of a file, or what is wrong with them, or what keeps the file from being read just now."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan makes of one file: an image with a natural key, or a reason to leave it out.

    Attributes:
        member: The file.
        partition: The partition whose shards the image goes to; one of ``Source.partitions()``.
        key: Its natural key, or None where the name is the published id.
        id: The published id (lower-case UUID) where the name is one, else "".
        state: Why it is left out, or None for an image to use.
        reason: The same in words, for people.
    """

    member: Member
    partition: str = ""
    key: Key | None = None
    id: str = ""
    state: State | None = None
    reason: str = ""


class Entry(NamedTuple):
    """One entry of a name lookup.

    Attributes:
        key: What names are looked up by: page id (EOL), class number (iNat21), else the image id.
        taxon: What the images of the key show.
        common: The common name, or "".
        rules: The rules of naming that have touched them and can be wrong.
    """

    key: str
    taxon: Taxon
    common: str
    rules: frozenset[NameRule] = frozenset()


class License(NamedTuple):
    """What a source tells of the rights in an image; each "" where not known.

    Attributes:
        key: The natural key, as :meth:`Source.spell` writes it.
        medium_url: The address of the page or file that the image comes from.
        full_size_url: The address of the copy that was fetched.
        name: The licence.
        owner: Who holds the rights.
    """

    key: str
    medium_url: str
    full_size_url: str
    name: str
    owner: str


class Source(abc.ABC):
    """A collection of images, read where it lies, and what its images are called."""

    images: Path
    """The folder or archive."""

    problems: Sequence[str] = ()
    """What reading the names has brought to light, a line each; known when ``entries`` has been used up."""

    name: ClassVar[str]
    """How settings, mapping and catalogs call it."""

    columns: ClassVar[tuple[Column, ...]]
    """The natural key."""

    lists_by_labels: ClassVar[bool] = False
    """Whether its listings follow from more than its files, and so are not those of another dataset."""

    spelling: ClassVar[str]
    """How a natural key is written as one text, for ``str.format``; ids are made from it, so it may never change."""

    name_key: ClassVar[str] = IMAGE_ID
    """The column by which names are looked up: one of the natural key, or the image id."""

    @abc.abstractmethod
    def partitions(self) -> tuple[str, ...]:
        """Name the partitions, in order, without opening an archive.

        Each is a unit of work: it gets its own shards.

        Raises:
            SourceError: There is nothing to read at the place the settings name.
        """

    def listings(self) -> tuple[str, ...]:
        """Name what is scanned at one go: a partition each, unless one archive holds them all."""
        return self.partitions()

    @abc.abstractmethod
    def place(self, listing: str) -> Path:
        """Return the archive of a listing, or the folder that the names of its files start from."""

    @abc.abstractmethod
    def scan(self, listing: str) -> Iterator[Found]:
        """List the files of one listing, in the order in which they lie there.

        A compressed archive is read to the end of its stream, so that its checksum counts.
        Folders on disk are listed in the order of their names.

        Raises:
            ArchiveError: The archive is not whole.
        """

    @property
    def stray_place(self) -> Path:
        """Return the folder that the names of :meth:`strays` start from."""
        return self.images

    @abc.abstractmethod
    def strays(self) -> Iterator[Found]:
        """List what lies beside the listings and belongs to none, each with its state and reason."""

    @abc.abstractmethod
    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read files of one partition.

        Args:
            partition: The partition that all of them belong to.
            members: What to read, in the order in which the scan listed it.

        Yields:
            The position of each member in ``members``, exactly once and in ascending order, with
            its bytes, or with the error that concerns this one file.

        Raises:
            SourceError: The system does not let anything be read, for a reason that is not one file's.
            ArchiveError: The archive is not whole.
            ChangedError: The source is not as it was when it was scanned.
        """

    def spell(self, key: Sequence[int | str]) -> str:
        """Write a natural key as one text."""
        return self.spelling.format(*key)

    def listed(self, exclusions: Exclusions, keys: Sequence[Key]) -> set[Key]:
        """Find the images that an exclusion list names, by their natural keys."""
        return {
            key for key in keys if any(exclusions.match_file(part) for part in key if isinstance(part, str))
        }

    @abc.abstractmethod
    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Tell what the images show.

        Args:
            images: Natural key and id of each image, in the order of the ids.
            lookup: Fills in higher ranks.
            common_names: Gives common names.

        Yields:
            An entry for each name key, once, in order of first sight; none for what has no rank at all.
        """

    def licenses(self) -> Iterator[License]:
        """Tell the rights in the images, as far as the source does."""
        return iter(())
