"""The images and bytes of the sources: counted if a listing exists, else estimated from a sample."""

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
from tol_luigi.sources import archives
from tol_luigi.sources.member_filter import IMAGE_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["source_stats"]

_SIZES_PER_FOLDER = 3
"""The number of files per folder whose size is read, which is slow on network file systems."""

_SAMPLED_FILES = 5
"""The number of archives and ledgers of a source that are read; the others are assumed to be similar."""


class _Estimate(NamedTuple):
    """The number of images, their stored bytes, and whether all images were counted."""

    images: float
    bytes: float
    is_counted: bool


def source_stats(settings: Settings, seconds: float) -> list[SourceStats]:
    """Return the number of images and bytes of each source.

    Args:
        settings: The settings.
        seconds: The time limit for sources without listings. It is checked after each file of an archive and
            after each folder, so a file system that does not respond can delay the result.
    """
    return [_stats_of(settings, name, seconds / len(settings.used)) for name in settings.used]


def _stats_of(settings: Settings, name: str, seconds: float) -> SourceStats:
    place = settings.sources[name].reader.images
    estimate = _from_listings(settings, name)
    if estimate is None and settings.is_demonstration and not place.exists():
        estimate = _Estimate(*demonstration.ESTIMATES[name], is_counted=False)
    is_archive = place.exists() and bool(_archives_in(place) or archives.kind(place) != "folder")
    if estimate is None:
        estimate = _from_files(place, time.monotonic() + seconds)
    return SourceStats(
        name=name,
        place=str(place),
        images=round(estimate.images),
        bytes=round(estimate.bytes),
        is_archive=is_archive,
        is_counted=estimate.is_counted,
        partitions=len(settings.partitions(name)),
        megapixels=_megapixels(settings, name),
        bytes_per_pixel=settings.plugins[name].bytes_per_pixel,
    )


def _from_listings(settings: Settings, name: str) -> _Estimate | None:
    """Count the images in the listings; return None unless all listings exist."""
    images = size = 0
    for listing in settings.listings(name):
        path = settings.layout.listing(name, listing)
        if not path.exists():
            return None
        rows = pq.read_table(path, columns=["state", "size"])
        used = rows.filter(pc.equal(rows["state"], ""))
        images += used.num_rows
        size += pc.sum(used["size"]).as_py() or 0
    return _Estimate(images, size, is_counted=True)


def _megapixels(settings: Settings, name: str) -> float | None:
    """Return the mean size of the images in the ledgers of some partitions, None if no ledger exists."""
    layout = settings.layout
    paths = (layout.ledger("train", name, partition) for partition in settings.partitions(name))
    pixels = count = 0
    for path in islice((path for path in paths if path.exists()), _SAMPLED_FILES):
        rows = pq.read_table(path, columns=["width", "height"])
        sizes = pc.multiply(pc.cast(rows["width"], "int64"), rows["height"])
        pixels += pc.sum(sizes).as_py() or 0
        count += len(sizes) - sizes.null_count
    return pixels / count / 1e6 if count else None


def _from_files(place: Path, deadline: float) -> _Estimate:
    """Read archives and folders up to the time limit, and estimate the rest."""
    if archives.kind(place) != "folder":
        return _archive(place, deadline)
    paths = _archives_in(place)
    folders = _folders(place, deadline)
    read, sizes = [], [path.stat().st_size for path in paths]
    sampled = paths[:_SAMPLED_FILES]
    for index, path in enumerate(sampled):
        now = time.monotonic()
        read.append(_archive(path, now + max(0.0, deadline - now) / (len(sampled) - index)))
    read_bytes = sum(sizes[: len(read)])
    images = sum(each.images for each in read) * (sum(sizes) / read_bytes if read_bytes else 0)
    is_counted = len(read) == len(paths) and all(each.is_counted for each in read)
    return _Estimate(images + folders.images, sum(sizes) + folders.bytes, is_counted and folders.is_counted)


def _archives_in(place: Path) -> list[Path]:
    """Return the archives in a folder, none if it is not a folder."""
    if archives.kind(place) != "folder":
        return []
    return [Path(entry.path) for entry in archives.entries(place) if archives.strip_ending(entry.name)]


def _archive(path: Path, deadline: float) -> _Estimate:
    """Read an archive from its start up to the time limit, and extrapolate to the rest."""
    size, images, read_bytes, is_counted = path.stat().st_size, 0, 0, True
    try:
        for found in archives.scan(path):
            images += found.state is None
            read_bytes += found.member.size
            if time.monotonic() > deadline:
                is_counted = False
                break
    except SourceError:  # the build reports it
        is_counted = False
    if not is_counted and read_bytes:
        return _Estimate(images * max(1.0, size / read_bytes), size, is_counted=False)
    return _Estimate(images, size, is_counted=is_counted)


def _folders(place: Path, deadline: float) -> _Estimate:
    """Count the image files, folder by folder, up to the time limit, and extrapolate to the rest."""
    top = [entry for entry in archives.entries(place) if archives.is_folder(entry)]
    if len(top) == 1:
        top = [entry for entry in archives.entries(top[0].path) if archives.is_folder(entry)] or top
    tally = _Tally()
    tally.add(place, [entry.name for entry in archives.entries(place) if not archives.is_folder(entry)])
    done = 0
    for entry in _spread(top):
        for folder, _, names in os.walk(entry.path):
            tally.add(Path(folder), names)
        done += 1
        if time.monotonic() > deadline:
            break
    fraction = done / len(top) if top else 1.0
    return _Estimate(tally.images / fraction, tally.bytes / fraction, is_counted=done == len(top))


def _spread(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries so that the first ones come from all over the list: neighbours may be similar."""
    step = max(1, round(len(entries) ** 0.5))
    for first in range(step):
        yield from entries[first::step]


class _Tally:
    """Counts images, and estimates their bytes from some of them."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    @property
    def images(self) -> int:
        return self.counts["images"]

    @property
    def bytes(self) -> float:
        return self.counts["sampled bytes"] / max(1, self.counts["sampled"]) * self.images

    def add(self, folder: Path, names: list[str]) -> None:
        """Count the images among the files of a folder."""
        images = [name for name in names if os.path.splitext(name)[1].lower() in IMAGE_ENDINGS]  # noqa: PTH122
        self.counts["images"] += len(images)
        for name in images[:: max(1, len(images) // _SIZES_PER_FOLDER)][:_SIZES_PER_FOLDER]:
            self.counts["sampled"] += 1
            self.counts["sampled bytes"] += (folder / name).lstat().st_size
