"""Images of one's own: any tree of folders, or an archive, with a table that labels them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import Column, Entry, Found, Key, License, Member, Source
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.labels import LabelTable, Matcher

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["Folder"]

_LISTING = "all"

_FORM = "labelled in another Unicode normal form, as"


class Folder(Source):
    """A collection of images with a table of labels.

    Only files that the table names are used. The tree or archive is listed at one go, since the
    partition of a file follows from its name alone; ``strays`` lists it once more.

    Args:
        images: A folder, with folders in it or not, or an archive.
        labels: A table with the columns ``file`` (the path below ``images``, with ``/``),
            ``kingdom``, ``phylum``, ``class`` or ``cls``, ``order``, ``family``, ``genus`` and
            ``species``, and where known ``common``, ``license`` and ``owner``. Upper and lower
            case of the column names do not matter.
        name: What the catalogs call the collection.
        partitions: How many partitions there are.
        index: Where the scan of a ``.tar.gz`` leaves its index.
        delimiter: See :class:`tol_luigi.sources.labels.LabelTable`.
        encoding: The same.
        missing_values: The same.
    """

    name: ClassVar[str] = "folder"
    lists_by_labels: ClassVar[bool] = True
    names_table: ClassVar[str] = "labels"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("collection", "folder_name", str, repeats=True),
        Column("file", "folder_file", str),
    )
    spelling: ClassVar[str] = "{}/{}"

    def __init__(
        self,
        images: Path,
        labels: Path,
        name: str,
        partitions: int,
        index: Path | None = None,
        *,
        delimiter: str = "comma",
        encoding: str = "utf-8",
        missing_values: Sequence[str] = (),
    ) -> None:
        self.images = images
        self.label_table = LabelTable(labels, delimiter, encoding, missing_values)
        self._table_name = labels.name
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
        matcher = self._matcher()
        for found in archives.scan(self.images):
            yield self._judged(found, matcher)
        if self.index:
            archives.index(self.images, self.index)

    def strays(self) -> Iterator[Found]:
        """List the files that the table names and that are not there."""
        for file in self._matcher().missing():
            reason = f"{self._table_name} lists it, and it is not there"
            yield Found(
                Member(file, 0), self._partition(file), self._key(file), state=State.MISSING, reason=reason
            )

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, bytes | OSError]]:
        """Read images of one partition."""
        del partition  # a member's name tells all
        return archives.read(self.images, members, self.index)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Read the table; its own names are not upgraded, and its common names go first."""
        del lookup
        labels = {label.file: label for label in self.label_table}
        for _, file, image in images:
            label = labels[str(file)]
            taxon = Taxon.of(*label.ranks)
            if not taxon.is_empty:
                rules = frozenset() if label.common else common_names.rules(taxon)
                yield Entry(str(image), taxon, label.common or common_names.of(taxon), rules)

    def label(self, key: Key) -> str:
        """Return the path of an image."""
        return str(key[1])

    def labels(self) -> Iterator[str]:
        """Yield the paths in the table."""
        return (label.file for label in self.label_table)

    def likely_missing(self) -> Counter[tuple[str, str]]:
        """Count the cells of the table that look like a way to write that a value is missing."""
        return self.label_table.likely_missing()

    def licenses(self) -> Iterator[License]:
        """Read the columns ``license`` and ``owner``, where the table has them."""
        for label in self.label_table:
            if label.license or label.owner:
                yield License(self.spell(self._key(label.file)), "", "", label.license, label.owner)

    def _check(self) -> None:
        if archives.kind(self.images) == "folder" and not archives.entries(self.images):
            remedy = f"Name the folder or archive that the paths in {self._table_name} start from"
            raise SourceError(self.place_setting, "is empty", remedy)

    def _partition(self, file: str) -> str:
        digest = hashlib.blake2b(file.encode(), digest_size=8).digest()
        return f"{int.from_bytes(digest, 'big') % self.count:03d}"

    def _key(self, file: str) -> Key:
        return self.collection, file

    def _matcher(self) -> Matcher:
        return Matcher(self.labels(), functools.partial(_names, self.images))

    def _judged(self, found: Found, matcher: Matcher) -> Found:
        file = found.member.name
        label = None if found.state else matcher.find(file)
        if label is not None:
            note = "" if label == file else f"{_FORM} {label!r}"
            return dataclasses.replace(
                found, partition=self._partition(label), key=self._key(label), reason=note
            )
        partition = self._partition(file)
        if found.state:
            return dataclasses.replace(found, partition=partition)
        reason = f"not in {self._table_name}"
        return dataclasses.replace(found, partition=partition, state=State.NOT_IN_MAPPING, reason=reason)


def _names(place: Path) -> Iterator[str]:
    return (found.member.name for found in archives.scan(place))
