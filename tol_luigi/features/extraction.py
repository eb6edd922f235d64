"""Run extractors over the samples of one shard.

Samples are prepared by several threads, and run in batches in the order of the shard. What is written does not depend
on the number of threads, nor on how often the work was interrupted.
"""

from __future__ import annotations

import functools
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import FeatureError, TolError
from tol_luigi.features.family_files import PART_ROWS, FamilyFiles, TarIdentity
from tol_luigi.features.samples import SampleError, Status
from tol_luigi.features.tars import TarSamples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from tol_luigi.features.extractor import Columns, Extractor
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Extraction", "ExtractionSpec", "families"]

_CHUNKS_AHEAD = 2
"""How many batches are prepared while one is run."""


@dataclass(frozen=True)
class ExtractionSpec:
    """How extractors are run.

    Attributes:
        batch: The number of samples in a batch, unless an extractor has its own.
        threads: The number of threads that prepare samples.
        max_error_percent: The largest percentage of unusable samples of a shard; one is always allowed.
        text: The extension of the text of a sample.
        rerun: Whether to compute everything again.
    """

    batch: int = 32
    threads: int = 1
    max_error_percent: float = 1.0
    text: str = "txt"
    rerun: bool = False


def families(
    folder: Path, name: str, extractors: Sequence[Extractor], prints: Mapping[str, str]
) -> list[FamilyFiles[Extractor]]:
    """Return the files of each extractor for one shard.

    Args:
        folder: The folder of all families.
        name: The name of the shard without its extension.
        extractors: The extractors.
        prints: Their fingerprints.
    """
    return [FamilyFiles(folder, name, extractor, prints[extractor.name]) for extractor in extractors]


@dataclass
class _Values:
    """The results of one extractor for a part: a value, or a row of a vector, for each sample."""

    extractor: Extractor
    status: list[str] = field(default_factory=list)
    error: list[str | None] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [column.name for column in self.extractor.columns]
        self.values = {name: [] for name in [*names, *(vector.name for vector in self.extractor.vectors)]}

    def is_usable(self, place: int) -> bool:
        return self.status[place] == Status.OK

    def add_error(self, status: Status, reason: str) -> None:
        self.status.append(status)
        self.error.append(reason[:_REASON])
        for values in self.values.values():
            values.append(None)

    def reach(self, place: int, columns: Columns, index: int) -> None:
        """Set the results of the sample at a place that has been found usable."""
        for name, values in self.values.items():
            values[place] = columns[name][index]


_REASON = 300
"""The longest reason of an error in characters."""


