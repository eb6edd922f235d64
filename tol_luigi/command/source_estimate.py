"""The images and bytes of the sources: counted if a listing exists, else estimated from a sample."""

from __future__ import annotations

import itertools
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi import demonstration
from tol_luigi.core.errors import TolError
from tol_luigi.core.ledger import State
from tol_luigi.report.estimate import SourceStats, resized_bytes
from tol_luigi.report.extrapolation import Part, extrapolate
from tol_luigi.sources import archives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.tasks.settings import Settings

__all__ = ["source_stats"]

_SAMPLED_FILES = 5
"""The number of archives and ledgers of a source that are read if not all can be."""

_GRACE_SECONDS = 1.0
"""How long entries of folders are read at least, so that there is something to extrapolate from."""

_FETCHED_BYTES, _FETCHED_ERROR = 500_000, 1.0
"""The size of an image on a server, a guess: a listing does not contain it."""

_LISTED = {None, State.NOT_IN_MAPPING, State.BAD_NAME, State.NOT_SELECTED, State.EXCLUDED_IMAGE}
"""The states of files that can be images, before a source compares their names with its tables and selection."""


class _Estimate(NamedTuple):
    """The images of a source and their stored bytes.

    Attributes:
        images: The number of images.
        bytes: Their bytes, as stored.
        at_least: The number of images that were counted.
        error: The likely relative error, 0 if every file was counted, None if it is unknown.
        share: The share of images among the files that can be images.
    """

    images: float
    bytes: float
    at_least: int
    error: float | None = None
    share: float = 1.0


def source_stats(settings: Settings, seconds: float) -> list[SourceStats]:
    """Return the number of images and bytes of each source.

    Args:
        settings: The settings.
        seconds: The time limit for sources without listings. It is checked after each file, so a file system
            that does not respond can delay the result.
    """
    return [_stats_of(settings, name, seconds / len(settings.used)) for name in settings.used]


def _stats_of(settings: Settings, name: str, seconds: float) -> SourceStats:
    place, start = settings.sources[name].reader.images, time.monotonic()
    estimate = _from_listings(settings, name)
    is_listed = estimate is None and (estimate := _expected(settings, name)) is not None
    if estimate is None and settings.is_demonstration and not place.exists():
        images, size = demonstration.ESTIMATES[name]
        estimate = _Estimate(images, size, 0, demonstration.ESTIMATE_ERROR)
    is_archive = place.exists() and bool(_archives_in(place) or archives.kind(place) != "folder")
    if estimate is None:
        estimate = _count(settings, name, seconds / 2)
        if estimate.error is None:
            estimate = _from_files(place, estimate, max(start + seconds, time.monotonic() + seconds / 2))
    return SourceStats(
        name=name,
        place=str(place),
        images=round(estimate.images),
        bytes=round(estimate.bytes),
        is_archive=is_archive,
        is_counted=estimate.error == 0,
        partitions=len(settings.partitions(name)),
        megapixels=_megapixels(settings, name),
        bytes_per_pixel=settings.plugins[name].bytes_per_pixel,
        at_least=estimate.at_least,
        error=estimate.error,
        is_listed=is_listed,
        left_bytes=max(0, round(estimate.bytes) - _present(place)) if is_listed else 0,
    )


def _from_listings(settings: Settings, name: str) -> _Estimate | None:
    """Count the images in the listings; return None unless all listings exist."""
    images = size = 0
    for listing in settings.listings(name):
        path = settings.layout.listing(name, listing)
        rows = _rows(path, "state", "size")
        if rows is None:
            return None
        used = rows.filter(pc.equal(rows["state"], ""))
        images += used.num_rows
        size += pc.sum(used["size"]).as_py() or 0
    return _Estimate(images, size, images, 0)


def _expected(settings: Settings, name: str) -> _Estimate | None:
    """Return the images that are still to be fetched; None if the source has its files."""
    images = settings.sources[name].reader.expected_images()
    if images is None:
        return None
    size, fetch = _FETCHED_BYTES, settings.fetch
    if fetch.store == "resized":
        size = min(size, round(resized_bytes(fetch.resized_size, fetch.resized_quality)))
    return _Estimate(images, images * size, images, _FETCHED_ERROR)


def _present(folder: Path) -> int:
    """Return the bytes of the images in a folder, with those of partitions that are still being fetched."""
    paths = itertools.chain(folder.glob("*.tar"), folder.glob(".*.parts"))
    return sum(path.stat().st_size for path in paths)


def _rows(path: Path, *columns: str) -> pa.Table | None:
    """Return columns of a table of the dataset; None if it is missing or damaged, as the next build makes it again."""
    try:
        return pq.read_table(path, columns=list(columns))
    except (OSError, ValueError):  # Arrow's errors are of these types
        return None


