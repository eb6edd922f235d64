"""Packing of files into shards: read in the source's order, written in the dataset's order.

Images are read once and sequentially, which suits archives on a slow file system. What is encoded is spooled to
an unnamed file on disk until the number of samples is known. Memory depends on the number of samples, not on
their size.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple

from tol_luigi.core.bad_images import check_bad_count
from tol_luigi.core.files import clear_disk_errors, scratch_path
from tol_luigi.core.images import BrokenImageError, ImageMetadata, ImageSpec, encode_sizes
from tol_luigi.core.keys import keyed_order
from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.core.ordered import in_order
from tol_luigi.core.reader import FileContent, MemberError
from tol_luigi.core.sample_texts import encoded_texts
from tol_luigi.core.samples import texts
from tol_luigi.core.shards import (
    DifferentBytesError,
    Shard,
    balanced,
    sample_record,
    write_shard,
)
from tol_luigi.core.taxon import Taxon

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.benchmarks import Benchmarks, Match

__all__ = [
    "Content",
    "Outcome",
    "ReusedImage",
    "Sample",
    "ShardToRebuild",
    "Withheld",
    "pack",
    "repack",
    "shipping_order",
    "validate_complete",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """An image to write.

    Attributes:
        id: The image id.
        ranks: The seven rendered ranks.
        common: The common name, or its replacement.
        further: The names and the texts of further texts.
        is_json: Whether its texts are stored in one JSON member.
    """

    id: str
    ranks: tuple[str, ...]
    common: str
    further: tuple[tuple[str, str], ...] = ()
    is_json: bool = False

    @property
    def texts(self) -> dict[str, str]:
        """All texts by name, such as ``sci.txt``."""
        return {**texts(Taxon.from_rendered(self.ranks), self.common), **dict(self.further)}

    @property
    def text_members(self) -> dict[str, bytes]:
        """The members with the texts, by extension."""
        return encoded_texts(self.texts, is_json=self.is_json)


@dataclass(slots=True)
class Outcome:
    """The outcome of a sample.

    Attributes:
        state: ``WRITTEN``, or why it was not written.
        reason: The reason as text, "" for a written sample.
        sha256: The SHA-256 of the source file, "" if it could not be read.
        md5: The MD5 of the source file, which the published licence table contains.
        image_metadata: The metadata of the original.
        shard: The position in the list of written shards; for a withheld image, of the shard that it is left out of.
        position: The position within the shard, from 0.
        offset: The offset in the shard, in bytes.
        length: The length in the shard, in bytes.
        match: The benchmark image that it duplicates, if any.
        is_unread: Whether the file could not be read, which may succeed at another time.
    """

    state: State
    reason: str = ""
    sha256: str = ""
    md5: str = ""
    image_metadata: ImageMetadata | None = None
    shard: int = -1
    position: int = -1
    offset: int = -1
    length: int = -1
    match: Match | None = None
    is_unread: bool = False

    @property
    def is_usable(self) -> bool:
        """Return whether the image is written, or only withheld."""
        return self.state is State.WRITTEN or self.state in WITHHELD


@dataclass(frozen=True, slots=True)
class ReusedImage:
    """An image of the previous dataset that is reused unchanged.

    Attributes:
        outcome: The outcome of the file in the previous dataset; its location in the new shards is not yet
            set.
        image: The image of the sample, b"" if the file was rejected.
    """

    outcome: Outcome
    image: bytes


Content = FileContent | ReusedImage
"""The input for a sample: the file, or the error that prevents its use, or a reused image."""


class Withheld(NamedTuple):
    """Why a usable image is left out of its shard.

    Attributes:
        state: One of :data:`~tol_luigi.core.ledger.WITHHELD`.
        reason: The reason as text.
    """

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class ShardToRebuild:
    """A shard to write again with identical bytes.

    Attributes:
        path: The shard's path.
        sha256: The expected SHA-256, 64 hexadecimal digits.
        ids: The ids of its samples, in order.
        size: The position of its image size in :attr:`ImageSpec.sizes`.
    """

    path: Path
    sha256: str
    ids: Sequence[str]
    size: int = 0


def shipping_order(ids: Sequence[str], *, seed: int, shuffled: bool) -> list[int]:
    """Return the order in which samples are written.

    Args:
        ids: The samples' ids, in the order of their source.
        seed: The dataset's seed.
        shuffled: Whether to sort by a keyed hash of the id; otherwise the order is kept.

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
    withheld: Mapping[str, Withheld] = MappingProxyType({}),
    further: Sequence[Sequence[Path]] = (),
    threads: int = 1,
) -> tuple[list[Shard], list[Outcome], list[list[Shard]]]:
    """Write the shards of a partition.

    A withheld image is left out of its shard. All others are in the same shard, in the same order, as without it.

    Args:
        samples: The samples, in the order of their source.
        contents: Pairs of a position in ``samples`` and its content. The last pair of a position wins.
        paths: The paths of the shards; samples are distributed evenly over them.
        where: The name of the partition in messages.
        spec: How samples are made.
        seed: The dataset's seed.
        shuffled: See :func:`shipping_order`.
        max_bad_percent: The highest percentage of broken samples; one is always allowed.
        progress: Called with the number of samples read so far.
        benchmarks: The benchmark images to exclude, if any; to find near-duplicates, ``spec.hashed`` must be
            set.
        withheld: The images to leave out, if they are usable.
        further: The paths of the shards of each further size, which contain the same samples in the same order.
        threads: The number of threads that decode images; the bytes are the same with any number.

    Returns:
        The shards, the outcome of each sample, and the shards of each further size.

    Raises:
        TooManyBadError: Too many samples are broken; then nothing is written.
    """
    opened: dict[int, Outcome] = {}
    with contextlib.ExitStack() as stack:
        spool = _Spool(stack.enter_context(_unnamed_file(paths)), spec)
        made = stack.enter_context(_made(contents, spec, threads, benchmarks))
        for index, outcome, images in made:
            opened[index] = _spooled(outcome, images, spool, withheld.get(samples[index].id))
            progress(len(opened))
        outcomes = [opened[index] for index in range(len(samples))]
        _check_broken(outcomes, max_bad_percent, where)
        usable = [index for index, outcome in enumerate(outcomes) if outcome.is_usable]
        order = shipping_order([samples[index].id for index in usable], seed=seed, shuffled=shuffled)
        shipped = [usable[place] for place in order]
        cuts = balanced(len(shipped), len(paths))
        shards: list[Shard] = []
        shards_of_sizes: list[list[Shard]] = [[] for _ in further]
        for number, (path, cut) in enumerate(zip(paths, cuts, strict=True)):
            planned = [(samples[shipped[place]], outcomes[shipped[place]]) for place in cut]
            for _, outcome in planned:
                outcome.shard = number
            chosen = [pair for pair in planned if pair[1].state is State.WRITTEN]
            shard, offsets = write_shard(path, (spool.record(sample, outcome) for sample, outcome in chosen))
            for position, ((_, outcome), offset) in enumerate(zip(chosen, offsets, strict=True)):
                outcome.position, outcome.offset = position, offset
            shards.append(shard)
            for size, (others, written) in enumerate(zip(further, shards_of_sizes, strict=True), start=1):
                records = (spool.record(sample, outcome, size) for sample, outcome in chosen)
                written.append(write_shard(others[number], records)[0])
    return shards, outcomes, shards_of_sizes