class Extraction:
    """The extraction of features from one shard.

    Args:
        url: The tar; see :func:`~tol_luigi.features.tars.open_tar`.
        files: The families; each after those that it depends on.
        spec: How to run them.
        sha256: The SHA-256 that the tar must have, "" if it is not known.
    """

    def __init__(
        self, url: str, files: Sequence[FamilyFiles[Extractor]], spec: ExtractionSpec, sha256: str = ""
    ) -> None:
        self.url, self.files, self.spec, self.sha256 = url, files, spec, sha256

    @functools.cached_property
    def _current_sha256(self) -> str:
        """The SHA-256 of the tar, which is read for it if it is not known."""
        if self.sha256:
            return self.sha256
        samples = TarSamples(self.url)
        deque(samples, maxlen=0)
        return samples.sha256

    def stale(self) -> list[FamilyFiles[Extractor]]:
        """Return the families that have to be computed.

        A tar whose SHA-256 is not known counts as unchanged if size and time of modification are; else its
        SHA-256 is computed.
        """
        if self.spec.rerun:
            return list(self.files)
        return [one for one in self.files if not self._is_fresh(one)]

    def _is_fresh(self, one: FamilyFiles[Extractor]) -> bool:
        receipt = one.receipt()
        if receipt is None:
            return False
        if not self.sha256:
            state = _size_and_time(self.url)
            if state[1] and state == (receipt.notes.get("tar_bytes"), receipt.notes.get("tar_modified")):
                return True
        return receipt.inputs["tar"] == self._current_sha256

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[FamilyFiles[Extractor]]:
        """Compute the stale families, and return them.

        Args:
            progress: Called with the number of samples so far.

        Raises:
            ShardError: The tar cannot be read.
            FeatureError: An extractor fails for whole batches, or too many samples are unusable.
        """
        stale = self.stale()
        if not stale:
            return []
        for one in stale:
            if self.spec.rerun:
                one.remove_parts()
        needed = _needed(self.files, {one.extractor.name for one in stale})
        before = _size_and_time(self.url)
        samples = TarSamples(self.url, self.spec.text)
        done = min(one.count_parts() for one in stale)
        for one in needed:
            one.extractor.load_once()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd images
            rows = self._write_parts(samples, needed, stale, done, progress)
        if not rows:
            raise FeatureError(self.url, "it has no samples", "Remove it from the list, or write it again")
        self._validate(samples, before)
        # A tar whose SHA-256 is known need not be recognised by its time, which differs from copy to copy.
        identity = TarIdentity(samples.sha256, samples.size, 0 if self.sha256 else before[1])
        for one in stale:
            self._validate_errors(one)
            one.finish(identity)
        return stale

    def _write_parts(
        self,
        samples: TarSamples,
        needed: Sequence[FamilyFiles[Extractor]],
        stale: Sequence[FamilyFiles[Extractor]],
        done: int,
        progress: Callable[[int], None],
    ) -> int:
        """Write the parts from a number on; return the number of samples."""
        stream = iter(samples)
        skipped = sum(1 for _ in islice(stream, done * PART_ROWS))
        progress(skipped)
        extractors = [one.extractor for one in needed]
        parts = _parts(_prepared(stream, extractors, self.spec), extractors, self.spec.batch)
        complete = [(one, one.count_parts()) for one in stale]
        for number, (rows, values) in enumerate(parts, start=done):
            for one, count in complete:
                if number >= count:
                    one.write_part(number, _columns(rows, values[one.extractor.name], number * PART_ROWS))
            skipped += len(rows)
            progress(skipped)
        return skipped

    def _validate(self, samples: TarSamples, before: tuple[int, int]) -> None:
        """Raise an error if the tar is not the expected one, or has changed meanwhile."""
        if self.sha256 and samples.sha256 != self.sha256:
            what = "it differs from its receipt"
            raise FeatureError(self.url, what, "Run tol verify --repair, and then the same command again")
        if before != _size_and_time(self.url):
            raise FeatureError(self.url, "it has changed while it was read", "Run the same command again")

    def _validate_errors(self, one: FamilyFiles[Extractor]) -> None:
        """Raise an error if too many samples are unusable; the parts with errors of the extractor are removed."""
        errors: list[tuple[str, str, str]] = []
        first, rows = -1, 0
        for number, part in enumerate(one.read_parts(["key", "status", "error"])):
            rows += len(part)
            found = [
                (row["key"], row["status"], row["error"])
                for row in part.to_pylist()
                if row["status"] != Status.OK
            ]
            if first < 0 and any(status == Status.EXTRACTOR_ERROR for _, status, _ in found):
                first = number
            errors += found
        allowed = max(1, int(rows * self.spec.max_error_percent / 100))
        if len(errors) <= allowed and not (rows and len(errors) == rows):
            return
        if first >= 0:
            one.remove_parts(first)
        key, status, reason = errors[0]
        what = (
            f"{len(errors)} of {rows} samples cannot be used by {one.extractor.name}; "
            f"the first is {key} ({status}: {reason})"
        )
        raise FeatureError(self.url, what, "Correct the cause, or raise [features] max_error_percent")


def _size_and_time(url: str) -> tuple[int, int]:
    """Return size and time of modification of a local file, (0, 0) for anything else."""
    try:
        status = Path(url).stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _needed(files: Sequence[FamilyFiles[Extractor]], names: set[str]) -> list[FamilyFiles[Extractor]]:
    """Return the families with these names and those that they depend on, in order."""
    wanted = set(names)
    for one in reversed(files):
        if one.extractor.name in wanted:
            wanted.update(one.extractor.depends)
    return [one for one in files if one.extractor.name in wanted]


Prepared = dict[str, Any]
"""By name of an extractor, what it has prepared of a sample, or the SampleError."""


def _prepared(
    samples: Iterator[FeatureSample], extractors: Sequence[Extractor], spec: ExtractionSpec
) -> Iterator[list[tuple[tuple[str, str], Prepared]]]:
    """Yield batches of samples as (uid, key) and what the extractors have prepared of them, in order."""
    chunks = _chunks(samples, spec.batch, PART_ROWS)
    if spec.threads == 1:
        for chunk in chunks:
            yield [((sample.uid, sample.key), _prepare(sample, extractors)) for sample in chunk]
        return
    ahead: deque[list[tuple[FeatureSample, Future[Prepared]]]] = deque()
    with ThreadPoolExecutor(spec.threads) as pool:
        for chunk in chunks:
            ahead.append([(sample, pool.submit(_prepare, sample, extractors)) for sample in chunk])
            if len(ahead) > _CHUNKS_AHEAD:
                yield _finished(ahead.popleft())
        while ahead:
            yield _finished(ahead.popleft())


def _finished(chunk: list[tuple[FeatureSample, Future[Prepared]]]) -> list[tuple[tuple[str, str], Prepared]]:
    return [((sample.uid, sample.key), future.result()) for sample, future in chunk]


def _prepare(sample: FeatureSample, extractors: Sequence[Extractor]) -> Prepared:
    return {extractor.name: _attempt(sample, extractor) for extractor in extractors}


