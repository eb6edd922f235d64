"""What a build will cost, reckoned from what its sources hold and from recorded rates."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, human_bytes, human_seconds, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Cost",
    "Forecast",
    "Left",
    "Making",
    "Room",
    "StagePlan",
    "Stock",
    "cost",
    "forecast_figures",
    "forecast_text",
    "whole",
]

# Of one core of an AMD EPYC virtual machine; docs/commands.md says how each was measured.

_MS_AN_IMAGE, _MS_A_MEGAPIXEL = 1.3, 8.3
"""Milliseconds to read, decode, resize, encode, pack and check a picture, and for each million pixels of it."""

_SCALED = 3.3
"""How many times as fast ``resize = scaled`` is on a large picture."""

_LARGE = 0.54
"""Megapixels from which on that is so: 538 pixels each way at 224 x 224, with some margin for other shapes."""

_COPIED_MS = 0.4
"""Milliseconds to copy a sample into train_small, and to check it."""

_SCANNED_BYTES = 450e6
"""Bytes of an archive listed in a second."""

_LISTED_MS = 0.03
"""Milliseconds to list a file of a folder on a local disk; on a network file system it is a matter of that."""

_TABLES_MS = 0.25
"""Milliseconds an image takes in the stages that go through all of them: mapping, splits, names, catalogs."""

_JPEG_BYTES = ((75, 10_500), (90, 17_300), (95, 24_300), (100, 45_300))
"""The mean length of a picture of 224 x 224 at some qualities, in bytes."""

_PIXELS = 224 * 224

_MEMBERS_BYTES = 11_264
"""What a sample has in a shard besides its picture: eleven headers and ten texts, padded."""

_TABLE_BYTES = 1_300
"""What an image has in listing, mapping, names, catalogs and ledgers, in bytes."""

_RECORDS = 3
"""Files about a (split, source, partition) besides its shards: receipt, ledger, verdict."""

_SPLITS = 3
_LISTING_FILES = 2
"""Files about a listing besides it: its receipt, and what the source looked like. There is one a partition, or fewer."""

_OTHER_FILES = 50
"""Mapping, names, plan, catalogs, reports, manifest, listings, and the receipts of the stages that make them."""

_WORKER_BYTES = 200_000_000
"""The memory of a worker with a catalog of ten million rows, but for the picture that is open."""


@dataclass(frozen=True)
class Stock:
    """What a source holds.

    Attributes:
        name: The source.
        place: Where it lies.
        images: How many images.
        bytes: How much is read of it, as it lies there.
        is_archive: Whether it lies in archives.
        is_counted: Whether images were counted, and not guessed.
        partitions: How many partitions it is cut into.
        megapixels: Of a picture on average; None where no finished partition tells.
        bytes_per_pixel: The size of its files, where the number of pixels is not known.
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

    @property
    def mean_megapixels(self) -> float:
        """How large a picture is, by its bytes where nothing better is known."""
        if self.megapixels is not None:
            return self.megapixels
        return self.bytes / max(1, self.images) / self.bytes_per_pixel / 1e6


@dataclass(frozen=True)
class Making:
    """The settings that determine cost.

    Attributes:
        width: Of a sample's picture, in pixels.
        height: The same.
        quality: Of its JPEG, on Pillow's scale.
        resize: ``exact`` or ``scaled``.
        max_samples: The most samples in a shard.
        val_percent: How much is held out.
        train_small_percent: How much of train the small set repeats.
        max_memory_mib: The most memory that a picture may take to open, in MiB.
    """

    width: int
    height: int
    quality: int
    resize: str
    max_samples: int
    val_percent: int
    train_small_percent: int
    max_memory_mib: int


@dataclass(frozen=True)
class Left:
    """What is still to be written.

    Attributes:
        pictures: Samples of train and val, for which a picture is opened.
        copies: Samples of train_small.
        shares: How many (split, source, partition) they are in.
    """

    pictures: int
    copies: int
    shares: int


@dataclass(frozen=True)
class StagePlan:
    """How many tasks of one kind there are, and how many of them are complete."""

    name: str
    tasks: int
    complete: int


