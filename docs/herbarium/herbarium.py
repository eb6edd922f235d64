"""Herbarium sheets: <number>.jpg, named by a table with the columns number, species and owner."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin
from tol_luigi.core.reader import FileContent, Found, Member, Reader
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.source import Column, Entry, Labeler, License, NaturalKey
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import archives


@dataclass(frozen=True)
class HerbariumSection(SourceSection):
    """Herbarium sheets."""

    section: ClassVar[str] = "herbarium"

    images: Path | None = setting(
        Place("either"), None, "a folder or archive of <number>.jpg", determines=True
    )
    sheets: Path | None = setting(Place("file"), None, "CSV: number, species, owner", determines=True)


class HerbariumReader(Reader):
    """Reads a folder or an archive in one partition."""

    def __init__(self, images: Path) -> None:
        self.images = images

    def partitions(self) -> tuple[str, ...]:
        return ("all",)

    def place(self, listing: str) -> Path:
        return self.images

    def scan(self, listing: str) -> Iterator[Found]:
        for found in archives.scan(self.images):
            number = Path(found.member.name).stem
            if found.state:  # a reason to leave the file out, found in its name or size
                yield replace(found, partition="all")
            elif number.isdecimal():
                yield replace(found, partition="all", key=(int(number),))
            else:
                yield replace(found, partition="all", state=State.BAD_NAME, reason="its name is not a number")

    def unlisted(self) -> Iterator[Found]:
        return iter(())

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        return archives.read(self.images, members)


class HerbariumLabeler(Labeler):
    """Names each sheet by its row."""

    def __init__(self, sheets: Path | None) -> None:
        self.sheets = sheets

    def taxon(self, species: str) -> Taxon:
        return Taxon.of("Plantae", species=species)

    def entries(self, images: Iterable[tuple[Any, ...]], lookup: Any, common_names: Any) -> Iterator[Entry]:
        species = {int(row["number"]): row["species"] for row in rows(self.sheets)}
        for number, _ in images:
            if number in species:
                taxon = lookup.fill(self.taxon(species[number]))
                yield Entry(str(number), taxon, common_names.of(taxon))

    def labels(self) -> Iterator[str]:
        """What the table names, for tol plan and messages."""
        return (row["number"] for row in rows(self.sheets))


def rows(table: Path | None) -> Iterator[dict[str, str]]:
    if table is not None:
        with table.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def licenses(given: HerbariumSection) -> Iterator[License]:
    for row in rows(given.sheets):
        yield License(row["number"], "", "", "cc-0-1.0", row["owner"])


HERBARIUM = SourcePlugin(
    name="herbarium",
    section=HerbariumSection,
    key=NaturalKey(columns=(Column("number", "herbarium_number", int),), spelling="{}", name_column="number"),
    reader=lambda given, images, index: HerbariumReader(images),
    labeler=lambda given: HerbariumLabeler(given.sheets),
    licenses=licenses,
    name_tables=("sheets",),
    license_tables=("sheets",),
    required_table="sheets",
    is_upgraded=True,
)
