"""BIOSCAN-1M: numbered parts of 10,000 cropped insects each."""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, TaxonomyTable
from tol_luigi.core.remote import Base, RemoteFile, SourceDownloads
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place, Whole
from tol_luigi.core.source import Column, Entry, Labeler, NameRecord, NaturalKey
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources.numbered import NumberedReader
from tol_luigi.sources.tables import BIOSCAN_COLLECTION, bioscan_process_ids, bioscan_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.reader import Found
    from tol_luigi.core.source import Key
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["BIOSCAN", "BioscanLabeler", "BioscanReader", "BioscanSection"]

_PART = re.compile(r"part([1-9][0-9]{0,17})")
_ENDING = ".jpg"


@dataclass(frozen=True)
class BioscanSection(SourceSection):
    """BIOSCAN-1M."""

    section: ClassVar[str] = "bioscan"

    images: Path | None = setting(
        Place("either"),
        None,
        "the folder with the part folders, cropped_256.zip, or a tar archive",
        determines=True,
    )
    metadata: Path | None = setting(
        Place("file"), None, "BIOSCAN_Insect_Dataset_metadata, .jsonld or .tsv", determines=True
    )
    partitions: int = setting(
        Whole(1, 10_000), 113, "the number of partitions for the parts", determines=True
    )


class BioscanReader(NumberedReader):
    """Reads the folders ``part1``, ``part2``, …, or one archive that contains them at any depth.

    With as many partitions as parts, each partition is a part and has its name; with fewer, the parts are
    assigned to the partitions in turn.
    """

    no_folders = (
        "contains no folder part1, part2, …",
        "Set it to the folder that contains part1, part2 and so on, or to one archive",
    )

    def numbered(self, entries: Iterable[str]) -> dict[int, str]:
        """Return the parts by number."""
        found = {int(match[1]): match[0] for match in map(_PART.fullmatch, entries) if match}
        return dict(sorted(found.items()))

    def slots(self) -> range:
        """Return the numbers of all partitions, from 1."""
        return range(1, self.count + 1)

    def slot(self, number: int) -> int:
        """Return the number of the partition of a part."""
        return (number - 1) % self.count + 1

    def slot_name(self, slot: int) -> str:
        """Return the name of the first part of a partition."""
        return f"part{slot}"

    def classify(self, found: Found, owners: dict[int, str]) -> Found:
        """Return a file with its part, which is the innermost part folder in its path."""
        del owners  # each number has one spelling
        *folders, file = found.member.name.split("/")
        parts = [int(match[1]) for folder in folders if (match := _PART.fullmatch(folder))]
        partition = self.slot_name(self.slot(parts[-1])) if parts else ""
        if found.state:
            return dataclasses.replace(found, partition=partition)
        fault = "" if parts else _folder_fault(folders)
        if not fault and not file.endswith(_ENDING):
            fault = f"ending .{file.rpartition('.')[2]}, not {_ENDING}"
        if fault:
            return dataclasses.replace(found, partition=partition, state=State.BAD_NAME, reason=fault)
        return dataclasses.replace(found, partition=partition, key=(parts[-1], file))


def _folder_fault(folders: list[str]) -> str:
    for folder in folders:
        if folder.startswith("part"):
            return f"folder {folder!r} is not part and a number without leading zeros"
    return "an image in no part folder"


_HIGHER = ("Animalia", "Arthropoda", "Insecta")
"""The highest ranks of all images: BIOSCAN-1M is a collection of insects."""


class BioscanLabeler(Labeler):
    """Looks up every image by its file name; all are insects.

    Args:
        metadata: The table of insects; without it, no image has a name.
    """

    shared_collection = BIOSCAN_COLLECTION

    def __init__(self, metadata: Path | None) -> None:
        self.metadata = metadata

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each image in the table."""

        @functools.cache  # a taxon has a hundred images or more
        def named(*ranks: str) -> tuple[Taxon, str, frozenset[NameRule]]:
            taxon = lookup.fill(Taxon.of(*_HIGHER, *ranks))
            return taxon, common_names.of(taxon), lookup.rules(taxon) | common_names.rules(taxon)

        for image, ranks in self._ranks(images):
            yield Entry(image, *named(*ranks))

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each image in the table, with its names as written."""
        for image, ranks in self._ranks(images):
            yield NameRecord(image, (*_HIGHER, *ranks))

    def _ranks(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the id of each image in the table, and its ranks from the order down."""
        rows = {row.image_file: row[1:] for row in bioscan_rows(self.metadata)} if self.metadata else {}
        for _, filename, image in images:
            if (ranks := rows.get(str(filename))) is not None:
                yield str(image), ranks

    def shared_ids(self) -> Callable[[Key], str]:
        """Return a function that returns the process id of an image, which BIOSCAN-5M has, too."""
        known = dict(bioscan_process_ids(self.metadata)) if self.metadata else {}
        return lambda key: known.get(str(key[1]), "")

    def label(self, key: Key) -> str:
        """Return the file name of an image: the table does not contain parts."""
        return str(key[1])

    def labels(self) -> Iterator[str]:
        """Yield the file names in the table."""
        return (row.image_file for row in bioscan_rows(self.metadata)) if self.metadata else iter(())


BIOSCAN = SourcePlugin(
    name="bioscan",
    section=BioscanSection,
    key=NaturalKey(
        columns=(Column("part", "bioscan_part", int), Column("filename", "bioscan_filename", str)),
        spelling="{}/{}",
    ),
    reader=lambda section, images, index: BioscanReader(images, section.partitions, index),
    labeler=lambda section: BioscanLabeler(section.metadata),
    name_tables=("metadata",),
    required_table="metadata",
    taxonomies=(TaxonomyTable("bioscan", "metadata", "bioscan-metadata", priority=4),),
    precedence=1,
    is_upgraded=True,
    is_published=True,
    downloads=SourceDownloads(
        bases={"zenodo": Base("https://zenodo.org/records/8030065/files", "cropped_256.zip")},
        archives=(RemoteFile("cropped_256.zip", "zenodo", "cropped_256.zip"),),
        images_inside="bioscan/images/cropped_256",
        count=1_128_313,
        slurm_time="2:00:00",
    ),
)
