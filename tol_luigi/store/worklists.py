"""What one (split, source, partition) has to write, and what became of it as rows of the ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from tol_luigi.core.images import ImageMetadata
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Copy, Lost, Outcome, Sample
from tol_luigi.core.shards import shard_number
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.catalogs import partition_rows
from tol_luigi.store.ledger import ids_by_shard, ledger_row, read_ledger
from tol_luigi.store.listings import files_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.shards import Shard
    from tol_luigi.core.source import Member

__all__ = [
    "CopyList",
    "Foretold",
    "WorkList",
    "copy_list",
    "foretold",
    "lost_shards",
    "outcome_of",
    "work_list",
]


@dataclass(frozen=True)
class WorkList:
    """The images of one (split, source, partition).

    Attributes:
        source: The source's name.
        partition: The partition's name.
        samples: The images to write, in the order of their source.
        members: Where each of them lies.
        left_out: Ledger rows of the images that an exclusion list keeps out.
        notes: What the scan notes on images that it lists for use, by id; of most of them nothing.
    """

    source: str
    partition: str
    samples: list[Sample]
    members: list[Member]
    left_out: list[dict[str, Any]]
    notes: Mapping[str, str] = field(default_factory=dict)

    def only(self, ids: set[str]) -> WorkList:
        """Keep some of the samples, in the order of their source."""
        kept = [pair for pair in zip(self.samples, self.members, strict=True) if pair[0].id in ids]
        samples, members = [sample for sample, _ in kept], [member for _, member in kept]
        return WorkList(self.source, self.partition, samples, members, [], self.notes)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, to be compared with what shards were written from."""
        samples = ((sample.id, sample.ranks, sample.common) for sample in self.samples)
        members = (
            (member.name, member.size, member.offset, *filter(None, [member.stored_as]))
            for member in self.members
        )
        return _digest([*zip(samples, members, strict=True), *map(sorted, map(dict.items, self.left_out))])

    def ledger(self, outcomes: Sequence[Outcome], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Give a ledger row for every image.

        Args:
            outcomes: What became of each sample.
            numbers: The number of each shard written.
        """
        yield from self.left_out
        for sample, member, outcome in zip(self.samples, self.members, outcomes, strict=True):
            told = outcome.state, outcome.reason or self.notes.get(sample.id, "")
            row = ledger_row(sample.id, self.source, self.partition, member.name, *told)
            yield {**row, **_told(outcome, numbers)}


def _digest(rows: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{json.dumps(row)}\n".encode())
    return digest.hexdigest()


def _told(outcome: Outcome, numbers: Sequence[int]) -> dict[str, Any]:
    told: dict[str, Any] = {"sha256": outcome.sha256, "md5": outcome.md5}
    if picture := outcome.picture:
        told |= {"width": picture.width, "height": picture.height, "mode": picture.mode}
        told |= {"format": picture.format, "flags": list(picture.flags)}
    if match := outcome.match:
        told |= {"benchmark": match.benchmark, "benchmark_file": match.name, "differing_bits": match.bits}
    return told | _place(outcome, numbers)


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """Read off a ledger row what became of an image, but for its place in the shards."""
    picture = None
    if row["width"] is not None:
        facts = row["width"], row["height"], row["mode"], row["format"], tuple(row["flags"])
        picture = ImageMetadata(*facts)
    return Outcome(State(row["state"]), row["reason"], row["sha256"], row["md5"], picture)


def _place(outcome: Outcome, numbers: Sequence[int]) -> dict[str, Any]:
    if outcome.state is not State.WRITTEN:
        return {}
    place = {"position": outcome.position, "offset": outcome.offset, "bytes": outcome.length}
    return {"shard": numbers[outcome.shard], **place}


def work_list(predicted: Path, listing: Path, split: str, source: str, partition: str) -> WorkList:
    """Collect what is to be written, out of the predicted catalog; only rows of the partition are read.

    Args:
        predicted: The predicted catalog.
        listing: The listing that tells where the files lie.
        split: ``train`` or ``val``.
        source: The source's name.
        partition: The partition's name.
    """
    columns = ["split", "treeoflife_id", *RANK_LABELS, "common", "position", "excluded", "exclusion"]
    rows = partition_rows(predicted, source, partition, columns)
    rows = rows.filter(pc.equal(rows["split"], split)).sort_by("position")
    images = rows.to_pylist()
    positions = [image["position"] for image in images]
    members, noted = files_at(listing, partition, positions)
    samples, places, left_out = [], [], []
    for image, member in zip(images, members, strict=True):
        if image["excluded"]:
            told = image["excluded"], image["exclusion"]
            left_out.append(ledger_row(image["treeoflife_id"], source, partition, member.name, *told))
        else:
            samples.append(_sample(image))
            places.append(member)
    notes = {images[place]["treeoflife_id"]: note for place, note in noted.items()}
    return WorkList(source, partition, samples, places, left_out, notes)


def _sample(image: Mapping[str, Any]) -> Sample:
    return Sample(image["treeoflife_id"], tuple(image[rank] for rank in RANK_LABELS), image["common"])


def lost_shards(ledger: Path, shards: Sequence[Shard], folder: Path) -> list[Lost]:
    """Tell of shards what is needed to make them again.

    Args:
        ledger: The ledger of their partition.
        shards: What the receipt says of them.
        folder: Where they lie.
    """
    ids = ids_by_shard(ledger)
    return [
        Lost(folder / shard.name, shard.sha256, ids.get(shard_number(shard.name), [])) for shard in shards
    ]


@dataclass(frozen=True)
class Foretold:
    """What the predicted catalog says of one (split, source, partition).

    Attributes:
        samples: The images to be written, by id.
        ids: All images, also those that an exclusion list keeps out.
    """

    samples: dict[str, Sample]
    ids: set[str]


def foretold(predicted: Path, split: str, source: str, partition: str) -> Foretold:
    """Look up what one (split, source, partition) should hold.

    Args:
        predicted: The predicted catalog.
        split: ``train``, ``val`` or ``train_small``.
        source: The source's name.
        partition: The partition's name.
    """
    columns = ["split", "treeoflife_id", *RANK_LABELS, "common", "is_train_small", "excluded"]
    rows = partition_rows(predicted, source, partition, columns)
    chosen = rows["is_train_small"] if split == "train_small" else pc.equal(rows["split"], split)
    images = rows.filter(chosen).to_pylist()
    samples = {image["treeoflife_id"]: _sample(image) for image in images if not image["excluded"]}
    return Foretold(samples, {image["treeoflife_id"] for image in images})


@dataclass(frozen=True)
class CopyList:
    """The images of one partition of train_small, as the ledger of train has them.

    Attributes:
        copies: The samples to copy, in the order in which train holds them.
        rows: The ledger row that each of them has there.
        broken: Ledger rows of the images that train does not hold.
    """

    copies: list[Copy]
    rows: list[dict[str, Any]]
    broken: list[dict[str, Any]]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, to be compared with what shards were written from."""
        return _digest([sorted(row.items()) for row in (*self.rows, *self.broken)])

    def ledger(self, outcomes: Sequence[Outcome], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Give a ledger row for every image, as :meth:`WorkList.ledger` does."""
        yield from self.broken
        for row, outcome in zip(self.rows, outcomes, strict=True):
            yield {**row, **_place(outcome, numbers)}


def copy_list(
    predicted: Path, train_ledger: Path, shard_path: Callable[[int], Path], source: str, partition: str
) -> CopyList:
    """Collect what train_small repeats of train.

    Args:
        predicted: The predicted catalog, which tells the images.
        train_ledger: The ledger of the same partition of train, which tells where they are.
        shard_path: Gives the path of a shard of train by its number.
        source: The source's name.
        partition: The partition's name.
    """
    chosen = partition_rows(predicted, source, partition, ["treeoflife_id", "is_train_small"])
    ids = chosen.filter(chosen["is_train_small"])["treeoflife_id"]
    ledger = read_ledger(train_ledger)
    mine = ledger.filter(pc.is_in(ledger["id"], value_set=ids)).sort_by(
        [("shard", "ascending"), ("position", "ascending")]
    )
    rows = mine.to_pylist()
    written = [row for row in rows if row["state"] == State.WRITTEN]
    copies = [Copy(row["id"], shard_path(row["shard"]), row["offset"], row["bytes"]) for row in written]
    return CopyList(copies, written, [row for row in rows if row["state"] != State.WRITTEN])
