"""EOL: archives of about 100,000 images each, named by content and page or by the published id."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.core.source import Column, Entry, Found, Source
from tol_luigi.sources import archives
from tol_luigi.sources.tables import load_hierarchy, media_licenses

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.exclusions import Exclusions
    from tol_luigi.core.source import FileContent, Key, License, Member
    from tol_luigi.core.upgrade import Lookup
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["Eol"]

_NAME = re.compile(r"([0-9]+)_([0-9]+)_eol.*", re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ONE_ID = re.compile(r"[0-9]+_.*", re.DOTALL)
_ENDING = ".jpg"
_MOST_DIGITS = 19
_MOST = (1 << 63) - 1


class Eol(Source):
    """The images of the Encyclopedia of Life.

    A member is named ``<content_id>_<page_id>_eol*.jpg``, as fetched from EOL, or ``<id>.jpg``, as
    in the public copy. Folders in front of the name do not matter.

    Args:
        images: A folder of archives (``image_set_01.tar.gz``, … also ``.tar`` and ``.zip``) or of
            sub-folders with the images of one archive each, every one a partition; or one archive;
            or one folder in which images lie, loose.
        taxon_tab: The Dynamic Hierarchy's ``taxon.tab``; without it no image has a name.
        scraped_page_ids: Names of pages that the hierarchy lacks.
        media_manifests: The folder of the media manifests, which tell licences.
    """

    name: ClassVar[str] = "eol"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("content_id", "eol_content_id", int),
        Column("page_id", "eol_page_id", int),
    )

    spelling: ClassVar[str] = "{}/{}"
    name_key: ClassVar[str] = "page_id"

    def __init__(
        self,
        images: Path,
        taxon_tab: Path | None = None,
        scraped_page_ids: Path | None = None,
        media_manifests: Path | None = None,
    ) -> None:
        self.images = images
        self.taxon_tab = taxon_tab
        self.scraped_page_ids = scraped_page_ids
        self.media_manifests = media_manifests

    def partitions(self) -> tuple[str, ...]:
        """Name the archives, without their endings, and the sub-folders."""
        return tuple(self._places())

    def scan(self, listing: str) -> Iterator[Found]:
        """List the files of one archive or sub-folder."""
        for found in archives.scan(self.place(listing)):
            yield dataclasses.replace(found if found.state else _judged(found), partition=listing)

    def strays(self) -> Iterator[Found]:
        """List the files beside the archives, and those in hidden folders."""
        used = set(self._places().values())
        if self.images in used:
            return
        for entry in archives.entries(self.images):
            if self.images / entry.name in used:
                continue
            for found in archives.scan(self.images, entry.name):
                yield found if found.state else _bad(found, "an image beside the archives, in none of them")

    def read(self, partition: str, members: Sequence[Member]) -> Iterator[tuple[int, FileContent]]:
        """Read files of one archive or sub-folder."""
        return archives.read(self.place(partition), members)

    def listed(self, exclusions: Exclusions, keys: Sequence[Key]) -> set[Key]:
        """Find the images that a list names by content and page, whatever their files are called."""
        return exclusions.match_images(keys)

    def entries(
        self, images: Iterable[tuple[int | str, ...]], lookup: Lookup, common_names: CommonNames
    ) -> Iterator[Entry]:
        """Walk up the hierarchy from each page."""
        if self.taxon_tab is None:
            return
        pages = dict.fromkeys(int(page) for _, page, _ in images)
        hierarchy = load_hierarchy(self.taxon_tab, self.scraped_page_ids, pages)
        for page in pages:
            if (entry := hierarchy.entry(page)) is not None:
                taxon, rules = entry
                upgraded = lookup.upgrade(taxon)
                rules |= lookup.rules(upgraded) | common_names.rules(upgraded)
                yield Entry(str(page), upgraded, common_names.of(upgraded), rules)
        self.problems = [
            f"{self.taxon_tab}: the parents of page {page} lead in a circle" for page in hierarchy.cycles
        ]

    def licenses(self) -> Iterator[License]:
        """Read the media manifests."""
        return media_licenses(self.media_manifests) if self.media_manifests else iter(())

    def place(self, listing: str) -> Path:
        """Return the archive or sub-folder."""
        place = self._places().get(listing)
        if place is None:
            raise SourceError(
                self.images, f"partition {listing} is no longer there", "Put it back, or scan again"
            )
        return place

    def _places(self) -> dict[str, Path]:
        """Find the archive or folder of each partition."""
        if archives.kind(self.images) != "folder":
            return {archives.unended(self.images.name): self.images}
        listed = [entry for entry in archives.entries(self.images) if _plain(entry.name)]
        packed = [entry for entry in listed if archives.unended(entry.name) and not archives.is_folder(entry)]
        if not packed and any(entry.name.endswith(_ENDING) and archives.is_file(entry) for entry in listed):
            return {self.images.resolve().name: self.images}
        places: dict[str, Path] = {}
        for entry in listed:
            if archives.is_folder(entry) or entry in packed:
                self._add(places, entry)
        if not places:
            remedy = "Name the folder that holds the archives (image_set_01.tar.gz and so on), or one archive"
            raise SourceError(self.images, "holds neither an archive nor an image", remedy)
        return places

    def _add(self, places: dict[str, Path], entry: os.DirEntry[str]) -> None:
        partition = entry.name if archives.is_folder(entry) else archives.unended(entry.name)
        if partition in places:
            what = f"{places[partition].name} and {entry.name} are both partition {partition}"
            raise SourceError(self.images, what, "Keep one of them there")
        places[partition] = self.images / entry.name


def _plain(name: str) -> bool:
    """Tell whether a partition may be called so: neither hidden nor unspeakable."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.startswith(".")


def _judged(found: Found) -> Found:
    """Read the ids off an image's name."""
    name = found.member.name.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    ids, id_ = _NAME.fullmatch(stem), _UUID.fullmatch(stem)
    if not (ids or id_):
        return _bad(found, _lack(stem))
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


def _lack(stem: str) -> str:
    if re.match(r"[0-9]+_[0-9]+", stem):
        return "name without _eol behind its two ids"
    return "name with one id only" if _ONE_ID.fullmatch(stem) else "name without ids"


def _number_fault(digits: str) -> str:
    # the length first: Python refuses to read numbers of thousands of digits
    digits = digits.lstrip("0")
    if not digits:
        return "is 0, which is no id"
    return "is beyond 63 bits" if len(digits) > _MOST_DIGITS or int(digits) > _MOST else ""
