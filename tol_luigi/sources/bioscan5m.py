"""BIOSCAN-5M: archives of insects, each image named by its process id, and one table with a row for each image."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tol_luigi.core.errors import SettingsError, SourceError, TableError
from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, TaxonomyTable
from tol_luigi.core.reader import Found, Member, Reader, listing_of, partition_name
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Choice, Place, Subset, Whole, Words
from tol_luigi.core.source import Column, Entry, Labeler, License, NameRecord, NaturalKey
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.delimited import Table
from tol_luigi.sources.selection import SpeciesLimit, WantedNames, per_species_setting
from tol_luigi.sources.tables import BIOSCAN_COLLECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.reader import FileContent
    from tol_luigi.core.source import Key
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["BIOSCAN5M", "Bioscan5mLabeler", "Bioscan5mReader", "Bioscan5mSection"]

_TITLE = "BIOSCAN-5M"
_METADATA = "BIOSCAN_5M_Insect_Dataset_metadata.csv"
_SPLITS = ("pretrain", "train", "val", "test", "key_unseen", "val_unseen", "test_unseen", "other_heldout")
_ENDING = ".jpg"
_LOOSE = "images"
"""The listing of a folder that contains images without archives."""

_MOST_PARTITIONS = 256
_REQUIRED = ("processid", "order", "family", "genus", "species")
_OPTIONAL = ("phylum", "class", "split", "chunk", "country")
_UNKNOWN = frozenset({"", "not_classified"})
_KINGDOM, _PHYLUM = "Animalia", "Arthropoda"
_SPECIES = re.compile(r"[A-Z][a-zà-ÿ-]+( [a-zà-ÿ-]+){1,2}")
"""A scientific name of a species. Placeholders contain digits, capitals or full stops, as in ``Aphidius sp. 3``."""

_LICENSE = "cc-by-3.0"
_OWNER = "CBG Photography Group"


@dataclass(frozen=True)
class Bioscan5mSection(SourceSection):
    """BIOSCAN-5M."""

    section: ClassVar[str] = "bioscan5m"

    images: Path | None = setting(
        Place("either"),
        None,
        "a folder with the archives of one kind of image, such as BIOSCAN_5M_cropped.01.zip and .02.zip, one archive, or a folder of images",
        determines=True,
    )
    metadata: Path | None = setting(Place("file"), None, _METADATA, determines=True)
    exclude_splits: tuple[str, ...] = setting(
        Subset(_SPLITS), (), "the benchmark splits of BIOSCAN-5M to exclude", determines=True
    )
    taxa: tuple[str, ...] | None = setting(
        Words(), None, "the taxa to use, of any rank, such as Coleoptera,Apis mellifera", determines=True
    )
    countries: tuple[str, ...] | None = setting(
        Words(), None, "the countries to use, spelled as in metadata", determines=True
    )
    max_per_species: int | None = per_species_setting()
    placeholders: str = setting(
        Choice("drop", "keep"),
        "drop",
        "placeholders of species, such as Aphidius sp. 3: name the image by its genus (drop), or by the placeholder (keep)",
        determines=True,
    )
    partitions: int = setting(
        Whole(1, _MOST_PARTITIONS), 64, "the number of partitions of each archive", determines=True
    )


class _Row(NamedTuple):
    """A row of the table; "" if a value is unknown.

    Attributes:
        key: The process id.
        ranks: The seven ranks, highest first.
        split: The benchmark split.
        chunk: The folder of the image within its split.
        country: The country.
    """

    key: str
    ranks: tuple[str, ...]
    split: str
    chunk: str
    country: str

    @property
    def folder(self) -> str:
        """The folders of the image in its archive, each with ``/``."""
        return "".join(f"{part}/" for part in (self.split, self.chunk) if part)


class _Choice(NamedTuple):
    """What becomes of the image of a row.

    Attributes:
        folder: The folders of the image in its archive, each with ``/``.
        state: Why it is not used; None if it is.
        reason: The reason as text.
    """

    folder: str
    state: State | None
    reason: str


class MetadataTable:
    """The table of BIOSCAN-5M.

    Args:
        section: The settings that name it, and select rows.
    """

    def __init__(self, section: Bioscan5mSection) -> None:
        if section.metadata is None:
            where = f"[{section.section}] metadata"
            raise SettingsError(where, "empty", f"Set it to the metadata of the images, {_METADATA}")
        self.path = section.metadata
        self._section = section

    def rows(self) -> Iterator[_Row]:
        """Yield the rows.

        Raises:
            TableError: The table cannot be read, lacks a column, or has a row without a process id.
        """
        table = Table(self.path, f"[{self._section.section}] metadata")
        ranks_of = functools.cache(self._ranks)  # a taxon has hundreds of images
        for line, (key, *ranks, phylum, cls, split, chunk, country) in table.rows(_REQUIRED, _OPTIONAL):
            if not key or not key.isprintable() or "/" in key:
                raise table.error(f"line {line} has the processid {key!r}, which cannot name a file")
            yield _Row(key, ranks_of(phylum, cls, *ranks), split, chunk, country)

    def _ranks(self, *written: str) -> tuple[str, ...]:
        phylum, *ranks, species = ("" if name in _UNKNOWN else name for name in written)
        if self._section.placeholders == "drop" and not _SPECIES.fullmatch(species):
            species = ""
        return (_KINGDOM, phylum or _PHYLUM, *ranks, species)

    def choices(self) -> dict[str, _Choice]:
        """Return what becomes of each image, by process id.

        Raises:
            SettingsError: A taxon or country in the settings is in no row.
            TableError: The table cannot be used, or has two rows for one image.
        """
        selection = _Selection(self._section)
        if self._section.max_per_species is not None:
            for row in self.rows():
                selection.count(row)
        found: dict[str, _Choice] = {}
        known: dict[_Choice, _Choice] = {}  # few choices differ, so each is stored once
        for row in self.rows():
            if row.key in found:
                what = f"has several rows with the processid {row.key!r}"
                raise TableError(self.path, what, "Fetch the file again, or keep one of the rows")
            choice = _Choice(row.folder, *selection.fault(row))
            found[row.key] = known.setdefault(choice, choice)
        selection.validate_found(self.path)
        return found


class _Selection:
    """The selection in the settings.

    Args:
        section: The settings.
    """

    def __init__(self, section: Bioscan5mSection) -> None:
        self._name, self._excluded = section.section, section.exclude_splits
        self._taxa = WantedNames(f"[{self._name}] taxa", section.taxa)
        self._countries = WantedNames(f"[{self._name}] countries", section.countries)
        self._limit = SpeciesLimit(section.max_per_species)

    def count(self, row: _Row) -> None:
        """Count the image of a row for the limit per species; all must be counted before a fault is asked for."""
        if self._fault(row)[0] is None:
            self._limit.add(row.ranks[-1], row.key)

    def fault(self, row: _Row) -> tuple[State | None, str]:
        """Return why the image of a row is not used, as state and reason; None and "" if it is."""
        fault = self._fault(row)
        if fault[0] is None and not self._limit.accepts(row.ranks[-1], row.key):
            return State.NOT_SELECTED, f"beyond [{self._name}] max_per_species = {self._limit.most}"
        return fault

    def _fault(self, row: _Row) -> tuple[State | None, str]:
        # All names are looked up, so that those in no row are found.
        is_taxon, is_country = self._taxa.accepts(row.ranks), self._countries.accepts([row.country])
        if row.split in self._excluded:
            return State.EXCLUDED_IMAGE, f"split {row.split} of {_TITLE}"
        if not is_taxon:
            return State.NOT_SELECTED, f"none of its ranks is in [{self._name}] taxa"
        if not is_country:
            country = row.country or "unknown"
            return State.NOT_SELECTED, f"its country, {country}, is not in [{self._name}] countries"
        return None, ""

    def validate_found(self, table: Path) -> None:
        """Raise an error if a taxon or country was in no row of the table."""
        self._taxa.validate_found(table)
        self._countries.validate_found(table)


class Bioscan5mReader(Reader):
    """Reads the images of BIOSCAN-5M, ``<processid>.jpg`` in any folder of an archive.

    Each archive is a listing with several partitions. The partition of an image follows from the MD5 of its process id, as
    its folder in the archive does, so that most images of a partition are stored together.

    Args:
        images: A folder of archives, one archive, or a folder of images.
        table: The table of the images.
        partitions: The number of partitions of each archive.
    """

    def __init__(self, images: Path, table: MetadataTable, partitions: int) -> None:
        self.images, self.table, self.count = images, table, partitions

    def partitions(self) -> tuple[str, ...]:
        """Return the partitions of all archives."""
        return tuple(
            partition_name(listing, number) for listing in self.listings() for number in range(self.count)
        )

    def listings(self) -> tuple[str, ...]:
        """Return the names of the archives without their endings."""
        return tuple(self._places)

    def place(self, listing: str) -> Path:
        """Return the archive, or the folder of images."""
        if (place := self._places.get(listing)) is None:
            raise SourceError(
                self.images, f"the archive {listing} no longer exists", "Restore it, or scan again"
            )
        return place

    @functools.cached_property
    def _places(self) -> dict[str, Path]:
        """Return the archive or folder of each listing."""
        if archives.kind(self.images) != "folder":
            return {archives.strip_ending(self.images.name) or self.images.name: self.images}
        places: dict[str, Path] = {}
        for entry in archives.entries(self.images):
            listing = archives.strip_ending(entry.name)
            if not listing or archives.is_folder(entry):
                continue
            if listing in places:
                what = f"{places[listing].name} and {entry.name} have the same name"
                raise SourceError(self.images, what, "Keep only one of them")
            places[listing] = self.images / entry.name
        return places or {_LOOSE: self.images}

    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the files of one archive."""
        choices = self.table.choices()
        for found in archives.scan(self.place(listing)):
            yield self._classified(listing, found, choices)

    def _classified(self, listing: str, found: Found, choices: Mapping[str, _Choice]) -> Found:
        key, dot, ending = found.member.name.rpartition("/")[2].rpartition(".")
        found = dataclasses.replace(found, partition=self._partition(listing, key))
        if found.state:
            return found
        if dot + ending != _ENDING:
            reason = f"ending .{ending}, not {_ENDING}"
            return dataclasses.replace(found, state=State.BAD_NAME, reason=reason)
        choice = choices.get(key)
        if choice is None:
            reason = f"not in {self.table.path.name}"
            return dataclasses.replace(found, state=State.NOT_IN_MAPPING, reason=reason)
        if choice.state:
            return dataclasses.replace(found, state=choice.state, reason=choice.reason)
        return dataclasses.replace(found, key=(key,))

    def _partition(self, listing: str, key: str) -> str:
        digest = hashlib.md5(key.encode(errors="surrogateescape"), usedforsecurity=False).digest()
        return partition_name(listing, digest[0] * self.count // _MOST_PARTITIONS)

    def unlisted(self) -> Iterator[Found]:
        """Yield the files next to the archives, and the selected images of the table that are in no archive."""
        used = set(self._places.values())
        if self.images not in used:
            for entry in archives.entries(self.images):
                if self.images / entry.name not in used:
                    for found in archives.scan(self.images, entry.name):
                        reason = found.reason or "an image next to the archives, in none of them"
                        yield dataclasses.replace(found, state=found.state or State.BAD_NAME, reason=reason)
        missing = {key: choice for key, choice in self.table.choices().items() if choice.state is None}
        for place in used:
            for found in archives.scan(place):
                missing.pop(found.member.name.rpartition("/")[2].removesuffix(_ENDING), None)
        listing, reason = self.listings()[0], f"{self.table.path.name} lists it, but it is missing"
        for key, choice in missing.items():
            member = Member(f"{choice.folder}{key}{_ENDING}", 0)
            yield Found(member, self._partition(listing, key), (key,), state=State.MISSING, reason=reason)

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        return archives.read(self.place(listing_of(partition, self.listings())), members)


class Bioscan5mLabeler(Labeler):
    """Looks up every image in the table by its process id.

    Args:
        table: The table.
    """

    shared_collection = BIOSCAN_COLLECTION

    def __init__(self, table: MetadataTable) -> None:
        self.table = table

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each image."""

        @functools.cache  # a taxon has hundreds of images
        def named(ranks: tuple[str, ...]) -> tuple[Taxon, str, frozenset[NameRule]]:
            taxon = lookup.fill(Taxon.of(*ranks))
            return taxon, common_names.of(taxon), lookup.rules(taxon) | common_names.rules(taxon)

        for image, ranks in self._ranks(images):
            yield Entry(image, *named(ranks))

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each image, with its names as written."""
        for image, ranks in self._ranks(images):
            yield NameRecord(image, ranks)

    def _ranks(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the id of each image in the table, and its ranks."""
        known = {row.key: row.ranks for row in self.table.rows()}
        for key, image in images:
            if (ranks := known.get(str(key))) is not None:
                yield str(image), ranks

    def shared_ids(self) -> Callable[[Key], str]:
        """Return a function that returns the process id of an image, which BIOSCAN-1M has, too."""
        return lambda key: str(key[0])

    def labels(self) -> Iterator[str]:
        """Yield the process ids in the table."""
        return (row.key for row in self.table.rows())


_KEY = NaturalKey(columns=(Column("processid", "bioscan5m_processid", str),), spelling="{}")


def _licenses(section: Bioscan5mSection) -> Iterator[License]:
    """Yield the licence of the collection for each image."""
    for row in MetadataTable(section).rows():
        yield License(row.key, "", "", _LICENSE, _OWNER)


BIOSCAN5M = SourcePlugin(
    name="bioscan5m",
    section=Bioscan5mSection,
    key=_KEY,
    reader=lambda section, images, _index: Bioscan5mReader(
        images, MetadataTable(section), section.partitions
    ),
    labeler=lambda section: Bioscan5mLabeler(MetadataTable(section)),
    licenses=_licenses,
    listing_tables=("metadata",),
    name_tables=("metadata",),
    license_tables=("metadata",),
    required_table="metadata",
    taxonomies=(TaxonomyTable("bioscan5m", "metadata", "bioscan-metadata", priority=5),),
    is_upgraded=True,
)
