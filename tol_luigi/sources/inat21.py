"""iNat21: 10,000 class folders, whose names hold the seven ranks."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import Column, Entry, Found, Source
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import FileContent, Member
    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["INat21"]

_CLASS = re.compile(r"0*([0-9]{1,18})_(.+)", re.DOTALL)
_RANKS = len(RANK_LABELS)
_TOP = "train"
_ARCHIVE = "archive"


class INat21(Source):
    """The images of the iNaturalist 2021 competition.

    Partition ``n`` holds the classes whose number leaves ``n`` when divided by the count of
    partitions: known without listing anything, and each partition covers the tree of life.

    An archive is entered where an image lies, so that a partition reads its own images only; the
    scan of a ``.tar.gz`` leaves an index that makes that possible.

    Args:
        images: The folder of the class folders, or the one above it that holds ``train``; or one
            archive with members ``[train/]<class>/<file>``.
        partitions: How many partitions there are.
        index: Where the scan of a ``.tar.gz`` leaves its index.
    """

    name: ClassVar[str] = "inat21"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("filename", "inat21_filename", str),
        Column("cls_name", "inat21_cls_name", str, repeats=True),
        Column("cls_num", "inat21_cls_num", int),
    )

    spelling: ClassVar[str] = "{2:05d}_{1}/{0}"
    """Class folder and file, as they are published."""

    name_key: ClassVar[str] = "cls_num"

    def __init__(self, images: Path, partitions: int, index: Path | None = None) -> None:
        self.images = images
        self.count = partitions
        self.index = index

    def partitions(self) -> tuple[str, ...]:
        """Name the partitions that hold a class; of an archive, which is not opened, all of them."""
        if self._packed():
            return tuple(f"{number:03d}" for number in range(self.count))
        classes = self._classes()
        if not classes:
            remedy = f"Name the folder that holds the class folders, or the one that holds {_TOP}"
            raise SourceError(self.images, "holds no class folder (00000_Animalia_… and so on)", remedy)
        return tuple(f"{number:03d}" for number in sorted({number % self.count for number in classes}))

    def listings(self) -> tuple[str, ...]:
        """Name the partitions, or the one archive."""
        return (_ARCHIVE,) if self._packed() else self.partitions()

    def place(self, listing: str) -> Path:
        """Return the archive, or the folder of the class folders."""
        del listing
        return self.stray_place

    def scan(self, listing: str) -> Iterator[Found]:
        """List the images of one partition's class folders, or the whole archive."""
        if self._packed():
            owners: dict[int, str] = {}
            for found in archives.scan(self.images):
                yield self._judged(found, owners)
            if self.index:
                archives.index(self.images, self.index)
            return
        owners = self._classes()
        for folder in owners.values():
            if self._partition(folder) == listing:
                for found in archives.scan(self._root(), folder):
                    yield self._judged(found, owners)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Read the ranks off the class names, which are complete and are not upgraded."""
        del lookup
        seen: set[int | str] = set()
        for _, cls_name, cls_num, _ in images:
            if cls_num not in seen:
                seen.add(cls_num)
                *higher, species = str(cls_name).split("_", _RANKS - 1)
                taxon = Taxon.of(*[*higher, species.replace("_", " ")])  # a hybrid's name has more parts
                yield Entry(str(cls_num), taxon, common_names.of(taxon), common_names.rules(taxon))

    @property
    def stray_place(self) -> Path:
        """Return the archive, or the folder of the class folders."""
        return self.images if self._packed() else self._root()

    def strays(self) -> Iterator[Found]:
        """List what lies among the class folders, and in folders that are no class or repeat a number."""
        if self._packed():
            return
        owners = self._classes()
        used = set(owners.values())
        for entry in archives.entries(self._root()):
            if entry.name not in used:
                for found in archives.scan(self._root(), entry.name):
                    yield self._judged(found, owners)

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read images of one partition."""
        return archives.read(self.place(partition), members, self.index)

    def _packed(self) -> bool:
        return archives.kind(self.images) != "folder"

    def _root(self) -> Path:
        below = any(
            entry.name == _TOP and archives.is_folder(entry) for entry in archives.entries(self.images)
        )
        return self.images / _TOP if below else self.images

    def _classes(self) -> dict[int, str]:
        """Find the class folders by number; the first by name keeps a number that two have."""
        classes: dict[int, str] = {}
        for entry in archives.entries(self._root()):
            number, _, fault = _parsed(entry.name)
            if not fault and archives.is_folder(entry):
                classes.setdefault(number, entry.name)
        return classes

    def _partition(self, folder: str) -> str:
        number, _, fault = _parsed(folder)
        return "" if fault else f"{number % self.count:03d}"

    def _judged(self, found: Found, owners: dict[int, str]) -> Found:
        """Read the class off the folder; ``owners`` tells, and learns, which folder has which number."""
        folders, file = _parts(found.member.name)
        number, name, fault = _parsed(folders[0]) if folders else (0, "", "an image in no class folder")
        if not fault and found.state is None:
            fault = _clash(owners.setdefault(number, folders[0]), folders, number)
        partition = self._partition(folders[0]) if folders else ""
        if found.state:
            return dataclasses.replace(found, partition=partition)
        if fault:
            return dataclasses.replace(found, partition=partition, state=State.BAD_NAME, reason=fault)
        return dataclasses.replace(found, partition=partition, key=(file, name, number))


def _parts(path: str) -> tuple[list[str], str]:
    """Part a path into the folders, from the class folder on, and the file."""
    *folders, file = path.split("/")
    return (folders[1:] if folders[:1] == [_TOP] else folders), file


def _clash(owner: str, folders: list[str], number: int) -> str:
    if owner != folders[0]:
        return f"class number {number} is already {owner}"
    return "an image deeper than its class folder" if len(folders) > 1 else ""


def _parsed(folder: str) -> tuple[int, str, str]:
    """Read a class folder's number and name, or say what is wrong with it."""
    match = _CLASS.fullmatch(folder)
    if not match:
        return 0, "", f"folder {folder!r} has no class number"
    number, name = int(match[1]), match[2]
    if len(name.split("_")) < _RANKS:
        return 0, "", f"class {folder!r} names fewer than {_RANKS} ranks"
    return number, name, ""