def _count(settings: Settings, name: str, seconds: float) -> _Estimate:
    """Read the files of a source as the build does, up to the time limit or an error, which the build reports.

    The time starts with the first file: before, a source reads the tables that select its images.
    """
    images = size = listed = 0
    deadline = 0.0
    reader, error = settings.sources[name].reader, None
    try:
        for found in itertools.chain.from_iterable(map(reader.scan, settings.listings(name))):
            deadline = deadline or time.monotonic() + seconds
            listed += found.state in _LISTED
            if found.state is None:
                images += 1
                size += found.member.size
            if time.monotonic() > deadline:
                break
        else:
            error = 0
    except TolError:
        pass
    return _Estimate(images, size, images, error, images / listed if images else 1)


def _megapixels(settings: Settings, name: str) -> float | None:
    """Return the mean size of the images in the ledgers of some partitions, None if no ledger exists."""
    layout = settings.layout
    paths = (layout.ledger("train", name, partition) for partition in settings.partitions(name))
    pixels = count = 0
    for path in islice((path for path in paths if path.exists()), _SAMPLED_FILES):
        rows = _rows(path, "width", "height")
        if rows is None:
            continue
        sizes = pc.multiply(pc.cast(rows["width"], "int64"), rows["height"])
        pixels += pc.sum(sizes).as_py() or 0
        count += len(sizes) - sizes.null_count
    return pixels / count / 1e6 if count else None


def _archives_in(place: Path) -> list[Path]:
    """Return the archives in a folder, none if it is not a folder."""
    if archives.kind(place) != "folder":
        return []
    found = archives.entries(place)
    return [
        Path(entry.path) for entry in found if archives.strip_ending(entry.name) and _leads_to(entry.stat)
    ]


class _Unit(NamedTuple):
    """A part of a source: an archive with its size as weight, or an entry of a folder with the weight 1."""

    place: Path
    below: str
    weight: int


def _from_files(place: Path, counted: _Estimate, deadline: float) -> _Estimate:
    """Read some of the archives, or some of the entries of folders, and extrapolate to the others.

    Args:
        place: The archive or folder of the source.
        counted: What was counted in the time before.
        deadline: The time limit.
    """
    paths = [place] if archives.kind(place) != "folder" else _archives_in(place)
    if paths:
        units = [_Unit(path, "", path.stat().st_size) for path in paths]
        chosen = list(islice(_spread(units), _SAMPLED_FILES))
    else:
        units = _entries(place)
        chosen = list(_spread(units))
        deadline = max(deadline, time.monotonic() + _GRACE_SECONDS)
    reads = []
    for index, unit in enumerate(chosen):
        now = time.monotonic()
        if not paths and now > deadline:
            break
        part = (deadline - now) / (len(chosen) - index) if paths else deadline - now
        if read := _read(unit, now + part, is_divisible=bool(paths)):
            reads.append(read)
    images, size, error = extrapolate(reads, sum(unit.weight for unit in units))
    if images * counted.share < counted.at_least:
        return counted
    seen = sum(each.images for each in reads) if counted.share == 1 else 0
    return _Estimate(images * counted.share, size * counted.share, max(counted.at_least, seen), error)


def _entries(place: Path) -> list[_Unit]:
    """Return the files and folders in a folder; those in the only folder in it, and so on, if there is one only."""
    below = ""
    while True:
        found = archives.entries(place / below)
        folders = [entry for entry in found if _leads_to(entry.is_dir)]
        if len(folders) != 1 or len(found) != 1:
            return [_Unit(place, f"{below}{entry.name}", 1) for entry in found]
        below += f"{folders[0].name}/"


def _leads_to(ask: Callable[[], object]) -> bool:
    """Return the answer to a question about an entry; no if it is a link that cannot be reached."""
    try:
        return bool(ask())
    except OSError:
        return False


def _read(unit: _Unit, deadline: float, *, is_divisible: bool) -> Part | None:
    """Read a unit up to the time limit; None if that is too short, and a part of the unit says nothing of it."""
    images = size = passed = 0
    try:
        for found in archives.scan(unit.place, unit.below):
            passed += found.member.size
            if found.state is None:
                images += 1
                size += found.member.size
            if time.monotonic() > deadline:
                return Part(min(passed, unit.weight), images, size) if is_divisible else None
    except TolError:
        return None
    return Part(unit.weight, images, size)


def _spread(units: list[_Unit]) -> Iterator[_Unit]:
    """Yield the units so that the first ones come from all over the list: neighbours may be similar."""
    step = max(1, round(len(units) ** 0.5))
    for first in range(step):
        yield from units[first::step]