@dataclass(frozen=True)
class Room:
    """What a disk has room for.

    Attributes:
        place: A folder on it.
        bytes: How many bytes are free to the user.
        files: How many more files it takes; None where it tells no bound.
        quota_bytes: How many bytes the user's quota leaves; None without one.
        quota_files: The same for files.
    """

    place: str
    bytes: int
    files: int | None
    quota_bytes: int | None = None
    quota_files: int | None = None


@dataclass(frozen=True)
class Cost:
    """What is still to be spent, all of it estimated.

    Attributes:
        samples: Samples to write, those of train_small among them.
        shard_bytes: Of these shards.
        table_bytes: Of mapping, names, catalogs and records.
        files: How many files that makes.
        core_seconds: Processor time by stage.
        worker_bytes: Memory of a worker.
        largest_picture_bytes: What the largest picture that the settings allow takes on top of that.
    """

    samples: int
    shard_bytes: int
    table_bytes: int
    files: int
    core_seconds: dict[str, float]
    worker_bytes: int
    largest_picture_bytes: int

    @property
    def bytes(self) -> int:
        """All that is written."""
        return self.shard_bytes + self.table_bytes


@dataclass(frozen=True)
class Forecast:
    """A build before it runs.

    Attributes:
        dataset: Its folder.
        stages: The stages, in their order.
        stocks: The sources.
        cost: What is still to be spent.
        room: Where it is to go.
        notes: What else to say, a line each.
        matches: How many images of the sources have a name, a sentence each.
        troubles: What else would stop the build, one line each.
    """

    dataset: str
    stages: Sequence[StagePlan]
    stocks: Sequence[Stock]
    cost: Cost
    room: Room
    notes: Sequence[str] = ()
    matches: Sequence[str] = ()
    troubles: Sequence[str] = ()

    @property
    def lacks(self) -> list[str]:
        """What there is too little room for, a line each."""
        need, room = self.cost, self.room
        bounds = [
            ("free", human_bytes(need.bytes), need.bytes, room.bytes, human_bytes),
            ("files free", f"{need.files:,}", need.files, room.files, "{:,}".format),
            (
                "left of the quota",
                human_bytes(need.bytes),
                need.bytes,
                room.quota_bytes,
                human_bytes,
            ),
            ("files left of the quota", f"{need.files:,}", need.files, room.quota_files, "{:,}".format),
        ]
        return [
            f"too little room: {wanted} to be written, {shown(free)} {what}"
            for what, wanted, count, free, shown in bounds
            if free is not None and count > free
        ]


def whole(stock: Stock, making: Making) -> Left:
    """Give all that a source makes, where no plan tells it."""
    small = (1 - making.val_percent / 100) * making.train_small_percent / 100
    return Left(stock.images, round(stock.images * small), 3 * stock.partitions)


def cost(stocks: Sequence[Stock], making: Making, left: Mapping[str, Left], to_do: Sequence[str]) -> Cost:
    """Reckon what is still to be spent.

    Args:
        stocks: The sources.
        making: The settings.
        left: What is still to be written of each source.
        to_do: The stages that are not complete.
    """
    pictures = sum(part.pictures for part in left.values())
    copies = sum(part.copies for part in left.values())
    shares = sum(part.shares for part in left.values())
    every = sum(stock.images for stock in stocks)
    seconds = {
        "ScanPartition": sum(map(_scanning, stocks)),
        "WriteShards and CheckShards": sum(
            left[stock.name].pictures * _packing(stock, making) for stock in stocks
        )
        + copies * _COPIED_MS / 1000,
        "all other stages": every * _TABLES_MS / 1000,
    }
    if "ScanPartition" not in to_do:
        del seconds["ScanPartition"]
    if not to_do:
        seconds.clear()
    is_begun = "PredictCatalog" not in to_do
    samples = pictures + copies
    shards = max(shares, math.ceil(samples / making.max_samples))
    return Cost(
        samples=samples,
        shard_bytes=round(samples * _sample_bytes(making)),
        table_bytes=round((pictures / 2 if is_begun else every) * _TABLE_BYTES) if to_do else 0,
        files=shards
        + shares * _RECORDS
        + shares // _SPLITS * _LISTING_FILES
        + (_OTHER_FILES if to_do else 0),
        core_seconds=seconds,
        worker_bytes=_WORKER_BYTES,
        largest_picture_bytes=making.max_memory_mib * 2**20,
    )


