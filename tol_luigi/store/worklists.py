"""The work list of one (split, source, partition), and its outcomes as ledger rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.copying import SampleRef
from tol_luigi.core.images import ImageMetadata
from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.core.packing import Outcome, Sample, ShardToRebuild, Withheld
from tol_luigi.core.sample_texts import SampleForm
from tol_luigi.core.shards import shard_number
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.catalogs import partition_rows
from tol_luigi.store.further_texts import TEXTS
from tol_luigi.store.ledger import ids_by_shard, ledger_row, read_ledger
from tol_luigi.store.listings import files_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.reader import Member
    from tol_luigi.core.shards import Shard

__all__ = [
    "CopyList",
    "Expected",
    "WorkList",
    "copy_list",
    "outcome_of",
    "read_expected",
    "shards_to_rebuild",
    "work_list",
]

_PUBLISHED = SampleForm()
"""The texts of the published dataset."""


@dataclass(frozen=True)
class WorkList:
    """The images of one (split, source, partition).

    Attributes:
        source: The source's name.
        partition: The partition's name.
        samples: The images to write, in the order of their source.
        members: The location of each of them.
        rejected: Ledger rows of the images that an exclusion list excludes.
        notes: Notes of the scan on usable images, by id; most images have none.
    """

    source: str
    partition: str
    samples: list[Sample]
    members: list[Member]
    rejected: list[dict[str, Any]]
    notes: Mapping[str, str] = field(default_factory=dict)

    def only(self, ids: set[str]) -> WorkList:
        """Return a work list of some of the samples, in the order of their source."""
        kept = [pair for pair in zip(self.samples, self.members, strict=True) if pair[0].id in ids]
        samples, members = [sample for sample, _ in kept], [member for _, member in kept]
        return WorkList(self.source, self.partition, samples, members, [], self.notes)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, to check whether shards were written from it."""
        samples = (
            (sample.id, sample.ranks, sample.common, *filter(None, [sample.further]))
            for sample in self.samples
        )
        members = (
            (member.name, member.size, member.offset, *filter(None, [member.stored_as]))
            for member in self.members
        )
        return _digest([*zip(samples, members, strict=True), *map(sorted, map(dict.items, self.rejected))])

    def ledger(self, outcomes: Sequence[Outcome], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield a ledger row for every image.

        Args:
            outcomes: The outcome of each sample.
            numbers: The number of each written shard.
        """
        yield from self.rejected
        for sample, member, outcome in zip(self.samples, self.members, outcomes, strict=True):
            state = outcome.state, outcome.reason or self.notes.get(sample.id, "")
            row = ledger_row(sample.id, self.source, self.partition, member.name, *state)
            yield {**row, **_fields(outcome, numbers)}


def _digest(rows: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{json.dumps(row)}\n".encode())
    return digest.hexdigest()


def _fields(outcome: Outcome, numbers: Sequence[int]) -> dict[str, Any]:
    fields: dict[str, Any] = {"sha256": outcome.sha256, "md5": outcome.md5}
    if metadata := outcome.image_metadata:
        fields |= {"width": metadata.width, "height": metadata.height, "mode": metadata.mode}
        fields |= {"format": metadata.format, "flags": list(metadata.flags)}
    if match := outcome.match:
        fields |= {"benchmark": match.benchmark, "benchmark_file": match.name, "differing_bits": match.bits}
    return fields | _place(outcome, numbers)


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an image from its ledger row, without its location in the shards."""
    metadata = None
    if row["width"] is not None:
        fields = row["width"], row["height"], row["mode"], row["format"], tuple(row["flags"])
        metadata = ImageMetadata(*fields)
    return Outcome(State(row["state"]), row["reason"], row["sha256"], row["md5"], metadata)


def _place(outcome: Outcome, numbers: Sequence[int]) -> dict[str, Any]:
    if outcome.state in WITHHELD:
        return {"shard": numbers[outcome.shard]}
    if outcome.state is not State.WRITTEN:
        return {}
    place = {"position": outcome.position, "offset": outcome.offset, "bytes": outcome.length}
    return {"shard": numbers[outcome.shard], **place}


def work_list(
    predicted: Path, listing: Path, split: str, source: str, partition: str, *, texts: SampleForm = _PUBLISHED
) -> WorkList:
    """Return the images to write, from the predicted catalog; only rows of the partition are read.

    Args:
        predicted: The predicted catalog.
        listing: The listing with the locations of the files.
        split: ``train`` or ``val``.
        source: The source's name.
        partition: The partition's name.
        texts: What texts samples have, and their form; the catalog contains the further ones.
    """
    columns = ["split", "treeoflife_id", *RANK_LABELS, "common", "position", "excluded", "exclusion"]
    columns += [TEXTS.name] if texts.further else []
    rows = partition_rows(predicted, source, partition, columns)
    rows = rows.filter(pc.equal(rows["split"], split)).sort_by("position")
    images = rows.to_pylist()
    positions = [image["position"] for image in images]
    members, noted = files_at(listing, partition, positions)
    samples, places, rejected = [], [], []
    for image, member in zip(images, members, strict=True):
        if image["excluded"]:
            state = image["excluded"], image["exclusion"]
            rejected.append(ledger_row(image["treeoflife_id"], source, partition, member.name, *state))
        else:
            samples.append(_sample(image, texts))
            places.append(member)
    notes = {images[place]["treeoflife_id"]: note for place, note in noted.items()}
    return WorkList(source, partition, samples, places, rejected, notes)


def _sample(image: Mapping[str, Any], texts: SampleForm) -> Sample:
    further = tuple(zip(texts.further, image[TEXTS.name], strict=True)) if texts.further else ()
    ranks = tuple(image[rank] for rank in RANK_LABELS)
    return Sample(image["treeoflife_id"], ranks, image["common"], further, is_json=texts.is_json)


def shards_to_rebuild(
    ledger: Path, shards: Sequence[Shard], folder: Path, size: int = 0
) -> list[ShardToRebuild]:
    """Return everything that is needed to write shards again.

    Args:
        ledger: The ledger of their partition.
        shards: The shards in the receipt.
        folder: The folder of the shards.
        size: The position of their image size among all sizes.
    """
    ids = ids_by_shard(ledger) if shards else {}
    return [
        ShardToRebuild(folder / shard.name, shard.sha256, ids.get(shard_number(shard.name), []), size)
        for shard in shards
    ]


@dataclass(frozen=True)
class Expected:
    """The images of one (split, source, partition) in the predicted catalog.

    Attributes:
        samples: The images to write, by id.
        ids: The ids of all images, including excluded ones.
    """

    samples: dict[str, Sample]
    ids: set[str]


def read_expected(
    predicted: Path, split: str, source: str, partition: str, *, texts: SampleForm = _PUBLISHED
) -> Expected:
    """Return the expected images of one (split, source, partition).

    Args:
        predicted: The predicted catalog.
        split: ``train``, ``val`` or ``train_small``.
        source: The source's name.
        partition: The partition's name.
        texts: What texts samples have, and their form; the catalog contains the further ones.
    """
    columns = ["split", "treeoflife_id", *RANK_LABELS, "common", "is_train_small", "excluded"]
    columns += [TEXTS.name] if texts.further else []
    rows = partition_rows(predicted, source, partition, columns)
    chosen = rows["is_train_small"] if split == "train_small" else pc.equal(rows["split"], split)
    images = rows.filter(chosen).to_pylist()
    samples = {image["treeoflife_id"]: _sample(image, texts) for image in images if not image["excluded"]}
    return Expected(samples, {image["treeoflife_id"] for image in images})


@dataclass(frozen=True)
class CopyList:
    """The images of one partition of train_small, as the ledger of train has them.

    Attributes:
        copies: The samples to copy, in their order in train, and the withheld ones among them.
        rows: Their ledger rows in train.
        broken: Ledger rows of the images that are not in the shards of train.
    """

    copies: list[SampleRef | Withheld]
    rows: list[dict[str, Any]]
    broken: list[dict[str, Any]]

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, to check whether shards were written from it."""
        return _digest([sorted(row.items()) for row in (*self.rows, *self.broken)])

    def ledger(self, outcomes: Sequence[Outcome], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield a ledger row for every image, like :meth:`WorkList.ledger`."""
        yield from self.broken
        for row, outcome in zip(self.rows, outcomes, strict=True):
            yield {**row, **_place(outcome, numbers)}


def copy_list(
    predicted: Path,
    train_ledger: Path,
    shard_path: Callable[[int], Path],
    source: str,
    partition: str,
    *,
    order: Callable[[Sequence[str]], list[int]],
) -> CopyList:
    """Return the samples of train that train_small repeats.

    Args:
        predicted: The predicted catalog, which lists the images.
        train_ledger: The ledger of the same partition of train, which contains their locations.
        shard_path: Returns the path of a shard of train by its number.
        source: The source's name.
        partition: The partition's name.
        order: Returns the order in which samples of train are written, given their ids in the order of their source.
    """
    chosen = partition_rows(predicted, source, partition, ["treeoflife_id", "is_train_small"])
    ids = chosen.filter(chosen["is_train_small"])["treeoflife_id"]
    ledger = read_ledger(train_ledger)
    mine = ledger.filter(pc.is_in(ledger["id"], value_set=ids))
    usable_states = pa.array(_USABLE, pa.string())
    broken = mine.filter(pc.invert(pc.is_in(mine["state"], value_set=usable_states))).to_pylist()
    usable = mine.filter(pc.is_in(mine["state"], value_set=usable_states))
    if pc.all(pc.equal(usable["state"], State.WRITTEN)).as_py():
        rows = usable.sort_by([("shard", "ascending"), ("position", "ascending")]).to_pylist()
    else:  # withheld samples have no position
        rows = usable.take(pa.array(order(usable["id"].to_pylist()), pa.int64())).to_pylist()
    return CopyList([_copy(row, shard_path) for row in rows], rows, broken)


_USABLE = [str(State.WRITTEN), *sorted(map(str, WITHHELD))]


def _copy(row: Mapping[str, Any], shard_path: Callable[[int], Path]) -> SampleRef | Withheld:
    if row["state"] != State.WRITTEN:
        return Withheld(State(row["state"]), row["reason"])
    return SampleRef(row["id"], shard_path(row["shard"]), row["offset"], row["bytes"])
