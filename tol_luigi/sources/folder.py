"""Images of one's own: any tree of folders, or an archive, with a table that labels them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tol_luigi.core.errors import SourceError, TableError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import Column, Entry, FileContent, Found, Key, License, Member, Source
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["Folder"]

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


class Folder(Source):
    """A collection of images with a table of labels.

    Only files that the table names are used. The tree or archive is listed at one go, since the
    partition of a file follows from its name alone; ``strays`` lists it once more.

    Args:
        images: A folder, with folders in it or not, or an archive.
        labels: A CSV table with the columns ``file`` (the path below ``images``, with ``/``),
            ``kingdom``, ``phylum``, ``class`` or ``cls``, ``order``, ``family``, ``genus`` and
            ``species``, and where known ``common``, ``license`` and ``owner``. Upper and lower
            case of the column names do not matter.
        name: What the catalogs call the collection.
        partitions: How many partitions there are.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    name: ClassVar[str] = "folder"
    lists_by_labels: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = (
        Column("collection", "folder_name", str, repeats=True),
        Column("file", "folder_file", str),
    )
    spelling: ClassVar[str] = "{}/{}"

    def __init__(
        self, images: Path, labels: Path, name: str, partitions: int, index: Path | None = None
    ) -> None:
        self.images = images
        self.labels = labels
        self.collection = name
        self.count = partitions
        self.index = index

    def partitions(self) -> tuple[str, ...]:
        """Name all the partitions; where there are few images, some of them are empty."""
        self._check()
        return tuple(f"{number:03d}" for number in range(self.count))

    def listings(self) -> tuple[str, ...]:
        """Name the one listing."""
        self._check()
        return (_LISTING,)

    def place(self, listing: str) -> Path:
        """Return the archive or folder, which is the same for all listings."""
        del listing
        return self.images

    def scan(self, listing: str) -> Iterator[Found]:
        """List all the images."""
        del listing  # there is one
        labelled = {file for file, _, _ in self.rows()}
        for found in archives.scan(self.images):
            yield self._judged(found, labelled)
        if self.index:
            archives.index(self.images, self.index)

    def strays(self) -> Iterator[Found]:
        """List the files that the table names and that are not there."""
        missing = dict.fromkeys(file for file, _, _ in self.rows())
        unlisted: list[Found] = []
        for found in archives.scan(self.images):
            missing.pop(found.member.name, None)
            if found.state is State.UNREADABLE and found.member.name.endswith("/"):
                unlisted.append(found)
        for file in missing:
            state, reason = State.MISSING, f"{self.labels.name} lists it, and it is not there"
            if above := next((folder for folder in unlisted if file.startswith(folder.member.name)), None):
                state, reason = State.UNREADABLE, f"{above.member.name} {above.reason}"
            yield Found(Member(file, 0), self._partition(file), self._key(file), state=state, reason=reason)

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        del partition  # a member's name tells all
        return archives.read(self.images, members, self.index)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Read the table; its own names are not upgraded, and its common names go first."""
        del lookup
        labels = {file: (ranks, common) for file, ranks, common in self.rows()}
        for _, file, image in images:
            ranks, common = labels[str(file)]
            taxon = Taxon.of(*ranks)
            if not taxon.is_empty:
                rules = frozenset() if common else common_names.rules(taxon)
                yield Entry(str(image), taxon, common or common_names.of(taxon), rules)

    def rows(self) -> Iterator[tuple[str, Ranks, str]]:
        """Read the labels.

        Yields:
            File, the seven ranks from kingdom to species as they are written, and the common name
            or "".

        Raises:
            TableError: The table cannot be read, lacks a column, or names a file twice.
        """
        seen: dict[str, int] = {}
        for row in _table(self.labels):
            first = seen.setdefault(row.file, row.line)
            if first != row.line:
                what = f"lines {first} and {row.line} both label {row.file!r}"
                raise TableError(self.labels, what, "Keep one of them")
            yield row.file, row.ranks, row.common

    def licenses(self) -> Iterator[License]:
        """Read the columns ``license`` and ``owner``, where the table has them."""
        for row in _table(self.labels):
            if row.license or row.owner:
                yield License(self.spell(self._key(row.file)), "", "", row.license, row.owner)

    def _check(self) -> None:
        if archives.kind(self.images) == "folder" and not archives.entries(self.images):
            remedy = f"Name the folder, or the archive, below which the files of {self.labels.name} lie"
            raise SourceError(self.images, "is empty", remedy)

    def _partition(self, file: str) -> str:
        digest = hashlib.blake2b(file.encode(), digest_size=8).digest()
        return f"{int.from_bytes(digest, 'big') % self.count:03d}"

    def _key(self, file: str) -> Key:
        return self.collection, file

    def _judged(self, found: Found, labelled: set[str]) -> Found:
        file = found.member.name
        partition = self._partition(file)
        if found.state:
            return dataclasses.replace(found, partition=partition)
        if file in labelled:
            return dataclasses.replace(found, partition=partition, key=self._key(file))
        reason = f"not in {self.labels.name}"
        return dataclasses.replace(found, partition=partition, state=State.NOT_IN_MAPPING, reason=reason)


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
