"""EOL: archives of about 100,000 images each, named by content and page id or by the published id."""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.plugin import SourcePlugin, TaxonomyTable
from tol_luigi.core.reader import Found, Reader
from tol_luigi.core.remote import Base, RemoteFile, SourceDownloads
from tol_luigi.core.sections import SourceSection, setting
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.source import Column, Entry, Labeler, NameRecord, NaturalKey
from tol_luigi.sources import archives
from tol_luigi.sources.tables import (
    eol_vernaculars,
    hierarchy_pages,
    load_hierarchy,
    media_licenses,
    scraped_pages,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.higher_ranks import HigherRankTable
    from tol_luigi.core.reader import FileContent, Member
    from tol_luigi.core.source import Key, License
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["EOL", "EolLabeler", "EolReader", "EolSection"]

_NAME = re.compile(r"([0-9]+)_([0-9]+)_eol.*", re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ONE_ID = re.compile(r"[0-9]+_.*", re.DOTALL)
_ENDING = ".jpg"
_PREFIX = "eol"
"""The prefix of the ids of pages in a reference taxonomy."""

_MOST_DIGITS = 19
_MOST = (1 << 63) - 1
_LISTED = re.compile(r"([0-9]{1,19})_([0-9]{1,19})_eol")


@dataclass(frozen=True)
class EolSection(SourceSection):
    """Encyclopedia of Life."""

    section: ClassVar[str] = "eol"

    images: Path | None = setting(
        Place("either"),
        None,
        "a folder of archives image_set_NN.tar.gz (or .tar, .zip, or folders), or one of them",
        determines=True,
    )
    taxon_tab: Path | None = setting(
        Place("file"), None, "taxon.tab of the EOL Dynamic Hierarchy", determines=True
    )
    scraped_page_ids: Path | None = setting(
        Place("file"), None, "CSV with names of pages that the hierarchy lacks", determines=True
    )
    vernacular_names: Path | None = setting(
        Place("file"), None, "vernacularnames.csv, for common names", determines=True
    )
    media_manifests: Path | None = setting(
        Place("folder"), None, "folder of media_manifest_<n>.csv, for licenses.csv", determines=True
    )


class EolReader(Reader):
    """Reads the images of the Encyclopedia of Life.

    A member is named ``<content_id>_<page_id>_eol*.jpg``, as on EOL, or ``<id>.jpg``, as in the public copy.
    Folders in front of the name do not matter.

    Args:
        images: A folder of archives (``image_set_01.tar.gz``, … also ``.tar`` and ``.zip``) or of
            sub-folders, each with the images of one archive; each archive or sub-folder is a partition. Or
            one archive, or one folder that contains images without archives.
    """

    def __init__(self, images: Path) -> None:
        self.images = images

    def partitions(self) -> tuple[str, ...]:
        """Return the names of the archives without their endings, and of the sub-folders."""
        return tuple(self._places())

    def scan(self, listing: str) -> Iterator[Found]:
        """Yield the files of one archive or sub-folder."""
        for found in archives.scan(self.place(listing)):
            yield dataclasses.replace(found if found.state else _classified(found), partition=listing)

    def unlisted(self) -> Iterator[Found]:
        """Yield the files next to the archives, and those in hidden folders."""
        used = set(self._places().values())
        if self.images in used:
            return
        for entry in archives.entries(self.images):
            if self.images / entry.name in used:
                continue
            for found in archives.scan(self.images, entry.name):
                yield found if found.state else _bad(found, "an image next to the archives, in none of them")

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read files of one archive or sub-folder."""
        return archives.read(self.place(partition), members)

    def place(self, listing: str) -> Path:
        """Return the archive or sub-folder."""
        place = self._places().get(listing)
        if place is None:
            raise SourceError(
                self.images, f"partition {listing} no longer exists", "Restore it, or scan again"
            )
        return place

    def _places(self) -> dict[str, Path]:
        """Return the archive or folder of each partition."""
        if archives.kind(self.images) != "folder":
            return {archives.strip_ending(self.images.name) or self.images.name: self.images}
        listed = [entry for entry in archives.entries(self.images) if _is_valid_partition(entry.name)]
        packed = [
            entry for entry in listed if archives.strip_ending(entry.name) and not archives.is_folder(entry)
        ]
        if not packed and any(entry.name.endswith(_ENDING) and archives.is_file(entry) for entry in listed):
            return {self.images.resolve().name: self.images}
        places: dict[str, Path] = {}
        for entry in listed:
            if archives.is_folder(entry) or entry in packed:
                self._add(places, entry)
        if not places:
            remedy = "Set it to the folder of the archives (image_set_01.tar.gz and so on), or to one archive"
            raise SourceError(self.images, "contains neither an archive nor an image", remedy)
        return places

    def _add(self, places: dict[str, Path], entry: os.DirEntry[str]) -> None:
        partition = entry.name if archives.is_folder(entry) else archives.strip_ending(entry.name)
        if partition in places:
            what = f"{places[partition].name} and {entry.name} are both partition {partition}"
            raise SourceError(self.images, what, "Keep only one of them")
        places[partition] = self.images / entry.name


def _is_valid_partition(name: str) -> bool:
    """Return whether a name is valid for a partition: not hidden, and valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.startswith(".")


def _classified(found: Found) -> Found:
    """Return an image with the ids in its name."""
    name = found.member.name.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    ids, id_ = _NAME.fullmatch(stem), _UUID.fullmatch(stem)
    if not (ids or id_):
        return _bad(found, _name_fault(stem))
    if dot + ending != _ENDING:
        return _bad(found, f"ending .{ending}, not {_ENDING}")
    if id_:
        return dataclasses.replace(found, id=stem.lower())
    content, page = ids.groups() if ids else ("", "")
    for what, digits in (("content", content), ("page", page)):
        if fault := _number_fault(digits):
            return _bad(found, f"{what} id {fault}")
    return dataclasses.replace(found, key=(int(content), int(page)))


def _bad(found: Found, reason: str) -> Found:
    return dataclasses.replace(found, state=State.BAD_NAME, reason=reason)


def _name_fault(stem: str) -> str:
    if re.match(r"[0-9]+_[0-9]+", stem):
        return "name without _eol after its two ids"
    return "name with one id only" if _ONE_ID.fullmatch(stem) else "name without ids"


def _number_fault(digits: str) -> str:
    # The length is checked first, because Python does not parse numbers of thousands of digits.
    digits = digits.lstrip("0")
    if not digits:
        return "is 0, which is no id"
    return "is beyond 63 bits" if len(digits) > _MOST_DIGITS or int(digits) > _MOST else ""


class EolLabeler(Labeler):
    """Names the images of each page by walking up the hierarchy.

    Args:
        taxon_tab: The Dynamic Hierarchy's ``taxon.tab``; without it, no image has a name.
        scraped_page_ids: Names of pages that the hierarchy lacks.
    """

    def __init__(self, taxon_tab: Path | None, scraped_page_ids: Path | None = None) -> None:
        self.taxon_tab = taxon_tab
        self.scraped_page_ids = scraped_page_ids

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: HigherRankTable, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Yield an entry for each page."""
        if self.taxon_tab is None:
            return
        pages = dict.fromkeys(int(page) for _, page, _ in images)
        hierarchy = load_hierarchy(self.taxon_tab, self.scraped_page_ids, pages)
        for page in pages:
            if (entry := hierarchy.entry(page)) is not None:
                taxon, rules = entry
                upgraded = lookup.fill(taxon)
                rules |= lookup.rules(upgraded) | common_names.rules(upgraded)
                yield Entry(str(page), upgraded, common_names.of(upgraded), rules)
        self.problems = [
            f"{self.taxon_tab}: the parents of page {page} lead in a circle" for page in hierarchy.cycles
        ]

    def records(self, images: Iterable[tuple[int | str, ...]]) -> Iterator[NameRecord]:
        """Yield a record for each page: its id, its names in the hierarchy, or else its scraped name."""
        pages = dict.fromkeys(int(page) for _, page, _ in images)
        scraped = dict(scraped_pages(self.scraped_page_ids)) if self.scraped_page_ids else {}
        hierarchy = load_hierarchy(self.taxon_tab, None, pages) if self.taxon_tab else None
        for page in pages:
            taxon = hierarchy.taxon(page) if hierarchy else None
            if taxon is not None:
                yield NameRecord(str(page), taxon.rendered, identifier=f"{_PREFIX}:{page}")
            elif page in scraped:
                yield NameRecord(str(page), name=scraped[page], identifier=f"{_PREFIX}:{page}")

    def label(self, key: Key) -> str:
        """Return the page of an image."""
        return str(key[1])

    def labels(self) -> Iterator[str]:
        """Yield the pages of the hierarchy, and those with scraped names."""
        pages = hierarchy_pages(self.taxon_tab) if self.taxon_tab else iter(())
        scraped = scraped_pages(self.scraped_page_ids) if self.scraped_page_ids else iter(())
        return map(str, itertools.chain(pages, (page for page, _ in scraped)))


def _from_listed(file: str) -> Key | None:
    """Return content id and page id in a file name of an exclusion list, even if the file was renamed."""
    ids = _LISTED.match(file)
    return (int(ids[1]), int(ids[2])) if ids else None


def _add_common_names(section: EolSection, names: CommonNames) -> None:
    """Add the names that EOL prefers, then the others."""
    if section.vernacular_names:
        for preferred in (True, False):
            for canonical_form, name in eol_vernaculars(section.vernacular_names, preferred=preferred):
                names.add_cleaned(canonical_form, name)


def _licenses(section: EolSection) -> Iterator[License]:
    return media_licenses(section.media_manifests) if section.media_manifests else iter(())


EOL = SourcePlugin(
    name="eol",
    section=EolSection,
    key=NaturalKey(
        columns=(Column("content_id", "eol_content_id", int), Column("page_id", "eol_page_id", int)),
        spelling="{}/{}",
        name_column="page_id",
        from_listed=_from_listed,
    ),
    reader=lambda _section, images, _index: EolReader(images),
    labeler=lambda section: EolLabeler(section.taxon_tab, section.scraped_page_ids),
    licenses=_licenses,
    add_common_names=_add_common_names,
    name_tables=("taxon_tab", "scraped_page_ids"),
    common_name_tables=("vernacular_names",),
    license_tables=("media_manifests",),
    required_table="taxon_tab",
    taxonomies=(TaxonomyTable(_PREFIX, "taxon_tab", "dynamic-hierarchy", "vernacular_names", priority=1),),
    precedence=3,
    is_upgraded=True,
    is_published=True,
    bytes_per_pixel=0.21,
    downloads=SourceDownloads(
        bases={"eol_open_data": Base("https://opendata.eol.org/dataset", "EOL's tables")},
        tables=(
            RemoteFile("taxon.tab", "huggingface", "metadata/taxon.tab", "taxon_tab"),
            RemoteFile(
                "dh21.zip",
                "eol_open_data",
                "0a023d9a-f8c3-4c80-a8d1-1702475cda18/resource/00adb47b-57ed-4f6b-8f66-83bfdb5120e8/download/dh21.zip",
            ),
            RemoteFile(
                "vernacularnames.csv",
                "eol_open_data",
                "d40073b7-1da7-428a-a404-9233f5153147/resource/bf63dc02-a7ff-416e-b252-e77e23c29d5c/download/vernacularnames.csv",
                "vernacular_names",
            ),
        ),
        archives=tuple(
            RemoteFile(name, "huggingface", f"dataset/EOL/{name}")
            for name in (f"image_set_{number:02d}.tar.gz" for number in range(1, 64))
        ),
        slurm_time="18:00:00",
        slurm_cores=4,
    ),
)
