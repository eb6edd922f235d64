"""A source of images by matter: reading its files, naming its images, the rights in them.

What a source brings besides, such as its settings, is in :mod:`tol_luigi.core.plugin`.
"""

from __future__ import annotations

import abc
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.ledger import State
    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.taxon import Taxon
    from tol_luigi.core.vernacular import CommonNames

__all__ = [
    "IMAGE_ID",
    "MAX_FILE_BYTES",
    "Column",
    "Entry",
    "FileContent",
    "Found",
    "Key",
    "Labeler",
    "License",
    "Member",
    "MemberError",
    "NaturalKey",
    "Reader",
    "Source",
    "SourceInfo",
]

Key = tuple[int | str, ...]
"""A natural key: what tells an image from all others of its source, in the order of ``NaturalKey.columns``."""

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
        partition: The partition whose shards the image goes to; one of ``Reader.partitions()``.
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
        key: The natural key, as :meth:`NaturalKey.spell` writes it.
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


@dataclass(frozen=True)
class NaturalKey:
    """What tells an image from all others of its source, and survives any copying and renaming of folders.

    Attributes:
        columns: Its parts, in order.
        spelling: How it is written as one text, for ``str.format``; ids are made from it, so it may never change.
        name_column: The column by which names are looked up: one of ``columns``, or the image id.
        from_listed: Returns the key that a file name in an exclusion list means, or None if it means none. Without
            it, exclusion lists name images by the texts in their keys.
    """

    columns: tuple[Column, ...]
    spelling: str
    name_column: str = IMAGE_ID
    from_listed: Callable[[str], Key | None] | None = None

    def spell(self, key: Sequence[int | str]) -> str:
        """Return a key as one text."""
        return self.spelling.format(*key)


class Reader(abc.ABC):
    """Reads the files of a source where they are."""

    images: Path
    """The folder or archive."""

    source: str = ""
    """The name of the source, for messages; set by the plugin that opens it."""

    @property
    def place_setting(self) -> str:
        """The setting that names the images, as messages write it."""
        return f"[{self.source}] images = {self.images}"

    @abc.abstractmethod
    def partitions(self) -> tuple[str, ...]:
        """Return the names of the partitions, in order, without opening an archive.

        Each is a unit of work: it gets its own shards.

        Raises:
            SourceError: There is nothing to read at the place the settings name.
        """

    def listings(self) -> tuple[str, ...]:
        """Return the names of what is scanned at one go: a partition each, unless one archive holds them all."""
        return self.partitions()

    @abc.abstractmethod
    def place(self, listing: str) -> Path:
        """Return the archive of a listing, or the folder that the names of its files start from."""

    @abc.abstractmethod
    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the files of one listing, in the order in which they are stored.

        A compressed archive is read to the end of its stream, so that its checksum counts.
        Folders on disk are listed in the order of their names.

        Raises:
            ArchiveError: The archive is not complete.
        """

    def unlisted_root(self) -> Path:
        """Return the folder that the names of unlisted files start from."""
        return self.images

    @abc.abstractmethod
    def unlisted(self) -> Iterator[Found]:
        """Yield the files next to the listings that belong to none, each with its state and reason."""

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
            ArchiveError: The archive is not complete.
            ChangedError: The source is not as it was when it was scanned.
        """


class Labeler(abc.ABC):
    """Names the images of a source."""

    problems: Sequence[str] = ()
    """What reading the names has brought to light, one per line; known when ``entries`` has been used up."""

    @abc.abstractmethod
    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield what the images show.

        Args:
            images: Natural key and id of each image, in the order of the ids.
            lookup: Fills in higher ranks.
            common_names: Common names by scientific names.

        Yields:
            An entry for each name key, once, in order of first sight; none for what has no rank at all.
        """

    def label(self, key: Key) -> str:
        """Return what the table of names calls the image of a natural key."""
        return "/".join(map(str, key))

    def labels(self) -> Iterator[str]:
        """Yield what the table of names calls its images, in its order; nothing if there is no such table.

        Raises:
            TableError: The table cannot be read.
        """
        return iter(())

    def likely_missing(self) -> Counter[tuple[str, str]]:
        """Count the values that are names but look like a way to write that there is none, by spelling and column.

        The tables of published sources are not looked through: their names are the published ones, whatever they look like.
        """
        return Counter()


class SourceInfo(Protocol):
    """What the tables of a dataset follow from: a :class:`Source`, or a plugin whose settings are not known."""

    @property
    def name(self) -> str:
        """How settings, mapping and catalogs call it."""

    @property
    def key(self) -> NaturalKey:
        """The natural key of its images."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The parts of the key."""

    @property
    def is_published(self) -> bool:
        """Whether the published dataset has it."""


def _no_licenses() -> Iterator[License]:
    return iter(())


@dataclass(frozen=True)
class Source:
    """A source as the settings name it: its files, what names its images, and the rights in them.

    Attributes:
        plugin: Everything else that is known of it.
        reader: Reads its files.
        labeler: Names its images.
        licenses: Yields the rights in its images, as far as they are known.
    """

    plugin: SourcePlugin[Any]
    reader: Reader
    labeler: Labeler
    licenses: Callable[[], Iterator[License]] = field(default=_no_licenses)

    @property
    def name(self) -> str:
        """How settings, mapping and catalogs call it."""
        return self.plugin.name

    @property
    def key(self) -> NaturalKey:
        """The natural key of its images."""
        return self.plugin.key

    @property
    def columns(self) -> tuple[Column, ...]:
        """The parts of the key."""
        return self.plugin.columns

    @property
    def is_published(self) -> bool:
        """Whether the published dataset has it."""
        return self.plugin.is_published