def repack(
    samples: Sequence[Sample],
    contents: Iterable[tuple[int, Content]],
    damaged: Sequence[ShardToRebuild],
    *,
    spec: ImageSpec,
    progress: Callable[[int], None],
    threads: int = 1,
) -> None:
    """Write some shards of a partition again, from the files of their samples only.

    Args:
        samples: The samples of these shards, in the order of their source.
        contents: See :func:`pack`.
        damaged: The shards.
        spec: How samples are made.
        progress: Called with the number of samples read so far.
        threads: See :func:`pack`.

    Raises:
        DifferentBytesError: A shard would have other bytes. The shards before it in ``damaged`` are written.
    """
    validate_complete(damaged, {sample.id for sample in samples})
    outcomes: dict[str, tuple[Sample, Outcome]] = {}
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_unnamed_file([shard.path for shard in damaged]))
        spool = _Spool(file, spec)
        for index, outcome, images in stack.enter_context(_made(contents, spec, threads)):
            if outcome.state is not State.WRITTEN:  # it was written before, so the shard would differ
                raise DifferentBytesError(samples[index].id)
            spool.put(outcome, images)
            outcomes[samples[index].id] = samples[index], outcome
            progress(len(outcomes))
        for shard in damaged:
            records = (spool.record(*outcomes[image], shard.size) for image in shard.ids)
            write_shard(shard.path, records, shard.sha256)


def validate_complete(damaged: Sequence[ShardToRebuild], ids: set[str]) -> None:
    """Raise an error if samples of a shard no longer exist, before anything is read.

    Raises:
        DifferentBytesError: Some do not.
    """
    for shard in damaged:
        if not ids >= set(shard.ids):
            raise DifferentBytesError(shard.path)


