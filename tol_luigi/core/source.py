"""A source of images: how its images are identified and named, and their licences found.

How its files are read is in :mod:`tol_luigi.core.reader`. Everything else about a source, such as its settings, is in :mod:`tol_luigi.core.plugin`.
"""

from __future__ import annotations

import abc
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tol_luigi.core.batches import batched
from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.taxon import RANKS
from tol_luigi.core.vernacular import CommonNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.plugin import SourcePlugin
    from tol_luigi.core.reader import Reader
    from tol_luigi.core.split_groups import ImageHint
    from tol_luigi.core.taxon import Taxon

__all__ = [
    "IMAGE_ID",
    "LABEL",
    "Column",
    "Entry",
    "Key",
    "Labeler",
    "License",
    "NameRecord",
    "NaturalKey",
    "Reference",
    "Source",
    "SourceInfo",
    "license_tables",
]

Key = tuple[int | str, ...]
"""A natural key, which identifies an image within its source, in the order of ``NaturalKey.columns``."""

IMAGE_ID = "evobio10m_id"
"""The column of the image id in the published tables."""

LABEL = "label"
"""Stands for the name keys of a source whose labeler knows them (:meth:`Labeler.name_keys`)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One part of a natural key.

    Attributes:
        name: The column's name in the source's table of ``mapping.sqlite``.
        catalog: Its name in the catalogs.
        type: ``int`` or ``str``.
        repeats: Whether many images share the same text, so that the catalogs store it once.
    """

    name: str
    catalog: str
    type: type[int | str]
    repeats: bool = False


class Reference(NamedTuple):
    """The taxon of a reference taxonomy that images were found to belong to.

    Attributes:
        tol_id: The taxon, None if the reference has none of their names.
        certainty: How it was found: a :class:`~tol_luigi.taxonomy.naming.Certainty`.
        reason: What decided: a heuristic of the alignment, or an identifier.
        given: The names that the source gives, highest first.
    """

    tol_id: int | None
    certainty: str
    reason: str
    given: str


class Entry(NamedTuple):
    """One entry of a name lookup.

    Attributes:
        key: The name key: page id (EOL), class number (iNat21), else the image id.
        taxon: The taxon of the images with this key.
        common: The common name, or "".
        rules: The naming rules that applied and can be wrong.
        reference: The taxon of the reference taxonomy, if one is used.
    """

    key: str
    taxon: Taxon
    common: str
    rules: frozenset[NameRule] = frozenset()
    reference: Reference | None = None


class NameRecord(NamedTuple):
    """What a source itself says of the taxon of images, before any naming rule is applied.

    Attributes:
        key: The name key, as in :class:`Entry`.
        ranks: The names of the seven ranks as written, highest first, "" if unknown; the species may contain its genus.
        name: A scientific name of any rank, "" if there is none.
        identifier: The id of the taxon in a taxonomy, such as ``eol:1109554``, "" if there is none.
        common: A common name that the source gives to these images, "" if there is none.
    """

    key: str
    ranks: tuple[str, ...] = ("",) * len(RANKS)
    name: str = ""
    identifier: str = ""
    common: str = ""


class License(NamedTuple):
    """The licence of an image; each field is "" if unknown.

    Attributes:
        key: The natural key, formatted by :meth:`NaturalKey.spell`.
        medium_url: The URL of the original page or file.
        full_size_url: The URL of the fetched copy.
        name: The licence.
        owner: The copyright owner.
    """

    key: str
    medium_url: str
    full_size_url: str
    name: str
    owner: str


@dataclass(frozen=True)
class NaturalKey:
    """The definition of a source's natural keys, which identify images even if folders are copied or renamed.

    Attributes:
        columns: The parts of a key, in order.
        spelling: The ``str.format`` template of a key as one text; ids depend on it, so it must never change.
        name_column: The column of the name keys: one of ``columns``, the image id, or ``LABEL`` if a labeler knows them.
        from_listed: Parses a file name in an exclusion list to a key, or returns None. Without it, exclusion
            lists are matched with the strings in keys.
    """

    columns: tuple[Column, ...]
    spelling: str
    name_column: str = IMAGE_ID
    from_listed: Callable[[str], Key | None] | None = None

    def spell(self, key: Sequence[int | str]) -> str:
        """Return a key formatted as one text."""
        return self.spelling.format(*key)


