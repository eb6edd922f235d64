"""A collection of one's own images: any tree of folders, or an archive, with a table of labels."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, Suggestion
from tol_luigi.core.reader import Found, Member
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Choice, Encoding, Formed, Place, Text, Whole, Words
from tol_luigi.core.source import Column, Entry, Key, Labeler, License, NameRecord, NaturalKey
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.collection import CollectionReader
from tol_luigi.sources.delimited import DELIMITERS
from tol_luigi.sources.label_files import AUTO
from tol_luigi.sources.labels import LabelTable, Matcher

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.split_groups import ImageHint
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["FOLDER", "FolderLabeler", "FolderReader", "FolderSection"]

_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".jsonl", ".ndjson")

_FORM = "labelled in another Unicode normal form, as"


@dataclass(frozen=True)
class FolderSection(SourceSection):
    """A collection of your own."""

    section: ClassVar[str] = "folder"

    images: Path | None = setting(Place("either"), None, "a folder or archive of images", determines=True)
    labels: Path | None = setting(
        Place("file"),
        None,
        "CSV, TSV, Parquet or JSON lines with the columns file, kingdom to species or name, and optionally common, license, owner",
        determines=True,
    )
    delimiter: str = setting(
        Choice(AUTO, *DELIMITERS),
        AUTO,
        "the delimiter of labels; auto recognises it by the header",
        determines=True,
        is_recorded=False,
    )
    encoding: str = setting(
        Encoding(), "utf-8", "the text encoding of labels", determines=True, is_recorded=False
    )
    missing_values: tuple[str, ...] | None = setting(
        Words(),
        None,
        "cells of labels that count as empty, such as NA, None, ?; case does not matter",
        determines=True,
        is_recorded=False,
    )
    split_column: str | None = setting(
        Formed(),
        None,
        "the column of labels with the split of each image: train or val, and test, which counts as val",
        determines=True,
        is_recorded=False,
    )
    group_column: str | None = setting(
        Formed(),
        None,
        "the column of labels with the group of each image, such as an individual, observation or camera; no group is divided between train and val",
        determines=True,
        is_recorded=False,
    )
    name: str = setting(Text(), "own", "the name of the collection in the catalog", determines=True)
    partitions: int = setting(Whole(1, 10_000), 4, "the number of partitions for the images", determines=True)

    def label_table(self) -> LabelTable:
        """Return the table of labels.

        Raises:
            SettingsError: No table is named.
        """
        if self.labels is None:
            raise SettingsError(f"[{self.section}] labels", "empty", "Set it to the table of labels")
        return LabelTable(
            self.labels,
            self.delimiter,
            self.encoding,
            self.missing_values or (),
            section=self.section,
            split_column=self.split_column,
            group_column=self.group_column,
        )


class FolderReader(CollectionReader):
    """Reads a collection of images; only files in its table of labels are used.

    The entire tree or archive is one listing, because the partition of a file depends only on its name.

    Args:
        images: A folder, with or without sub-folders, or an archive.
        labels: The table of labels.
        name: The name of the collection in the catalogs.
        partitions: The number of partitions.
        index: The path of the index that the scan of a ``.tar.gz`` writes.
    """

    def __init__(
        self, images: Path, labels: LabelTable, name: str, partitions: int, index: Path | None = None
    ) -> None:
        super().__init__(images, name, partitions, index)
        self.labels = labels
        self.if_empty = f"Set it to the folder or archive that contains the paths in {labels.name}"

    def classifier(self) -> Callable[[Found], Found]:
        """Return a function that keeps the files in the table."""
        return functools.partial(self._classify, matcher=self._matcher())

    def unlisted(self) -> Iterator[Found]:
        """Yield the files in the table that do not exist, or that are in a folder that cannot be listed."""
        closed: dict[str, str] = {}

        def names() -> Iterator[str]:
            for found in archives.scan(self.images):
                if found.state is State.UNREADABLE and found.member.name.endswith("/"):
                    closed[found.member.name] = found.reason
                yield found.member.name

        for file in Matcher((label.file for label in self.labels), names).missing():
            state, reason = State.MISSING, f"{self.labels.name} lists it, but it is missing"
            if above := next(filter(file.startswith, closed), ""):
                state, reason = State.UNREADABLE, f"{above} {closed[above]}"
            yield Found(
                Member(file, 0),
                self.partition_of(file),
                (self.collection, file),
                state=state,
                reason=reason,
            )

    def _matcher(self) -> Matcher:
        return Matcher((label.file for label in self.labels), functools.partial(_names, self.images))

    def _classify(self, found: Found, matcher: Matcher) -> Found:
        file = found.member.name
        label = None if found.state else matcher.find(file)
        if label is not None:
            note = "" if label == file else f"{_FORM} {label!r}"
            return dataclasses.replace(
                found, partition=self.partition_of(label), key=(self.collection, label), reason=note
            )
        partition = self.partition_of(file)
        if found.state:
            return dataclasses.replace(found, partition=partition)
        reason = f"not in {self.labels.name}"
        return dataclasses.replace(found, partition=partition, state=State.NOT_IN_MAPPING, reason=reason)


def _names(place: Path) -> Iterator[str]:
    return (found.member.name for found in archives.scan(place))


class FolderLabeler(Labeler):
    """Reads the table of labels. Its common names have precedence.

    Its ranks are not changed. In a row without ranks, those of the scientific name are looked up.

    Args:
        table: The table.
    """

    has_fields = True

    def __init__(self, table: LabelTable) -> None:
        self.table = table
        self.has_groups = table.group_column is not None
        self.has_split_hints = self.has_groups or table.split_column is not None

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each image whose row names a rank."""
        labels = {label.file: label for label in self.table}
        for _, file, image in images:
            label = labels[str(file)]
            taxon = Taxon.of(*label.ranks)
            if taxon.is_empty and label.name:
                taxon = lookup.fill(lookup.taxon_of(label.name, label.ranks))
            if not taxon.is_empty:
                rules = frozenset() if label.common else common_names.rules(taxon)
                yield Entry(str(image), taxon, label.common or common_names.of(taxon), rules)

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each image whose row has a name, with the names as written."""
        labels = {label.file: label for label in self.table}
        for _, file, image in images:
            label = labels[str(file)]
            if any(label.ranks) or label.name:
                yield NameRecord(str(image), label.ranks, label.name, common=label.common)

    def split_hints(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[ImageHint]:
        """Yield the split and the group of each image."""
        hints = {label.file: hint for label, hint in self.table.hinted()}
        return (hints[str(file)] for _, file, _ in images)

    def fields(self, columns: Sequence[str]) -> Callable[[Key], Sequence[str]]:
        """Return a function that returns the cells of an image in further columns."""
        rows = self.table.rows(dict.fromkeys(columns, "[texts] templates"))
        cells = {label.file: values for label, values in rows}
        return lambda key: cells[str(key[1])]

    def label(self, key: Key) -> str:
        """Return the path of an image."""
        return str(key[1])

    def labels(self) -> Iterator[str]:
        """Yield the paths in the table."""
        return (label.file for label in self.table)

    def likely_missing(self) -> Counter[tuple[str, str]]:
        """Count the cells of the table that probably mean a missing value."""
        return self.table.likely_missing()


def _suggest(images: Path, files: Sequence[str]) -> Suggestion | None:
    """Return the table in a folder of images, or next to it or an archive, that names the most images."""
    folders, found = [images, images.parent] if images.is_dir() else [images.parent], set(files)
    best: Suggestion | None = None
    for path in itertools.chain.from_iterable(sorted(folder.iterdir()) for folder in folders):
        if path.suffix.lower() not in _TABLE_ENDINGS or not path.is_file():
            continue
        try:
            named = len({label.file for label in LabelTable(path)} & found)
        except TolError:
            continue  # it is another table
        if named > (best.named if best else 0):
            settings = {"images": str(images), "labels": str(path)}
            best = Suggestion(settings, f"{path}: names {named:,} of them", named)
    return best


_KEY = NaturalKey(
    columns=(
        Column("collection", "folder_name", str, repeats=True),
        Column("file", "folder_file", str),
    ),
    spelling="{}/{}",
)


def _licenses(section: FolderSection) -> Iterator[License]:
    """Yield the columns ``license`` and ``owner``, if the table has them."""
    for label in section.label_table():
        if label.license or label.owner:
            yield License(_KEY.spell((section.name, label.file)), "", "", label.license, label.owner)


FOLDER = SourcePlugin(
    name="folder",
    section=FolderSection,
    key=_KEY,
    reader=lambda section, images, index: FolderReader(
        images, section.label_table(), section.name, section.partitions, index
    ),
    labeler=lambda section: FolderLabeler(section.label_table()),
    licenses=_licenses,
    listing_tables=("labels",),
    name_tables=("labels",),
    license_tables=("labels",),
    split_tables=("labels",),
    required_table="labels",
    collection_key="name",
    suggest=_suggest,
)