@contextlib.contextmanager
def _unnamed_file(paths: Sequence[Path]) -> Iterator[IO[bytes]]:
    """Open an unnamed file in the folder of the shards, which disappears with the process."""
    if not paths:  # nothing will be written to it
        with tempfile.TemporaryFile() as file:
            yield file
        return
    folder, name = paths[0].parent, scratch_path(paths[0]).name
    with clear_disk_errors(paths[0]):
        folder.mkdir(parents=True, exist_ok=True)
        # Without support for unnamed files, the file has a name for a moment. The inner context reports a
        # full disk before the file is closed and frees its space.
        with (
            tempfile.TemporaryFile(dir=folder, prefix=f"{name}-") as file,
            clear_disk_errors(paths[0]),
        ):
            yield file


class _Spool:
    """Images waiting for their shard."""

    def __init__(self, file: IO[bytes], spec: ImageSpec) -> None:
        self.file, self.extension = file, spec.image_format.extension
        self.places: dict[tuple[int, int], tuple[int, int]] = {}
        self.end = 0

    def put(self, outcome: Outcome, images: Sequence[bytes]) -> None:
        """Append the image of a sample in each size."""
        for size, image in enumerate(images):
            self.file.write(image)
            self.places[id(outcome), size] = self.end, len(image)
            self.end += len(image)

    def record(self, sample: Sample, outcome: Outcome, size: int = 0) -> bytes:
        """Return the bytes of a sample in a shard of one of the sizes."""
        offset, length = self.places[id(outcome), size]
        self.file.seek(offset)
        record = sample_record(sample.id, {**sample.text_members, self.extension: self.file.read(length)})
        if not size:
            outcome.length = len(record)
        return record


_AHEAD = 2
"""How many files a thread has at most: the one it decodes, and one that is next or waits for its turn to be spooled."""

_FILE_BYTES = 8 << 20
"""A larger file counts as several, so that the memory for them does not depend on their sizes, except for the largest one."""


def _made(
    contents: Iterable[tuple[int, Content]],
    spec: ImageSpec,
    threads: int,
    benchmarks: Benchmarks | None = None,
) -> contextlib.closing[Generator[tuple[int, Outcome, Sequence[bytes]]]]:
    """Decode files; yield the position, the outcome and the images of each, in the order of the files."""

    def make(pair: tuple[int, Content]) -> tuple[int, Outcome, Sequence[bytes]]:
        return pair[0], *_make(pair[1], spec, benchmarks)

    def files(pair: tuple[int, Content]) -> int:
        return 1 + (len(pair[1]) // _FILE_BYTES if isinstance(pair[1], bytes) else 0)

    return contextlib.closing(in_order(make, contents, threads, ahead=_AHEAD * threads, size=files))


def _make(
    content: Content, spec: ImageSpec, benchmarks: Benchmarks | None
) -> tuple[Outcome, Sequence[bytes]]:
    """Return the outcome of a file or of a reused image, and the image in each size; none if there is no sample."""
    if isinstance(content, ReusedImage):
        return content.outcome, [content.image]
    if isinstance(content, (MemberError, OSError)):
        return _failure(content), ()
    digests = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
    if benchmarks and (match := benchmarks.match_bytes(digests[0])):
        return Outcome(State.EXCLUDED_IMAGE, match.reason, *digests, match=match), ()
    try:
        images, metadata = encode_sizes(content, spec)
    except BrokenImageError as error:
        return Outcome(error.state, error.reason, *digests), ()
    if benchmarks and metadata.phash and (match := benchmarks.match_phash(metadata.phash)):
        return Outcome(State.EXCLUDED_IMAGE, match.reason, *digests, metadata, match=match), ()
    return Outcome(State.WRITTEN, "", *digests, metadata), images


def _spooled(outcome: Outcome, images: Sequence[bytes], spool: _Spool, withheld: Withheld | None) -> Outcome:
    """Spool the images of a sample to write; return the outcome, which is another one if the image is withheld."""
    if withheld and outcome.is_usable:
        outcome.state, outcome.reason = withheld
    elif outcome.state is State.WRITTEN:
        spool.put(outcome, images)
    return outcome


def _failure(error: MemberError | OSError) -> Outcome:
    if isinstance(error, MemberError):
        return Outcome(State.UNREADABLE, str(error))
    return Outcome(State.UNREADABLE, f"could not be read ({error.strerror})", is_unread=True)


def _check_broken(outcomes: Sequence[Outcome], max_bad_percent: int, where: str) -> None:
    broken = [outcome for outcome in outcomes if outcome.state in {State.UNREADABLE, State.TOO_LARGE}]
    what = f"images are broken, the first one: {broken[0].reason}" if broken else ""
    remedy = "Check that the source is complete"
    check_bad_count(len(broken), len(outcomes), max_bad_percent, where=where, what=what, remedy=remedy)