def _attempt(sample: FeatureSample, extractor: Extractor) -> Any:  # noqa: ANN401 (what run expects)
    try:
        return extractor.prepare(sample)
    except SampleError as error:
        return error
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (an extractor of another package can raise anything)
        return SampleError(Status.EXTRACTOR_ERROR, _reason(error))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


Part = tuple[list[tuple[str, str]], dict[str, _Values]]
"""(uid, key) of each sample of a part, and the results by name of the extractor."""


def _chunks(samples: Iterator[FeatureSample], size: int, rows: int) -> Iterator[list[FeatureSample]]:
    """Yield batches of samples that end where parts end, so that they do not depend on where the work begins."""
    filled = 0
    while chunk := list(islice(samples, min(size, rows - filled))):
        yield chunk
        filled = (filled + len(chunk)) % rows


def _parts(
    chunks: Iterable[list[tuple[tuple[str, str], Prepared]]], extractors: Sequence[Extractor], batch: int
) -> Iterator[Part]:
    """Run the extractors, and yield parts."""
    ids, values = _empty(extractors)
    for chunk in chunks:
        ids += [one for one, _ in chunk]
        for extractor in extractors:
            _run_all(extractor, [prepared[extractor.name] for _, prepared in chunk], values, batch)
        if len(ids) == PART_ROWS:
            yield ids, values
            ids, values = _empty(extractors)
    if ids:
        yield ids, values


def _empty(extractors: Sequence[Extractor]) -> Part:
    return [], {extractor.name: _Values(extractor) for extractor in extractors}


def _run_all(extractor: Extractor, prepared: list[Any], values: dict[str, _Values], batch: int) -> None:
    """Run an extractor over samples, and append its results."""
    own = values[extractor.name]
    first = len(own.status)
    depends = [values[name] for name in extractor.depends]
    for offset, one in enumerate(prepared):
        if isinstance(one, SampleError):
            own.add_error(one.status, one.reason)
        elif lacking := [each.extractor.name for each in depends if not each.is_usable(first + offset)]:
            own.add_error(Status.DEPENDENCY_ERROR, f"{lacking[0]} has no result")
        else:
            own.add_error(Status.OK, "")
            own.error[-1] = None
    usable = [offset for offset in range(len(prepared)) if own.is_usable(first + offset)]
    for places in batched(usable, extractor.batch_size or batch):
        _run_halving(extractor, places, prepared, first, values)


def _run_halving(
    extractor: Extractor, offsets: list[int], prepared: list[Any], first: int, values: dict[str, _Values]
) -> int:
    """Run an extractor on a batch; on its halves, if that fails. Return how many samples have succeeded.

    A batch may not fit into the memory, or a sample may be one that the extractor cannot process.

    Raises:
        FeatureError: It fails for every one of several samples, so it is no matter of samples.
    """
    own = values[extractor.name]
    try:
        columns = _run(extractor, offsets, prepared, first, values)
    except TolError:
        raise
    except Exception as error:
        if len(offsets) == 1:
            place = first + offsets[0]
            own.status[place], own.error[place] = Status.EXTRACTOR_ERROR, _reason(error)[:_REASON]
            return 0
        middle = len(offsets) // 2
        halves = offsets[:middle], offsets[middle:]
        succeeded = sum(_run_halving(extractor, half, prepared, first, values) for half in halves)
        if not succeeded:
            what = f"it fails for every sample of a batch ({_reason(error)[:_REASON]})"
            raise FeatureError(f"extractor {extractor.name}", what, "Correct it, or its model") from error
        return succeeded
    for index, offset in enumerate(offsets):
        own.reach(first + offset, columns, index)
    return len(offsets)


def _run(
    extractor: Extractor, offsets: list[int], prepared: list[Any], first: int, values: dict[str, _Values]
) -> Columns:
    before = {
        name: {
            key: [column[first + offset] for offset in offsets] for key, column in values[name].values.items()
        }
        for name in extractor.depends
    }
    columns = extractor.run([prepared[offset] for offset in offsets], before)
    for name in values[extractor.name].values:
        if name not in columns or len(columns[name]) != len(offsets):
            count = len(columns[name]) if name in columns else "no"
            what = f"it returns {count} values of {name} for {len(offsets)} samples"
            raise FeatureError(f"extractor {extractor.name}", what, "Correct the extractor")
    return columns


def _columns(ids: list[tuple[str, str]], own: _Values, start: int) -> dict[str, Any]:
    """Return the columns of a part as they are stored."""
    count = len(ids)
    columns: dict[str, Any] = {
        "uid": [uid for uid, _ in ids],
        "key": [key for _, key in ids],
        "row": range(start, start + count),
        "status": own.status,
        "error": own.error,
    }
    columns |= {column.name: own.values[column.name] for column in own.extractor.columns}
    for name, dimensions in own.extractor.vectors:
        rows = np.full((count, dimensions), np.nan, np.float32)
        for place, vector in enumerate(own.values[name]):
            if vector is not None:
                rows[place] = vector
        columns[f"vector {name}"] = rows
    return columns
