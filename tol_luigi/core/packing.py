"""From the files of a partition to its shards: read in the source's order, written in the dataset's.

Pictures are read once, front to back, as an archive on a slow file system wants it; their JPEGs wait in an
unnamed file on disk until it is known how many there are. Memory is bounded by the number of
samples, not by their size.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tol_luigi.core.bad_images import check_bad_count
from tol_luigi.core.files import clear_disk_errors, scratch_path
from tol_luigi.core.images import BrokenImageError, ImageMetadata, ImageSpec, encode
from tol_luigi.core.keys import keyed_order
from tol_luigi.core.ledger import State
from tol_luigi.core.samples import IMAGE, texts
from tol_luigi.core.shards import (
    OtherBytesError,
    Shard,
    balanced,
    copy_record,
    sample_record,
    write_shard,
)
from tol_luigi.core.source import FileContent, MemberError
from tol_luigi.core.taxon import Taxon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.benchmarks import Benchmarks, Match

__all__ = [
    "Content",
    "Copy",
    "Lost",
    "Made",
    "Outcome",
    "Sample",
    "copy_samples",
    "pack",
    "recopy",
    "repack",
    "shipping_order",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image to be written.

    Attributes:
        id: The image id.
        ranks: The seven ranks, as rendered.
        common: The common name, or what stands in for it.
    """

    id: str
    ranks: tuple[str, ...]
    common: str


@dataclass(slots=True)
class Outcome:
    """What became of a sample.

    Attributes:
        state: ``WRITTEN``, or why not.
        reason: The same in words, "" for a written one.
        sha256: Of the source's bytes, "" where they could not be read.
        md5: The same; it is what the published licence table has.
        picture: What is known of the original.
        shard: Position in the list of shards written.
        position: Place within the shard, from 0.
        offset: Where it starts in the shard, in bytes.
        length: Its length there, in bytes.
        match: The picture of a benchmark that it is the same as, if it is one.
        is_unread: Whether the file could not be read, and may be another time.
    """

    state: State
    reason: str = ""
    sha256: str = ""
    md5: str = ""
    picture: ImageMetadata | None = None
    shard: int = -1
    position: int = -1
    offset: int = -1
    length: int = -1
    match: Match | None = None
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that an older dataset holds, to be taken as it is there.

    Attributes:
        outcome: What became of the file there, and what is known of it; its place is still to be settled.
        jpeg: The picture, b"" where none could be made.
    """

    outcome: Outcome
    jpeg: bytes


Content = FileContent | Made
"""What a sample's picture is made of: the file, or why there is none, or the picture itself."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A sample to be taken out of a shard that is there already.

    Attributes:
        id: The image id.
        shard: The shard's path.
        offset: Where it starts there, in bytes.
        length: Its length in bytes.
    """

    id: str
    shard: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A shard to be made again, as it was.

    Attributes:
        path: Where it goes.
        sha256: What it was: 64 hexadecimal digits.
        ids: Its samples, in order.
    """

    path: Path
    sha256: str
    ids: Sequence[str]


def shipping_order(ids: Sequence[str], *, seed: int, shuffled: bool) -> list[int]:
    """Give the order in which samples are written.

    Args:
        ids: The samples' ids, in the order of their source.
        seed: The dataset's seed.
        shuffled: By a keyed hash of the id; otherwise as they come.

    Returns:
        Positions in ``ids``.
    """
    if not shuffled:
        return list(range(len(ids)))
    return sorted(range(len(ids)), key=lambda index: (keyed_order(seed, "order", ids[index]), ids[index]))


