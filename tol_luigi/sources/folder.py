"""Images of one's own: any tree of folders, or an archive, with a table that labels them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tol_luigi.core.errors import SettingsError, SourceError, TableError
from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place, Text, Whole
from tol_luigi.core.source import (
    Column,
    Entry,
    Found,
    Labeler,
    License,
    Member,
    NaturalKey,
    Reader,
)
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["FOLDER", "FolderLabeler", "FolderReader", "FolderSection"]

_OTHER_NAMES = {"cls": "class"}
_LISTING = "all"
_MEND = "Mend the table"

_MAX_FIELD = 1 << 17
"""A cell of more characters than this is a quote that nobody closed. The limit is the process's, so others may have set it."""

Ranks = tuple[str, str, str, str, str, str, str]


class _Row(NamedTuple):
    line: int
    file: str
    ranks: Ranks
    common: str
    license: str
    owner: str


@dataclass(frozen=True)
class FolderSection(SourceSection):
    """A collection of your own."""

    section: ClassVar[str] = "folder"

    images: Path | None = setting(Place("either"), None, "a folder or archive of images", determines=True)
    labels: Path | None = setting(
        Place("file"),
        None,
        "CSV: file, kingdom to species, and if you like common, license, owner",
        determines=True,
    )
    name: str = setting(Text(), "own", "how the catalog calls the collection", determines=True)
    partitions: int = setting(
        Whole(1, 10_000), 4, "over how many partitions the images are dealt", determines=True
    )


class FolderReader(Reader):
    """Reads a collection of images; only files that its table of labels names are used.

    The tree or archive is listed at one go, since the partition of a file follows from its name alone.

    Args:
        images: A folder, with folders in it or not, or an archive.
        labels: The table of labels; see :func:`read_labels`.
        name: How the catalogs call the collection.
        partitions: The number of partitions.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    def __init__(
        self, images: Path, labels: Path, name: str, partitions: int, index: Path | None = None
    ) -> None:
        self.images = images
        self.labels = labels
        self.collection = name
        self.count = partitions
        self.index = index

    def partitions(self) -> tuple[str, ...]:
        """Return all the partitions; if there are few images, some of them are empty."""
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
        """Yield all the files."""
        del listing  # there is one
        labelled = {file for file, _, _ in read_labels(self.labels)}
        for found in archives.scan(self.images):
            yield self._classify(found, labelled)
        if self.index:
            archives.index(self.images, self.index)

    def unlisted(self) -> Iterator[Found]:
        """Yield the files that the table names and that do not exist."""
        missing = dict.fromkeys(file for file, _, _ in read_labels(self.labels))
        for found in archives.scan(self.images):
            missing.pop(found.member.name, None)
        for file in missing:
            reason = f"{self.labels.name} lists it, and it is not there"
            yield Found(
                Member(file, 0),
                self._partition(file),
                (self.collection, file),
                state=State.MISSING,
                reason=reason,
            )

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, bytes | OSError]]:
        """Read images of one partition."""
        del partition  # a member's name tells all
        return archives.read(self.images, members, self.index)

    def _check(self) -> None:
        if archives.kind(self.images) == "folder" and not archives.entries(self.images):
            remedy = f"Name the folder, or the archive, below which the files of {self.labels.name} lie"
            raise SourceError(self.images, "is empty", remedy)

    def _partition(self, file: str) -> str:
        digest = hashlib.blake2b(file.encode(), digest_size=8).digest()
        return f"{int.from_bytes(digest, 'big') % self.count:03d}"

    def _classify(self, found: Found, labelled: set[str]) -> Found:
        file = found.member.name
        partition = self._partition(file)
        if found.state:
            return dataclasses.replace(found, partition=partition)
        if file in labelled:
            return dataclasses.replace(found, partition=partition, key=(self.collection, file))
        reason = f"not in {self.labels.name}"
        return dataclasses.replace(found, partition=partition, state=State.NOT_IN_MAPPING, reason=reason)


class FolderLabeler(Labeler):
    """Reads the table of labels; its names are not upgraded, and its common names go first.

    Args:
        labels: The table; see :func:`read_labels`.
    """

    def __init__(self, labels: Path) -> None:
        self.labels = labels

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each image whose row names a rank."""
        del lookup
        labels = {file: (ranks, common) for file, ranks, common in read_labels(self.labels)}
        for _, file, image in images:
            ranks, common = labels[str(file)]
            taxon = Taxon.of(*ranks)
            if not taxon.is_empty:
                rules = frozenset() if common else common_names.rules(taxon)
                yield Entry(str(image), taxon, common or common_names.of(taxon), rules)


