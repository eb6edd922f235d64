"""BIOSCAN-1M: numbered parts of 10,000 cropped insects each."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import Column, Entry, Found, Source
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.tables import bioscan_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.name_rules import NameRule
    from tol_luigi.core.source import FileContent, Member
    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["Bioscan"]

_PART = re.compile(r"part([1-9][0-9]{0,17})")
_ENDING = ".jpg"
_ARCHIVE = "archive"


class Bioscan(Source):
    """The images of BIOSCAN-1M.

    With as many partitions as there are parts, a partition is a part and bears its name; with
    fewer, the parts are dealt to them in turn. A ``.tar.gz`` is read through for each partition.

    Args:
        images: The folder of the folders ``part1``, ``part2``, … or one archive in which they lie,
            at whatever depth.
        partitions: How many partitions there are.
        metadata: The table of the insects; without it no image has a name.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    name: ClassVar[str] = "bioscan"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("part", "bioscan_part", int),
        Column("filename", "bioscan_filename", str),
    )
    spelling: ClassVar[str] = "{}/{}"

    def __init__(
        self, images: Path, partitions: int, metadata: Path | None = None, index: Path | None = None
    ) -> None:
        self.images = images
        self.metadata = metadata
        self.count = partitions
        self.index = index

    def partitions(self) -> tuple[str, ...]:
        """Name the partitions that hold a part; of an archive, which is not opened, all of them."""
        if self._packed():
            return tuple(self._partition(number) for number in range(1, self.count + 1))
        parts = self._parts()
        if not parts:
            remedy = "Name the folder that holds part1, part2 and so on, or one archive"
            raise SourceError(self.images, "holds no folder part1, part2, …", remedy)
        return tuple(f"part{number}" for number in sorted({(part - 1) % self.count + 1 for part in parts}))

    def listings(self) -> tuple[str, ...]:
        """Name the partitions, or the one archive."""
        return (_ARCHIVE,) if self._packed() else self.partitions()

    def place(self, listing: str) -> Path:
        """Return the archive or folder, which is the same for all listings."""
        del listing
        return self.images

    def scan(self, listing: str) -> Iterator[Found]:
        """List the files of one partition's parts, by number, or the whole archive."""
        if self._packed():
            for found in archives.scan(self.images):
                yield self._judged(found)
            if self.index:
                archives.index(self.images, self.index)
            return
        for part in self._parts():
            if self._partition(part) == listing:
                for found in archives.scan(self.images, f"part{part}"):
                    yield self._judged(found)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Look every image up in the table by its file name; all are insects."""

        @functools.cache  # there are a hundred images of a taxon, and more
        def shown(*ranks: str) -> tuple[Taxon, str, frozenset[NameRule]]:
            taxon = lookup.upgrade(Taxon.of("Animalia", "Arthropoda", "Insecta", *ranks))
            return taxon, common_names.of(taxon), lookup.rules(taxon) | common_names.rules(taxon)

        rows = {row.image_file: row[1:] for row in bioscan_rows(self.metadata)} if self.metadata else {}
        for _, filename, image in images:
            if (ranks := rows.get(str(filename))) is not None:
                yield Entry(str(image), *shown(*ranks))

    def strays(self) -> Iterator[Found]:
        """List what lies among the parts, and in folders that are none."""
        if self._packed():
            return
        used = {f"part{part}" for part in self._parts()}
        for entry in archives.entries(self.images):
            if entry.name not in used:
                for found in archives.scan(self.images, entry.name):
                    yield self._judged(found)

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        del partition  # a member's name tells all
        return archives.read(self.images, members, self.index)

    def _packed(self) -> bool:
        return archives.kind(self.images) != "folder"

    def _parts(self) -> list[int]:
        matches = ((_PART.fullmatch(entry.name), entry) for entry in archives.entries(self.images))
        return sorted(int(match[1]) for match, entry in matches if match and archives.is_folder(entry))

    def _partition(self, part: int) -> str:
        return f"part{(part - 1) % self.count + 1}"

    def _judged(self, found: Found) -> Found:
        """Read the part off the folders, the innermost that is one."""
        *folders, file = found.member.name.split("/")
        parts = [int(match[1]) for folder in folders if (match := _PART.fullmatch(folder))]
        partition = self._partition(parts[-1]) if parts else ""
        if found.state:
            return dataclasses.replace(found, partition=partition)
        fault = "" if parts else _lack(folders)
        if not fault and not file.endswith(_ENDING):
            fault = f"ending .{file.rpartition('.')[2]}, not {_ENDING}"
        if fault:
            return dataclasses.replace(found, partition=partition, state=State.BAD_NAME, reason=fault)
        return dataclasses.replace(found, partition=partition, key=(parts[-1], file))


def _lack(folders: list[str]) -> str:
    for folder in folders:
        if folder.startswith("part"):
            return f"folder {folder!r} is not part and a number without leading zeros"
    return "an image in no part folder"
