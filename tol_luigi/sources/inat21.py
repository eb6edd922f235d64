"""iNat21: 10,000 class folders, whose names contain the seven ranks."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, TaxonomyTable
from tol_luigi.core.remote import ArchivedTable, Base, RemoteFile, SourceDownloads
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place, Whole
from tol_luigi.core.source import Column, Entry, Labeler, NameRecord, NaturalKey
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.sources import archives
from tol_luigi.sources.numbered import NumberedReader
from tol_luigi.sources.tables import inat_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.reader import Found
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["INAT21", "INat21Labeler", "INat21Reader", "INat21Section"]

_CLASS = re.compile(r"0*([0-9]{1,18})_(.+)", re.DOTALL)
_RANKS = len(RANK_LABELS)
_TOP = "train"
_DWCA = "inaturalist-taxonomy.dwca.zip"


@dataclass(frozen=True)
class INat21Section(SourceSection):
    """The training set of the iNat Challenge 2021."""

    section: ClassVar[str] = "inat21"

    images: Path | None = setting(
        Place("either"),
        None,
        "the folder with the class folders, train.tar, train.tar.gz, or a zip archive",
        determines=True,
    )
    taxa: Path | None = setting(
        Place("file"), None, "taxa.csv of the iNaturalist taxonomy, for common names", determines=True
    )
    vernacular_names: Path | None = setting(
        Place("file"), None, "VernacularNames-english.csv of the iNaturalist taxonomy", determines=True
    )
    partitions: int = setting(
        Whole(1, 10_000), 100, "the number of partitions for the classes", determines=True
    )


class INat21Reader(NumberedReader):
    """Reads the class folders, the folder ``train`` above them, or an archive of ``[train/]<class>/<file>``.

    Partition ``n`` contains the classes whose number modulo the number of partitions is ``n``, so each
    partition covers the tree of life.
    """

    no_folders = (
        "contains no class folder (00000_Animalia_… and so on)",
        f"Set it to the folder that contains the class folders, or to the one that contains {_TOP}",
    )

    def root(self) -> Path:
        """Return the folder of the class folders."""
        below = any(
            entry.name == _TOP and archives.is_folder(entry) for entry in archives.entries(self.images)
        )
        return self.images / _TOP if below else self.images

    def numbered(self, entries: Iterable[str]) -> dict[int, str]:
        """Return the class folders by number; of two with the same number, the first by name."""
        classes: dict[int, str] = {}
        for folder in entries:
            number, _, fault = _parsed(folder)
            if not fault:
                classes.setdefault(number, folder)
        return classes

    def slots(self) -> range:
        """Return the numbers of all partitions, from 0."""
        return range(self.count)

    def slot(self, number: int) -> int:
        """Return the number of the partition of a class."""
        return number % self.count

    def slot_name(self, slot: int) -> str:
        """Return the number of a partition in three digits."""
        return f"{slot:03d}"

    def classify(self, found: Found, owners: dict[int, str]) -> Found:
        """Return a file with its class, which is the name of its folder."""
        folders, file = _parts(found.member.name)
        number, name, fault = _parsed(folders[0]) if folders else (0, "", "an image in no class folder")
        partition = self.slot_name(self.slot(number)) if folders and not fault else ""
        if found.state:
            return dataclasses.replace(found, partition=partition)
        if not fault:
            fault = _clash(owners.setdefault(number, folders[0]), folders, number)
        if fault:
            return dataclasses.replace(found, partition=partition, state=State.BAD_NAME, reason=fault)
        return dataclasses.replace(found, partition=partition, key=(file, name, number))


def _parts(path: str) -> tuple[list[str], str]:
    """Return the folders of a path, from the class folder on, and the file."""
    *folders, file = path.split("/")
    return (folders[1:] if folders[:1] == [_TOP] else folders), file


def _clash(owner: str, folders: list[str], number: int) -> str:
    if owner != folders[0]:
        return f"class number {number} is already {owner}"
    return "an image deeper than its class folder" if len(folders) > 1 else ""


def _parsed(folder: str) -> tuple[int, str, str]:
    """Return number and name of a class folder, or its fault."""
    match = _CLASS.fullmatch(folder)
    if not match:
        return 0, "", f"folder {folder!r} has no class number"
    number, name = int(match[1]), match[2]
    if len(name.split("_")) < _RANKS:
        return 0, "", f"class {folder!r} names fewer than {_RANKS} ranks"
    return number, name, ""


class INat21Labeler(Labeler):
    """Reads the ranks from the class names, which are complete and are not upgraded."""

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each class."""
        del lookup
        seen: set[int | str] = set()
        for _, cls_name, cls_num, _ in images:
            if cls_num not in seen:
                seen.add(cls_num)
                taxon = Taxon.of(*_names(str(cls_name)))
                yield Entry(str(cls_num), taxon, common_names.of(taxon), common_names.rules(taxon))

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each class, with the names in the name of its folder."""
        classes = {int(cls_num): str(cls_name) for _, cls_name, cls_num, _ in images}
        for number, cls_name in classes.items():
            yield NameRecord(str(number), tuple(_names(cls_name)))


def _names(cls_name: str) -> list[str]:
    """Return the seven ranks in the name of a class; the names of hybrids have more parts."""
    *higher, species = cls_name.split("_", _RANKS - 1)
    return [*higher, species.replace("_", " ")]


def _add_common_names(section: INat21Section, names: CommonNames) -> None:
    if section.taxa and section.vernacular_names:
        for row in inat_names(section.taxa, section.vernacular_names):
            names.add_as_written(*row)


INAT21 = SourcePlugin(
    name="inat21",
    section=INat21Section,
    key=NaturalKey(
        columns=(
            Column("filename", "inat21_filename", str),
            Column("cls_name", "inat21_cls_name", str, repeats=True),
            Column("cls_num", "inat21_cls_num", int),
        ),
        spelling="{2:05d}_{1}/{0}",  # class folder and file, as published
        name_column="cls_num",
    ),
    reader=lambda section, images, index: INat21Reader(images, section.partitions, index),
    labeler=lambda _: INat21Labeler(),
    add_common_names=_add_common_names,
    common_name_tables=("taxa", "vernacular_names"),
    taxonomies=(TaxonomyTable("inat", "taxa", "inaturalist", "vernacular_names", priority=3),),
    named_by="the name of its class folder",
    precedence=2,
    is_published=True,
    bytes_per_pixel=0.44,
    downloads=SourceDownloads(
        bases={
            "inat_competition": Base(
                "https://ml-inat-competition-datasets.s3.amazonaws.com/2021", "train.tar.gz"
            ),
            "inaturalist": Base("https://www.inaturalist.org/taxa", "inaturalist-taxonomy.dwca.zip"),
        },
        tables=(RemoteFile(_DWCA, "inaturalist", _DWCA),),
        archived_tables=(
            ArchivedTable(_DWCA, "taxa.csv", "taxa"),
            ArchivedTable(_DWCA, "VernacularNames-english.csv", "vernacular_names"),
        ),
        archives=(
            RemoteFile(
                "train.tar.gz",
                "inat_competition",
                "train.tar.gz",
                checksum="md5:e0526d53c7f7b2e3167b2b43bb2690ed",
            ),
        ),
        slurm_time="4:00:00",
        slurm_cores=4,
    ),
)