def pack(
    samples: Sequence[Sample],
    contents: Iterable[tuple[int, Content]],
    paths: Sequence[Path],
    *,
    where: str,
    spec: ImageSpec,
    seed: int,
    shuffled: bool,
    max_bad_percent: int,
    progress: Callable[[int], None],
    benchmarks: Benchmarks | None = None,
) -> tuple[list[Shard], list[Outcome]]:
    """Write the shards of a partition.

    Args:
        samples: The samples, in the order of their source.
        contents: For each position in ``samples`` its file, or why there is none, or a picture made of it
            before. What comes last for a position counts.
        paths: Where the shards go; samples are spread evenly over them.
        where: What messages call the partition.
        spec: How pictures are made.
        seed: The dataset's seed.
        shuffled: See :func:`shipping_order`.
        max_bad_percent: More broken samples than this stop it; a single one never does.
        progress: Told the number of samples read so far.
        benchmarks: The pictures to leave out, where there are any; for those that look the same, ``spec`` has to ask for hashes.

    Returns:
        The shards, and the outcome of each sample.

    Raises:
        TooManyBadError: Too many samples are broken; then nothing has been written.
    """
    opened: dict[int, Outcome] = {}
    with contextlib.ExitStack() as stack:
        spool = _Spool(stack.enter_context(_unnamed_file(paths)))
        for index, content in contents:
            opened[index] = _opened(content, spec, spool, benchmarks)
            progress(len(opened))
        outcomes = [opened[index] for index in range(len(samples))]
        _check_broken(outcomes, max_bad_percent, where)
        written = [index for index, outcome in enumerate(outcomes) if outcome.state is State.WRITTEN]
        order = shipping_order([samples[index].id for index in written], seed=seed, shuffled=shuffled)
        shipped = [written[place] for place in order]
        cuts = balanced(len(shipped), len(paths))
        shards = []
        for number, (path, cut) in enumerate(zip(paths, cuts, strict=True)):
            chosen = [(samples[shipped[place]], outcomes[shipped[place]]) for place in cut]
            shard, offsets = write_shard(path, (spool.record(sample, outcome) for sample, outcome in chosen))
            for position, ((_, outcome), offset) in enumerate(zip(chosen, offsets, strict=True)):
                outcome.shard, outcome.position, outcome.offset = number, position, offset
            shards.append(shard)
    return shards, outcomes


def copy_samples(copies: Sequence[Copy], paths: Sequence[Path]) -> tuple[list[Shard], list[Outcome]]:
    """Write shards of samples that other shards hold, byte for byte and in the order given.

    Raises:
        ShardError: A sample is not where it should be.
    """
    shards: list[Shard] = []
    outcomes: list[Outcome] = []
    for number, (path, cut) in enumerate(zip(paths, balanced(len(copies), len(paths)), strict=True)):
        chosen = copies[cut.start : cut.stop]
        shard, offsets = write_shard(path, _records(chosen))
        shards.append(shard)
        outcomes += [
            Outcome(State.WRITTEN, shard=number, position=position, offset=offset, length=copy.length)
            for position, (copy, offset) in enumerate(zip(chosen, offsets, strict=True))
        ]
    return shards, outcomes


def repack(
    samples: Sequence[Sample],
    contents: Iterable[tuple[int, Content]],
    lost: Sequence[Lost],
    *,
    spec: ImageSpec,
    progress: Callable[[int], None],
) -> None:
    """Make some shards of a partition again, out of the files of their samples and no others.

    Args:
        samples: The samples of these shards, in the order of their source.
        contents: As :func:`pack` takes them.
        lost: The shards.
        spec: How pictures are made.
        progress: Told the number of samples read so far.

    Raises:
        OtherBytesError: A shard would not be what it was. Those before it in ``lost`` are there.
    """
    _refuse_lacking(lost, {sample.id for sample in samples})
    outcomes: dict[str, tuple[Sample, Outcome]] = {}
    with contextlib.ExitStack() as stack:
        spool = _Spool(stack.enter_context(_unnamed_file([shard.path for shard in lost])))
        for index, content in contents:
            outcome = _opened(content, spec, spool)
            if outcome.state is not State.WRITTEN:  # once it was, and what is left of it is another shard
                raise OtherBytesError(samples[index].id)
            outcomes[samples[index].id] = samples[index], outcome
            progress(len(outcomes))
        for shard in lost:
            write_shard(shard.path, (spool.record(*outcomes[image]) for image in shard.ids), shard.sha256)


def recopy(copies: Sequence[Copy], lost: Sequence[Lost]) -> None:
    """Make some shards again that repeat samples of other shards.

    Args:
        copies: Where the samples are; others may be among them.
        lost: The shards.

    Raises:
        OtherBytesError: A shard would not be what it was. Those before it in ``lost`` are there.
        ShardError: A sample is not where it should be.
    """
    by_id = {copy.id: copy for copy in copies}
    _refuse_lacking(lost, set(by_id))
    for shard in lost:
        write_shard(shard.path, _records([by_id[image] for image in shard.ids]), shard.sha256)


