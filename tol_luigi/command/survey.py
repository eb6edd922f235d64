"""What the sources hold: counted where a listing is there, else looked at for a while and guessed."""

from __future__ import annotations

import os
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi import demonstration
from tol_luigi.core.errors import SourceError
from tol_luigi.report.estimate import SourceStats
from tol_luigi.sources import SOURCES, archives
from tol_luigi.sources.judging import IMAGE_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["stocks"]

_WEIGHED = 3
"""Of so many files of each folder the length is asked for, which a network file system takes its time for."""

_SAME_FOR_ALL = 5
"""So many archives of a source are looked into; the others are taken to be like them."""


class _Look(NamedTuple):
    """Images and their bytes as they lie there, and whether all were counted."""

    images: float
    bytes: float
    is_counted: bool


def stocks(given: Settings, seconds: float) -> list[SourceStats]:
    """Tell what each source holds.

    Args:
        given: The settings.
        seconds: For how long to look where nothing is listed. The clock is looked at after each file of an archive and
            after each folder, so a file system that does not answer at all can hold it up.
    """
    return [_stock(given, name, seconds / len(given.used)) for name in given.used]


def _stock(given: Settings, name: str, seconds: float) -> SourceStats:
    place = given.sources[name].reader.images
    look = _listed(given, name)
    if look is None and given.is_demonstration and not place.exists():
        look = _Look(*demonstration.ESTIMATES[name], is_counted=False)
    is_archive = place.exists() and bool(_packed(place) or archives.kind(place) != "folder")
    if look is None:
        look = _guessed(place, time.monotonic() + seconds)
    return SourceStats(
        name=name,
        place=str(place),
        images=round(look.images),
        bytes=round(look.bytes),
        is_archive=is_archive,
        is_counted=look.is_counted,
        partitions=len(given.partitions(name)),
        megapixels=_megapixels(given, name),
        bytes_per_pixel=SOURCES[name].bytes_per_pixel,
    )


def _listed(given: Settings, name: str) -> _Look | None:
    """Count by the listings, if all are there."""
    images = size = 0
    for listing in given.listings(name):
        path = given.layout.listing(name, listing)
        if not path.exists():
            return None
        rows = pq.read_table(path, columns=["state", "size"])
        used = rows.filter(pc.equal(rows["state"], ""))
        images += used.num_rows
        size += pc.sum(used["size"]).as_py() or 0
    return _Look(images, size, is_counted=True)


def _megapixels(given: Settings, name: str) -> float | None:
    """Give the mean size of the pictures by the ledgers of finished partitions; a few of them tell enough."""
    layout = given.layout
    paths = (layout.ledger("train", name, partition) for partition in given.partitions(name))
    pixels = count = 0
    for path in islice((path for path in paths if path.exists()), _SAME_FOR_ALL):
        rows = pq.read_table(path, columns=["width", "height"])
        sizes = pc.multiply(pc.cast(rows["width"], "int64"), rows["height"])
        pixels += pc.sum(sizes).as_py() or 0
        count += len(sizes) - sizes.null_count
    return pixels / count / 1e6 if count else None


def _guessed(place: Path, until: float) -> _Look:
    """Look at archives and folders until the time is over, and guess the rest."""
    if archives.kind(place) != "folder":
        return _archive(place, until)
    packed = _packed(place)
    folders = _folders(place, until)
    looked, sizes = [], [path.stat().st_size for path in packed]
    for index, path in enumerate(packed[:_SAME_FOR_ALL]):
        now = time.monotonic()
        looked.append(_archive(path, now + max(0.0, until - now) / (min(len(packed), _SAME_FOR_ALL) - index)))
    seen = sum(sizes[: len(looked)])
    images = sum(look.images for look in looked) * (sum(sizes) / seen if seen else 0)
    is_counted = len(looked) == len(packed) and all(look.is_counted for look in looked)
    return _Look(images + folders.images, sum(sizes) + folders.bytes, is_counted and folders.is_counted)


def _packed(place: Path) -> list[Path]:
    """List the archives in a folder."""
    if archives.kind(place) != "folder":
        return []
    return [Path(entry.path) for entry in archives.entries(place) if archives.unended(entry.name)]


def _archive(path: Path, until: float) -> _Look:
    """Look into an archive from its begin; what was seen of it stands for the rest."""
    size, images, seen, is_over = path.stat().st_size, 0, 0, True
    try:
        for found in archives.scan(path):
            images += found.state is None
            seen += found.member.size
            if time.monotonic() > until:
                is_over = False
                break
    except SourceError:  # the build will say so
        is_over = False
    if not is_over and seen:
        return _Look(images * max(1.0, size / seen), size, is_counted=False)
    return _Look(images, size, is_counted=is_over)


def _folders(place: Path, until: float) -> _Look:
    """Count the images below a folder by their names, folder by folder; the others are taken to be like those."""
    top = [entry for entry in archives.entries(place) if entry.is_dir()]
    if len(top) == 1:
        top = [entry for entry in archives.entries(top[0].path) if entry.is_dir()] or top
    tally = _Tally()
    tally.add(place, [entry.name for entry in archives.entries(place) if not entry.is_dir()])
    done = 0
    for entry in _spread(top):
        for folder, _, names in os.walk(entry.path):
            tally.add(Path(folder), names)
        done += 1
        if time.monotonic() > until:
            break
    part = done / len(top) if top else 1.0
    return _Look(tally.images / part, tally.bytes / part, is_counted=done == len(top))


def _spread(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    """Give entries so that the first of them come from all over the list: neighbours may be alike."""
    step = max(1, round(len(entries) ** 0.5))
    for first in range(step):
        yield from entries[first::step]


class _Tally:
    """Counts images, and guesses their bytes from some of them."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    @property
    def images(self) -> int:
        return self.counts["images"]

    @property
    def bytes(self) -> float:
        return self.counts["weighed bytes"] / max(1, self.counts["weighed"]) * self.images

    def add(self, folder: Path, names: list[str]) -> None:
        """Count the images among the files of a folder."""
        images = [name for name in names if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS]  # noqa: PTH122
        self.counts["images"] += len(images)
        for name in images[:: max(1, len(images) // _WEIGHED)][:_WEIGHED]:
            self.counts["weighed"] += 1
            self.counts["weighed bytes"] += (folder / name).lstat().st_size