def _scanning(stock: Stock) -> float:
    return stock.bytes / _SCANNED_BYTES if stock.is_archive else stock.images * _LISTED_MS / 1000


def _packing(stock: Stock, making: Making) -> float:
    """Give the seconds that a picture of a source takes."""
    megapixels = stock.mean_megapixels
    faster = _SCALED if making.resize == "scaled" and megapixels > _LARGE else 1.0
    return (_MS_AN_IMAGE + _MS_A_MEGAPIXEL * megapixels / faster) / 1000


def _sample_bytes(making: Making) -> float:
    lower = max((point for point in _JPEG_BYTES if point[0] <= making.quality), default=_JPEG_BYTES[0])
    upper = min((point for point in _JPEG_BYTES if point[0] >= making.quality), default=lower)
    part = (making.quality - lower[0]) / (upper[0] - lower[0]) if upper[0] > lower[0] else 0.0
    jpeg = lower[1] + part * (upper[1] - lower[1])
    return _MEMBERS_BYTES + jpeg * making.width * making.height / _PIXELS


def forecast_figures(forecast: Forecast) -> dict[str, Any]:
    """Give everything, for programs."""
    return {**asdict(forecast), "lacks": forecast.lacks}


def forecast_text(forecast: Forecast) -> str:
    """Write it for people, 80 columns wide but for paths that are longer."""
    cost_, room = forecast.cost, forecast.room
    total = sum(cost_.core_seconds.values())
    lines = [
        f"Dataset {forecast.dataset}",
        "",
        *_sources(forecast),
        *_named(forecast),
        "",
        *_stages(forecast),
        "",
    ]
    if not any(stage.tasks > stage.complete for stage in forecast.stages):
        return "\n".join([*lines, "It is complete: there is nothing to do."]) + "\n"
    about = [
        ("to write", f"{cost_.samples:,} samples, {human_bytes(cost_.shard_bytes)}"),
        ("", f"{human_bytes(cost_.table_bytes)} of tables; about {cost_.files:,} files in all"),
        ("core time", f"{human_seconds(total)} of one core ({total / 3600:,.1f} core-hours)"),
        *(("", f"{human_seconds(seconds)} for {stage}") for stage, seconds in cost_.core_seconds.items()),
        (
            "memory",
            f"{human_bytes(cost_.worker_bytes)} a worker, and what the picture takes that is open:",
        ),
        ("", f"at most {human_bytes(cost_.largest_picture_bytes)} ([images] max_memory_mib)"),
        ("disk", f"{human_bytes(room.bytes)} free{_files(room.files)} at {room.place}"),
        *([("quota", _quota(room))] if _quota(room) else []),
    ]
    lines += [f"{label:<11}{text}" for label, text in about]
    lines += ["", *(forecast.lacks or ["There is room."])]
    for note in (*(f"The build would stop: {trouble}" for trouble in forecast.troubles), *forecast.notes):
        lines += wrapped(note)
    return "\n".join(lines) + "\n"


def _sources(forecast: Forecast) -> list[str]:
    rows = [["source", "images", "to read", "partitions", "counted"]]
    for stock in forecast.stocks:
        images = f"{stock.images:,}" if stock.is_counted else f"~{stock.images:,}"
        counted = "yes" if stock.is_counted else "guessed"
        rows.append([stock.name, images, human_bytes(stock.bytes), f"{stock.partitions:,}", counted])
    return aligned(rows)


def _named(forecast: Forecast) -> list[str]:
    lines = [line for match in forecast.matches for line in wrapped(f"names: {match}")]
    return ["", *lines] if lines else []


def _stages(forecast: Forecast) -> list[str]:
    counts = [(stage.tasks, stage.complete, stage.tasks - stage.complete) for stage in forecast.stages]
    rows = [
        [stage.name, *(f"{count:,}" for count in three)]
        for stage, three in zip(forecast.stages, counts, strict=True)
    ]
    return aligned([["stage", "tasks", "complete", "to do"], *rows])


def _files(count: int | None) -> str:
    return "" if count is None else f", {count:,} files"


def _quota(room: Room) -> str:
    parts = [
        *([human_bytes(room.quota_bytes)] if room.quota_bytes is not None else []),
        *([f"{room.quota_files:,} files"] if room.quota_files is not None else []),
    ]
    return f"{' and '.join(parts)} left" if parts else ""
