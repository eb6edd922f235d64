"""Run extractors over a stream of samples, in batches.

Samples are prepared by several threads, and run in their order. What comes out depends neither on the number of threads,
nor, since batches end where parts end, on the part at which the work begins.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import FeatureError, TolError
from tol_luigi.features.samples import SampleError, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from tol_luigi.features.extractor import Columns, Extractor
    from tol_luigi.features.samples import FeatureSample

__all__ = ["Part", "part_columns", "parts"]

_CHUNKS_AHEAD = 2
"""How many batches are prepared while one is run."""


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


Prepared = dict[str, Any]
"""By name of an extractor, what it has prepared of a sample, or the SampleError."""


def _prepared(
    chunks: Iterable[list[FeatureSample]], extractors: Sequence[Extractor], threads: int
) -> Iterator[list[tuple[tuple[str, str], Prepared]]]:
    """Yield batches of samples as (uid, key) and what the extractors have prepared of them, in order."""
    if threads == 1:
        for chunk in chunks:
            yield [((sample.uid, sample.key), _prepare(sample, extractors)) for sample in chunk]
        return
    ahead: deque[list[tuple[FeatureSample, Future[Prepared]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
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


def parts(
    samples: Iterator[FeatureSample],
    extractors: Sequence[Extractor],
    rows: int,
    batch: int,
    threads: int,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Part]:
    """Run extractors, and yield parts.

    Args:
        samples: The samples, from the beginning of a part on.
        extractors: The extractors, each after those that it depends on.
        rows: The number of samples of a part.
        batch: The number of samples in a batch, unless an extractor has its own.
        threads: The number of threads that prepare samples.
        progress: Called after each batch with the number of its samples.
    """
    ids, values = _empty(extractors)
    for chunk in _prepared(_chunks(samples, batch, rows), extractors, threads):
        ids += [one for one, _ in chunk]
        for extractor in extractors:
            _run_all(extractor, [prepared[extractor.name] for _, prepared in chunk], values, batch)
        progress(len(chunk))
        if len(ids) == rows:
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


def part_columns(ids: list[tuple[str, str]], own: _Values, start: int) -> dict[str, Any]:
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
            if vector is None:
                continue
            if np.shape(vector) != (dimensions,):  # numpy would repeat a single number
                what = f"its values of {name} have the shape {np.shape(vector)}, not ({dimensions},)"
                raise FeatureError(f"extractor {own.extractor.name}", what, "Correct the extractor")
            rows[place] = vector
        columns[f"vector {name}"] = rows
    return columns