class Labeler(abc.ABC):
    """A labeler, which names the images of a source."""

    problems: Sequence[str] = ()
    """Problems with the tables of names, one per line; complete when ``entries`` is exhausted."""

    has_split_hints: bool = False
    """Whether the source gives splits or groups to its images; then :meth:`split_hints` is used."""

    has_groups: bool = False
    """Whether it gives groups to its images."""

    @abc.abstractmethod
    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield the names of images.

        Args:
            images: Natural key and id of each image, in the order of the ids.
            lookup: The table of higher ranks.
            common_names: Common names by scientific name.

        Yields:
            One entry per name key, in order of first occurrence; no entry for keys without any rank.
        """

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield what the source itself says of the taxa of images, for naming by a reference taxonomy.

        By default, these are the names of :meth:`entries` without any other table.

        Args:
            images: Natural key and id of each image, in the order of the ids.

        Yields:
            One record per name key, in order of first occurrence; no record for keys without any name.
        """
        for entry in self.entries(images, HigherRankTable(), CommonNames()):
            yield NameRecord(entry.key, entry.taxon.rendered, common=entry.common)

    has_fields: bool = False
    """Whether the source has a table with further columns; then :meth:`fields` is used for further texts."""

    def fields(self, columns: Sequence[str]) -> Callable[[Key], Sequence[str]]:
        """Return a function that returns the cells of an image in columns of its table, "" for empty ones.

        Args:
            columns: The names of the columns.

        Raises:
            TableError: The table lacks a column, or cannot be read.
        """
        raise NotImplementedError

    def name_keys(self) -> Callable[[pa.Table], pa.Array | pa.ChunkedArray]:
        """Return a function that returns the name keys of images; only for sources whose name column is ``LABEL``.

        It is given the images in parts, in the order of the ids, and returns null for those without a name.
        """
        raise NotImplementedError

    def split_hints(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[ImageHint]:
        """Yield the split and the group that the source gives to each image.

        Args:
            images: Natural key and id of each image.

        Yields:
            A hint for each image, in their order. All splits that are given within a group must be the same.

        Raises:
            TableError: The table of labels cannot be used.
        """
        raise NotImplementedError

    shared_collection: str = ""
    """The collection that other sources copy from, too, if there is one; then :meth:`shared_ids` is used."""

    def shared_ids(self) -> Callable[[Key], str]:
        """Return a function that returns the id of an image in that collection, "" if it has none.

        Images of several sources with the same id are one image.

        Raises:
            TableError: The table with the ids cannot be read.
        """
        raise NotImplementedError

    def label(self, key: Key) -> str:
        """Return the name of an image in the table of names, by its natural key."""
        return "/".join(map(str, key))

    def labels(self) -> Iterator[str]:
        """Yield the names of the images in the table of names, in its order; nothing if there is no table.

        Raises:
            TableError: The table cannot be read.
        """
        return iter(())

    @property
    def has_labels(self) -> bool:
        """Return whether :meth:`labels` is implemented, so that names can be compared with images in advance."""
        return type(self).labels is not Labeler.labels

    def likely_missing(self) -> Counter[tuple[str, str]]:
        """Count names that look like a spelling of a missing value, by spelling and column.

        The tables of published sources are not searched, because their names are the published ones.
        """
        return Counter()


class SourceInfo(Protocol):
    """The properties that determine a dataset's tables: a :class:`Source`, or a plugin without settings."""

    @property
    def name(self) -> str:
        """The name in settings, mapping and catalogs."""

    @property
    def key(self) -> NaturalKey:
        """The natural key of its images."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The parts of the key."""

    @property
    def is_published(self) -> bool:
        """Whether it is part of the published dataset."""


def license_tables(licenses: Iterable[License]) -> Iterator[pa.Table]:
    """Yield licences in tables, with a column for each field."""
    import pyarrow as pa  # noqa: PLC0415 (slow to load, and few commands need licences)

    schema = pa.schema([(name, pa.string()) for name in License._fields])
    for batch in batched(licenses, _FEW):
        yield pa.table([pa.array(texts, pa.string()) for texts in zip(*batch, strict=True)], schema=schema)


_FEW = 1_000
"""Licences held as Python objects at a time: few, so that they stay in the processor's cache."""


def _no_licenses() -> Iterator[pa.Table]:
    return iter(())


@dataclass(frozen=True)
class Source:
    """A source with its settings: its files, its names and its licences.

    Attributes:
        plugin: The plugin, with everything else about the source.
        reader: The reader of its files.
        labeler: The labeler of its images.
        license: The licence of its images without one of their own, "" if none is stated.
        licenses: Yields the known licences of its images, in tables with the fields of :class:`License`.
    """

    plugin: SourcePlugin[Any]
    reader: Reader
    labeler: Labeler
    license: str = ""
    licenses: Callable[[], Iterator[pa.Table]] = field(default=_no_licenses)

    @property
    def name(self) -> str:
        """The name in settings, mapping and catalogs."""
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
        """Whether it is part of the published dataset."""
        return self.plugin.is_published
