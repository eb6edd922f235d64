"""Estimate the cost of a build from the contents of its sources and from measured rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.report.text import human_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "BuildEstimate",
    "Cost",
    "DiskSpace",
    "OutputSettings",
    "RemainingWork",
    "SourceStats",
    "StagePlan",
    "estimate_cost",
    "full_estimate",
    "resized_bytes",
]

# Measured on one core of an AMD EPYC virtual machine; docs/commands.md describes how.

_MS_PER_IMAGE, _MS_PER_MEGAPIXEL = 1.2, 3.9
"""Milliseconds to read, decode, resize, encode, pack and check an image, and in addition per megapixel."""

_PILLOW_MS_PER_IMAGE, _PILLOW_MS_PER_MEGAPIXEL = 1.7, 8.6
"""The same if Pillow resizes, which no faster compiled code does on this machine."""

_SHRUNK_MS_PER_MEGAPIXEL, _PILLOW_SHRUNK_MS_PER_MEGAPIXEL = 2.4, 3.4
"""Milliseconds per megapixel of images that the JPEG decoder shrinks, with ``resize = scaled``; the same if Pillow resizes."""

_SHRUNK_MEGAPIXELS = 2.0
"""The minimum megapixels for these rates: 6 times 224 x 224 pixels, with a margin for other shapes."""

_FURTHER_MS = 1.0
"""Milliseconds to resize and encode an image of a further size, per 224 x 224 pixels of it."""

_COPY_MS = 0.4
"""Milliseconds to copy a sample into train_small and to check it."""

_SCANNED_BYTES_PER_SECOND = 450e6
"""Bytes of an archive scanned per second."""

_HASHED_BYTES_PER_SECOND = 1700e6
"""Bytes hashed per second, in addition to the time to read them."""

_LISTING_MS = 0.03
"""Milliseconds to list a file in a folder on a local disk. Network file systems differ."""

_TABLES_MS = 0.1
"""Milliseconds per image in the stages that process all images: mapping, splits, names, catalogs."""

_IMAGE_BYTES = {
    "jpeg": ((75, 10_500), (90, 17_300), (95, 24_300), (100, 45_300)),
    "webp": ((75, 7_900), (90, 14_700), (95, 19_800), (100, 26_100)),
}
"""The mean size in bytes of an image of 224 x 224 pixels by format, as (quality, bytes)."""

_LOSSLESS_BYTES = 59_400
"""The same without loss, as WebP."""

_WEBP_MS, _LOSSLESS_MS = 7.5, 55.0
"""Milliseconds to encode an image of that size as WebP, more than as JPEG."""

_PIXELS = 224 * 224

_RESIZED_BYTES, _RESIZED_SHAPE = 0.3, 0.75
"""The bytes per pixel of a stored photograph with JPEG quality 95, and its pixels as a share of the square of the longest side."""

_RESIZED_QUALITY = 95

_TEXT_BYTES = 1_024
"""The bytes of a text in a shard: a header and a block."""

_MEMBERS_BYTES = 11_264
"""The bytes of a sample in a shard without its image: eleven headers and ten texts, padded."""

_JSON_BYTES = 2_300
"""The same with all texts in one JSON member: two headers, and the texts, padded."""

_TABLE_BYTES = 1_300
"""The bytes of an image in listing, mapping, names, catalogs and ledgers."""

_RECORDS = 3
"""The files of a (split, source, partition) other than its shards: receipt, ledger, verdict."""

_SHARD_FILES = 2
"""A shard, and its attributions."""

_SPLITS = 3
_LISTING_FILES = 2
"""The files of a listing: its receipt and the state of the source. A partition has at most one listing."""

_OTHER_FILES = 80
"""Mapping, names, plan, catalogs, descriptions, reports, manifest, listings, and the receipts of their stages."""

_WORKER_BYTES = 200_000_000
"""The memory of a worker with a catalog of ten million rows, without the open image."""


@dataclass(frozen=True)
class SourceStats:
    """The size of a source.

    Attributes:
        name: The name of the source.
        place: Its path.
        images: The number of images.
        bytes: The bytes to read, as stored.
        is_archive: Whether it consists of archives.
        is_counted: Whether the images were counted, not estimated.
        partitions: The number of partitions.
        megapixels: The mean megapixels of an image, or None if no partition is finished.
        bytes_per_pixel: The mean file size per pixel, used if the number of pixels is unknown.
        at_least: The number of images that were counted.
        error: The likely relative error of images and bytes, None if it is unknown.
        is_listed: Whether the images are to be fetched and a listing has their number, so that the error is that of the bytes.
        left_bytes: The bytes of the images that are still to be fetched.
    """

    name: str
    place: str
    images: int
    bytes: int
    is_archive: bool
    is_counted: bool
    partitions: int
    megapixels: float | None = None
    bytes_per_pixel: float = 0.25
    at_least: int = 0
    error: float | None = None
    is_listed: bool = False
    left_bytes: int = 0

    @property
    def mean_megapixels(self) -> float:
        """The mean megapixels of an image, estimated from the file sizes if unknown."""
        if self.megapixels is not None:
            return self.megapixels
        return self.bytes / max(1, self.images) / self.bytes_per_pixel / 1e6


@dataclass(frozen=True)
class OutputSettings:
    """The settings that determine the cost.

    Attributes:
        width: The width of the images in samples, in pixels.
        height: Their height, in pixels.
        quality: The quality of the images on Pillow's scale, or ``lossless``.
        resize: ``exact`` or ``scaled``.
        max_samples: The maximum number of samples per shard.
        val_percent: The percentage of images in val.
        train_small_percent: The percentage of train that train_small repeats.
        max_memory_mib: The maximum memory to open an image, in MiB.
        further_texts: The number of further texts of a sample.
        is_json: Whether the texts of a sample are in one JSON member.
        format: The format of the images, ``jpeg`` or ``webp``.
        further_sizes: Width and height of the images of each further size, in pixels.
        is_compiled: Whether compiled code that is faster than Pillow resizes.
    """

    width: int
    height: int
    quality: int | str
    resize: str
    max_samples: int
    val_percent: int
    train_small_percent: int
    max_memory_mib: int
    further_texts: int = 0
    is_json: bool = False
    format: str = "jpeg"
    further_sizes: Sequence[tuple[int, int]] = ()
    is_compiled: bool = True

    @property
    def pixels(self) -> int:
        """The pixels of a sample in all sizes."""
        sizes = [(self.width, self.height), *self.further_sizes]
        return sum(width * height for width, height in sizes)


@dataclass(frozen=True)
class RemainingWork:
    """The samples that are still to be written.

    Attributes:
        images: The number of samples of train and val. Each requires opening an image.
        repeats: The number of samples of train_small.
        work_units: The number of (split, source, partition) that contain them.
    """

    images: int
    repeats: int
    work_units: int


@dataclass(frozen=True)
class StagePlan:
    """The number of tasks of a stage, and the number of complete tasks."""

    name: str
    tasks: int
    complete: int


@dataclass(frozen=True)
class DiskSpace:
    """The free space of a disk.

    Attributes:
        place: A folder on the disk.
        bytes: The bytes available to the user.
        files: The number of free inodes, or None if the file system reports no limit.
        quota_bytes: The bytes left of the user's quota, or None if there is no quota.
        quota_files: The files left of the user's quota, or None if there is no quota.
    """

    place: str
    bytes: int
    files: int | None
    quota_bytes: int | None = None
    quota_files: int | None = None


@dataclass(frozen=True)
class Cost:
    """The estimated remaining cost.

    Attributes:
        samples: The number of samples to write, including train_small.
        shard_bytes: The bytes of the shards to write.
        table_bytes: The bytes of mapping, names, catalogs and records to write.
        fetched_bytes: The bytes of images to fetch.
        files: The number of files to write.
        core_seconds: The processor time by stage.
        worker_bytes: The memory of a worker.
        largest_image_bytes: The additional memory for the largest image that the settings allow.
    """

    samples: int
    shard_bytes: int
    table_bytes: int
    fetched_bytes: int
    files: int
    core_seconds: dict[str, float]
    worker_bytes: int
    largest_image_bytes: int

    @property
    def bytes(self) -> int:
        """All bytes to write."""
        return self.shard_bytes + self.table_bytes + self.fetched_bytes


@dataclass(frozen=True)
class BuildEstimate:
    """The estimate of a build.

    Attributes:
        dataset: The folder of the dataset.
        stages: The stages, in their order.
        stocks: The sources.
        cost: The remaining cost.
        room: The free space of the disk for the dataset.
        notes: Further notes, one per line.
        matches: How many images of each source have a name, one sentence per source.
        troubles: Other errors that would stop the build, one per line.
    """

    dataset: str
    stages: Sequence[StagePlan]
    stocks: Sequence[SourceStats]
    cost: Cost
    room: DiskSpace
    notes: Sequence[str] = ()
    matches: Sequence[str] = ()
    troubles: Sequence[str] = ()

    @property
    def is_estimated(self) -> bool:
        """Whether images to write were estimated instead of counted."""
        return self.cost.samples > 0 and not all(source.is_counted for source in self.stocks)

    @property
    def lacks(self) -> list[str]:
        """The shortages of disk space, one per line."""
        cost, room = self.cost, self.room
        bounds = [
            ("disk space", human_bytes(cost.bytes), cost.bytes, room.bytes, human_bytes),
            ("inodes", f"{cost.files:,}", cost.files, room.files, "{:,}".format),
            ("disk quota", human_bytes(cost.bytes), cost.bytes, room.quota_bytes, human_bytes),
            ("file quota", f"{cost.files:,}", cost.files, room.quota_files, "{:,}".format),
        ]
        return [
            f"not enough {what} (needed: {wanted}, free: {shown(free)})"
            for what, wanted, count, free, shown in bounds
            if free is not None and count > free
        ]


def resized_bytes(side: int, quality: int) -> float:
    """Estimate the size of an image that is stored at a bounded size.

    Args:
        side: Its longest side in pixels.
        quality: The quality of the JPEG.
    """
    relative = _image_bytes("jpeg", quality) / _image_bytes("jpeg", _RESIZED_QUALITY)
    return side * side * _RESIZED_SHAPE * _RESIZED_BYTES * relative


def full_estimate(source: SourceStats, output: OutputSettings) -> RemainingWork:
    """Estimate all samples of a source from the settings, before a plan exists."""
    small = (1 - output.val_percent / 100) * output.train_small_percent / 100
    return RemainingWork(source.images, round(source.images * small), 3 * source.partitions)


def estimate_cost(
    stocks: Sequence[SourceStats],
    output: OutputSettings,
    remaining: Mapping[str, RemainingWork],
    to_do: Sequence[str],
    hashed: Collection[str] = (),
) -> Cost:
    """Estimate the remaining cost.

    Args:
        stocks: The sources.
        output: The settings.
        remaining: The samples still to be written, by source.
        to_do: The stages that are not complete.
        hashed: The sources whose files are to be hashed before the shards are planned.
    """
    images = sum(work.images for work in remaining.values())
    repeats = sum(work.repeats for work in remaining.values())
    work_units = sum(work.work_units for work in remaining.values())
    all_images = sum(source.images for source in stocks)
    seconds = {
        "ScanPartition": sum(map(_scanning_seconds, stocks)),
        "HashPartition": sum(_hashing_seconds(source) for source in stocks if source.name in hashed),
        "WriteShards and CheckShards": sum(
            remaining[source.name].images * _packing_seconds(source, output) for source in stocks
        )
        + repeats * _COPY_MS / 1000,
        "all other stages": all_images * _TABLES_MS / 1000,
    }
    for stage in ("ScanPartition", "HashPartition"):
        if stage not in to_do:
            del seconds[stage]
    if not to_do:
        seconds.clear()
    is_predicted = "PredictCatalog" not in to_do
    samples = images + repeats
    shards = max(work_units, math.ceil(samples / output.max_samples))
    return Cost(
        samples=samples,
        shard_bytes=round(samples * _sample_bytes(output)),
        table_bytes=round((images / 2 if is_predicted else all_images) * _TABLE_BYTES) if to_do else 0,
        fetched_bytes=sum(source.left_bytes for source in stocks),
        files=shards * _SHARD_FILES
        + work_units * _RECORDS
        + work_units // _SPLITS * _LISTING_FILES
        + (_OTHER_FILES if to_do else 0),
        core_seconds=seconds,
        worker_bytes=_WORKER_BYTES,
        largest_image_bytes=output.max_memory_mib * 2**20,
    )


def _scanning_seconds(source: SourceStats) -> float:
    return (
        source.bytes / _SCANNED_BYTES_PER_SECOND if source.is_archive else source.images * _LISTING_MS / 1000
    )


def _hashing_seconds(source: SourceStats) -> float:
    return _scanning_seconds(source) + source.bytes / _HASHED_BYTES_PER_SECOND


def _packing_seconds(source: SourceStats, output: OutputSettings) -> float:
    """Return the seconds per image of a source."""
    megapixels = source.mean_megapixels
    each, rate = _packing_rates(megapixels, output)
    further = _FURTHER_MS * (output.pixels - output.width * output.height) / _PIXELS
    return (each + rate * megapixels + further + _webp_ms(output)) / 1000


def _packing_rates(megapixels: float, output: OutputSettings) -> tuple[float, float]:
    """Return the milliseconds per image, and per megapixel, of images of this size."""
    is_shrunk = output.resize == "scaled" and megapixels > _SHRUNK_MEGAPIXELS
    if output.is_compiled:
        return _MS_PER_IMAGE, _SHRUNK_MS_PER_MEGAPIXEL if is_shrunk else _MS_PER_MEGAPIXEL
    return _PILLOW_MS_PER_IMAGE, _PILLOW_SHRUNK_MS_PER_MEGAPIXEL if is_shrunk else _PILLOW_MS_PER_MEGAPIXEL


def _webp_ms(output: OutputSettings) -> float:
    if output.format != "webp":
        return 0.0
    each = _LOSSLESS_MS if isinstance(output.quality, str) else _WEBP_MS
    return each * output.pixels / _PIXELS


def _sample_bytes(output: OutputSettings) -> float:
    image = _image_bytes(output.format, output.quality)
    texts = _JSON_BYTES if output.is_json else _MEMBERS_BYTES + output.further_texts * _TEXT_BYTES
    return texts * (1 + len(output.further_sizes)) + image * output.pixels / _PIXELS


def _image_bytes(form: str, quality: int | str) -> float:
    if isinstance(quality, str):
        return _LOSSLESS_BYTES
    points = _IMAGE_BYTES[form]
    lower = max((point for point in points if point[0] <= quality), default=points[0])
    upper = min((point for point in points if point[0] >= quality), default=lower)
    fraction = (quality - lower[0]) / (upper[0] - lower[0]) if upper[0] > lower[0] else 0.0
    return lower[1] + fraction * (upper[1] - lower[1])
