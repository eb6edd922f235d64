"""A dataset that is browsed: its rows, its images, and what is known of each."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from tol_luigi.browse.conditions import matching_rows
from tol_luigi.browse.index import open_index
from tol_luigi.browse.pictures import Pictures
from tol_luigi.browse.search import Search
from tol_luigi.core.errors import TolError, UnknownImageError
from tol_luigi.core.layout import Layout
from tol_luigi.core.ledger import State
from tol_luigi.core.sample_texts import SampleForm
from tol_luigi.dataset.opened import Dataset
from tol_luigi.features.reading import with_features
from tol_luigi.report.image_trace import image_trace_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.browse.query import Query
    from tol_luigi.browse.search import RowNumbers
    from tol_luigi.report.image_trace import ImageTrace

__all__ = ["BrowsedDataset"]

_KEY_DIGITS = 16


class BrowsedDataset:
    """A finished dataset with its index. Threads may share it.

    Args:
        folder: The folder of the dataset.
        cache: The folder in which indexes are kept.
        progress: Called with the number of indexed rows so far, if the index must be made.

    Raises:
        DatasetError: The folder contains no finished dataset.
        DamagedError: A file of the dataset is missing or damaged.
        DiskError: The index cannot be written.
    """

    def __init__(self, folder: Path, cache: Path, progress: Callable[[int], None] = lambda _: None) -> None:
        self.dataset = Dataset.open(folder)
        self.layout = Layout.of_record(self.dataset.path, self.dataset.settings)
        self.index = open_index(self.layout, cache, progress)
        self.pictures = Pictures(self.layout)
        self.image_format = SampleForm.of_record(self.dataset.settings).image
        self._searches: dict[int, Search] = {}

    @property
    def key(self) -> str:
        """What identifies the content of the dataset in addresses."""
        return self.index.key[:_KEY_DIGITS]

    def search(self, other: BrowsedDataset | None = None) -> Search:
        """Return the search of the dataset, next to another one if ``only`` is asked for."""
        number = id(other)
        if number not in self._searches:
            self._searches[number] = Search(
                self.index,
                lambda condition: matching_rows(self.layout, condition),
                lambda rows: self._only_here(other, rows),
                self._ids_of_file,
            )
        return self._searches[number]

    def _ids_of_file(self, text: str) -> list[str]:
        """Return the ids of the images that have a file name or a natural key."""
        try:
            return [trace.id for trace in self.dataset.explain(text) if trace.id]
        except UnknownImageError:
            return []

    def _only_here(self, other: BrowsedDataset | None, rows: RowNumbers) -> NDArray[np.bool_]:
        """Return whether the image of each row has a sample here, and none in another dataset."""
        numbers = np.asarray(rows)
        has_sample: NDArray[np.bool_] = self._is_written[self.index.kind[numbers]]
        if other is not None:
            found = other.index.first_rows(numbers, self.index)
            is_known = found >= 0
            has_sample[is_known] &= ~other._is_written[other.index.kind[found[is_known]]]  # noqa: SLF001 (our own)
        return has_sample

    @property
    def _is_written(self) -> NDArray[np.bool_]:
        """Whether the rows of each kind have a sample."""
        return np.array([kind.state == State.WRITTEN for kind in self.index.kinds], bool)

    def records(self, rows: RowNumbers, other: BrowsedDataset | None = None) -> list[dict[str, Any]]:
        """Return rows of the index; with the state of each image in another dataset, "" if it is not in it."""
        records = [self.index.record(int(row)) for row in rows]
        if other is not None and records:
            found = other.index.first_rows(np.asarray(rows), self.index)
            for record, row in zip(records, found.tolist(), strict=True):
                record["other"] = "" if row < 0 else other.index.kinds[other.index.kind[row]].state
        return records

    def page(
        self, query: Query, start: int, count: int, other: BrowsedDataset | None = None
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return the number of rows of a query, and some of them."""
        rows = self.search(other).rows(query)
        return len(rows), self.records(rows[start : start + count], other)

    def life(self, row: int) -> dict[str, Any]:
        """Return all that is known of the image of a row.

        What cannot be read is listed under ``faults``, one line each.
        """
        record = self.index.record(row)
        found: dict[str, Any] = {"record": record, "faults": []}
        try:
            traces = self.dataset.explain(record["id"] or record["file"], record["source"])
            trace = with_features(_of_record(traces, record), self.layout)
            found |= {"trace": _finite(image_trace_figures(trace)), "text": str(trace)}
        except TolError as error:
            found["faults"].append(str(error))
        if record["state"] == State.WRITTEN:
            try:
                sample = self.dataset[record["id"]]
                found |= {"texts": sample.texts, "row": dict(sample.row)}
            except TolError as error:
                found["faults"].append(str(error))
        return found

    def license(self, row: int) -> dict[str, str] | None:
        """Return the licence of the image of a row, None if its source publishes none.

        Raises:
            TolError: The sample or the licences cannot be read.
        """
        found = self.dataset[self.index.record(row)["id"]].license
        return asdict(found) if found else None


def _finite(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """Return figures in which floats that JSON does not have are texts."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _of_record(traces: Iterable[ImageTrace], record: dict[str, Any]) -> ImageTrace:
    """Return the trace of a row: several files may have the same name."""
    first, *others = traces
    same = (
        trace
        for trace in (first, *others)
        if (trace.partition, trace.state) == (record["partition"], record["state"])
    )
    return next(same, first)