def read_labels(path: Path) -> Iterator[tuple[str, Ranks, str]]:
    """Read a table of labels.

    Args:
        path: A CSV table with the columns ``file`` (the path below the images, with ``/``),
            ``kingdom``, ``phylum``, ``class`` or ``cls``, ``order``, ``family``, ``genus`` and
            ``species``, and where known ``common``, ``license`` and ``owner``. Upper and lower
            case of the column names do not matter.

    Yields:
        File, the seven ranks from kingdom to species as they are written, and the common name
        or "".

    Raises:
        TableError: The table cannot be read, lacks a column, or names a file twice.
    """
    seen: dict[str, int] = {}
    for row in _table(path):
        first = seen.setdefault(row.file, row.line)
        if first != row.line:
            what = f"lines {first} and {row.line} both label {row.file!r}"
            raise TableError(path, what, "Keep one of them")
        yield row.file, row.ranks, row.common


def _licenses(given: FolderSection) -> Iterator[License]:
    """Yield the columns ``license`` and ``owner``, if the table has them."""
    for row in _table(_labels(given)):
        if row.license or row.owner:
            yield License(_KEY.spell((given.name, row.file)), "", "", row.license, row.owner)


def _table(path: Path) -> Iterator[_Row]:
    """Read a table of labels, row by row."""
    csv.field_size_limit(_MAX_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = _header(path, next(reader, []))
            for cells in reader:
                if any(cells):
                    yield _row(path, header, cells, reader.line_num)
    except OSError as error:
        remedy = "See that the settings name the right table and that you may read it"
        raise TableError(path, f"cannot be read: {error.strerror}", remedy) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(path, f"is no CSV table in UTF-8 ({error})", "Write it again as one") from error


def _header(path: Path, cells: list[str]) -> dict[str, int]:
    """Tell which column lies where."""
    names = [cell.strip().lower() for cell in cells]
    header = {_OTHER_NAMES.get(name, name): position for position, name in reversed(list(enumerate(names)))}
    for column in ("file", *RANK_LABELS):
        if column not in header:
            raise TableError(
                path, f"has no column {column!r}", "Add it; a rank that is not known stays empty"
            )
    return header


def _row(path: Path, header: dict[str, int], cells: list[str], line: int) -> _Row:
    if max(header[column] for column in ("file", *RANK_LABELS)) >= len(cells):
        raise TableError(path, f"line {line} has only {len(cells)} cells", _MEND)
    parts = cells[header["file"]].split("/")
    if not any(parts) or parts[0] == "" or ".." in parts:
        what = f"line {line} names the file {cells[header['file']]!r}, which is no path below the images"
        raise TableError(path, what, _MEND)
    kingdom, phylum, cls, order, family, genus, species = (
        cells[header[rank]].strip() for rank in RANK_LABELS
    )
    ranks = (kingdom, phylum, cls, order, family, genus, species)
    file = "/".join(part for part in parts if part not in {"", "."})
    return _Row(
        line, file, ranks, *(_optional(header, cells, column) for column in ("common", "license", "owner"))
    )


def _optional(header: dict[str, int], cells: list[str], column: str) -> str:
    place = header.get(column, len(cells))
    return cells[place].strip() if place < len(cells) else ""


def _labels(given: FolderSection) -> Path:
    """Return the table of labels, which the settings require."""
    if given.labels is None:
        raise SettingsError("[folder] labels", "empty", "Name the table of labels")
    return given.labels


_KEY = NaturalKey(
    columns=(
        Column("collection", "folder_name", str, repeats=True),
        Column("file", "folder_file", str),
    ),
    spelling="{}/{}",
)

FOLDER = SourcePlugin(
    name="folder",
    title="a collection of your own",
    section=FolderSection,
    key=_KEY,
    reader=lambda given, images, index: FolderReader(
        images, _labels(given), given.name, given.partitions, index
    ),
    labeler=lambda given: FolderLabeler(_labels(given)),
    licenses=_licenses,
    listing_tables=("labels",),
    name_tables=("labels",),
    license_tables=("labels",),
    required_table="labels",
)