def _refuse_lacking(lost: Sequence[Lost], ids: set[str]) -> None:
    """Refuse shards with samples that are no longer there, before anything is read."""
    for shard in lost:
        if not ids >= set(shard.ids):
            raise OtherBytesError(shard.path)


def _records(copies: Sequence[Copy]) -> Iterator[bytes]:
    with contextlib.ExitStack() as stack:
        opened: dict[Path, IO[bytes]] = {}
        for copy in copies:
            if copy.shard not in opened:
                opened[copy.shard] = stack.enter_context(copy.shard.open("rb"))
            yield copy_record(opened[copy.shard], copy.offset, copy.length, copy.id)


@contextlib.contextmanager
def _unnamed_file(paths: Sequence[Path]) -> Iterator[IO[bytes]]:
    """Open a file beside the shards that has no name, so that it goes with the process, however that ends."""
    if not paths:  # then nothing will be written to it
        with tempfile.TemporaryFile() as file:
            yield file
        return
    folder, name = paths[0].parent, scratch_path(paths[0]).name
    with clear_disk_errors(paths[0]):
        folder.mkdir(parents=True, exist_ok=True)
        # Where a file system knows no unnamed files, it has a name for a moment. A full disk is told
        # of while the file is there, and not when it has given back its space.
        with (
            tempfile.TemporaryFile(dir=folder, prefix=f"{name}-") as file,
            clear_disk_errors(paths[0]),
        ):
            yield file


class _Spool:
    """JPEGs waiting for their shard."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.places: dict[int, tuple[int, int]] = {}
        self.end = 0

    def put(self, outcome: Outcome, jpeg: bytes) -> None:
        """Take the JPEG of a sample."""
        self.file.write(jpeg)
        self.places[id(outcome)] = self.end, len(jpeg)
        self.end += len(jpeg)

    def record(self, sample: Sample, outcome: Outcome) -> bytes:
        """Lay a sample out as it stands in a shard."""
        offset, length = self.places[id(outcome)]
        self.file.seek(offset)
        taxon = Taxon.from_rendered(sample.ranks)
        members = {extension: text.encode() for extension, text in texts(taxon, sample.common).items()}
        record = sample_record(sample.id, {**members, IMAGE: self.file.read(length)})
        outcome.length = len(record)
        return record


def _opened(
    content: Content, spec: ImageSpec, spool: _Spool, benchmarks: Benchmarks | None = None
) -> Outcome:
    """Make the picture of one file and put it by, or say why there is none; put by one that is made already."""
    if isinstance(content, Made):
        if content.outcome.state is State.WRITTEN:
            spool.put(content.outcome, content.jpeg)
        return content.outcome
    if isinstance(content, (MemberError, OSError)):
        return _without_picture(content)
    digests = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
    if benchmarks and (match := benchmarks.match_bytes(digests[0])):
        return Outcome(State.EXCLUDED_IMAGE, match.reason, *digests, match=match)
    try:
        jpeg, picture = encode(content, spec)
    except BrokenImageError as error:
        return Outcome(error.state, error.reason, *digests)
    if benchmarks and picture.phash and (match := benchmarks.match_phash(picture.phash)):
        return Outcome(State.EXCLUDED_IMAGE, match.reason, *digests, picture, match=match)
    outcome = Outcome(State.WRITTEN, "", *digests, picture)
    spool.put(outcome, jpeg)
    return outcome


def _without_picture(error: MemberError | OSError) -> Outcome:
    if isinstance(error, MemberError):
        return Outcome(State.UNREADABLE, str(error))
    return Outcome(State.UNREADABLE, f"could not be read ({error.strerror})", is_unread=True)


def _check_broken(outcomes: Sequence[Outcome], max_bad_percent: int, where: str) -> None:
    broken = [outcome for outcome in outcomes if outcome.state in {State.UNREADABLE, State.TOO_LARGE}]
    what = f"images are broken, the first one: {broken[0].reason}" if broken else ""
    remedy = "See that the source is whole"
    check_bad_count(len(broken), len(outcomes), max_bad_percent, where=where, what=what, remedy=remedy)
