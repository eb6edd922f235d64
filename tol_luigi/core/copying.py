"""Shards made from the bytes of others: copies of samples, and shards without some of their samples."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import IO, TYPE_CHECKING

from tol_luigi.core.errors import ShardError
from tol_luigi.core.files import sha256_file
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Outcome, Withheld, validate_complete
from tol_luigi.core.shards import Shard, balanced, copy_record, sample_places, write_shard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tol_luigi.core.packing import ShardToRebuild

__all__ = ["SampleRef", "copy_samples", "in_folder", "recopy", "remove_samples"]


@dataclass(frozen=True, slots=True)
class SampleRef:
    """The location of a sample in an existing shard.

    Attributes:
        id: The image id.
        shard: The shard's path.
        offset: The offset in the shard, in bytes.
        length: The length in bytes.
    """

    id: str
    shard: Path
    offset: int
    length: int


def in_folder(copies: Sequence[SampleRef | Withheld], folder: Path) -> list[SampleRef | Withheld]:
    """Return the same samples in the shards with the same names in another folder, which are of another image size.

    Raises:
        ShardError: A shard is damaged, or lacks a sample.
    """
    places: dict[Path, dict[str, tuple[int, int]]] = {}
    found: list[SampleRef | Withheld] = []
    for copy in copies:
        if not isinstance(copy, SampleRef):
            found.append(copy)
            continue
        path = folder / copy.shard.name
        if path not in places:
            places[path] = sample_places(path)
        if copy.id not in places[path]:
            raise ShardError(path, f"sample {copy.id} is missing", "Delete it and run the same command again")
        found.append(SampleRef(copy.id, path, *places[path][copy.id]))
    return found


def copy_samples(
    copies: Sequence[SampleRef | Withheld], paths: Sequence[Path]
) -> tuple[list[Shard], list[Outcome]]:
    """Write shards with byte-identical copies of samples of other shards, in the given order.

    A withheld sample is left out of its shard, as in :func:`pack`.

    Raises:
        ShardError: A sample is not at its location.
    """
    shards: list[Shard] = []
    outcomes: list[Outcome] = []
    for number, (path, cut) in enumerate(zip(paths, balanced(len(copies), len(paths)), strict=True)):
        planned = copies[cut.start : cut.stop]
        chosen = [copy for copy in planned if isinstance(copy, SampleRef)]
        shard, offsets = write_shard(path, _records(chosen))
        shards.append(shard)
        places = enumerate(offsets)
        for copy in planned:
            outcome = Outcome(State.WRITTEN, shard=number)
            if isinstance(copy, SampleRef):
                outcome.position, outcome.offset = next(places)
                outcome.length = copy.length
            else:
                outcome.state, outcome.reason = copy
            outcomes.append(outcome)
    return shards, outcomes


def remove_samples(
    path: Path, sha256: str, samples: Sequence[SampleRef], removed: Collection[str]
) -> tuple[Shard, list[int]] | None:
    """Write a shard again without some of its samples, from its own bytes.

    Args:
        path: The shard.
        sha256: Its SHA-256.
        samples: All its samples, in order.
        removed: The ids of the samples to remove.

    Returns:
        The shard's entry for the receipt, and the offset of each remaining sample; None if the shard is missing or damaged.
    """
    try:
        if sha256_file(path) != sha256:
            return None
    except FileNotFoundError:
        return None
    return write_shard(path, _records([sample for sample in samples if sample.id not in removed]))


def recopy(copies: Sequence[SampleRef | Withheld], damaged: Sequence[ShardToRebuild]) -> None:
    """Write some shards again that repeat samples of other shards.

    Args:
        copies: The locations of the samples; additional ones are ignored.
        damaged: The shards.

    Raises:
        DifferentBytesError: A shard would have other bytes. The shards before it in ``damaged`` are written.
        ShardError: A sample is not at its location.
    """
    by_id = {copy.id: copy for copy in copies if isinstance(copy, SampleRef)}
    validate_complete(damaged, set(by_id))
    for shard in damaged:
        write_shard(shard.path, _records([by_id[image] for image in shard.ids]), shard.sha256)


def _records(copies: Sequence[SampleRef]) -> Iterator[bytes]:
    with contextlib.ExitStack() as stack:
        opened: dict[Path, IO[bytes]] = {}
        for copy in copies:
            if copy.shard not in opened:
                opened[copy.shard] = stack.enter_context(copy.shard.open("rb"))
            yield copy_record(opened[copy.shard], copy.offset, copy.length, copy.id)
