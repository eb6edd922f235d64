"""Which images of a listing a preferred source lists, too, so that nobody is asked for them twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.keys import hashed_number
from tol_luigi.core.ledger import State
from tol_luigi.core.parquet import parquet_batches
from tol_luigi.store.runs import are_in
from tol_luigi.tasks.shared_images import preferred_order
from tol_luigi.tasks.url_settings import url_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tol_luigi.core.layout import Layout
    from tol_luigi.tasks.settings import Settings

__all__ = ["ListedElsewhere", "listed_before"]

_LONGEST = 18
"""The most digits of an id that is compared as a number: of more, it may not fit into 64 bits."""


def listed_before(settings: Settings, source: str) -> list[str]:
    """Return the fetched sources that are preferred to a source and have images of the same collection."""
    order = preferred_order(settings)
    collection = settings.sources[source].labeler.shared_collection
    return [
        name
        for name in order[: order.index(source)]
        if collection
        and settings.plugins[name].is_fetched
        and settings.sources[name].labeler.shared_collection == collection
    ]


class ListedElsewhere:
    """The images of preferred sources, by their ids in the collection that the sources share.

    It holds eight bytes for each of them. Ids that are no numbers are compared by a hash.

    Args:
        settings: The settings.
        layout: The layout of the dataset, in which the URLs of preferred sources are listed.
        source: The source whose images are looked up.
    """

    def __init__(self, settings: Settings, layout: Layout, source: str) -> None:
        self._listed = {
            name: np.sort(np.fromiter(_numbers(settings, layout, name), np.uint64))
            for name in listed_before(settings, source)
        }
        self._number = _number_of(settings, source) if self._listed else None

    def excluded(self, rows: pa.Table) -> pa.Table:
        """Return rows of a listing, with a state and a reason for those that a preferred source lists, too."""
        if self._number is None:
            return rows
        found = self._sources([self._number(key) for key in rows["key"].to_pylist()])
        if not any(found):
            return rows
        preferred = pa.array(found, pa.string())
        reasons = pc.binary_join_element_wise(
            "the same image as one of ", preferred, " ([dataset] prefer)", ""
        )
        is_excluded = pc.and_(pc.not_equal(preferred, ""), pc.equal(rows["state"], ""))
        for name, values in (("reason", reasons), ("state", str(State.IN_OTHER_SOURCE))):
            column = pc.if_else(is_excluded, values, rows[name])
            rows = rows.set_column(rows.schema.get_field_index(name), name, column)
        return rows

    def _sources(self, numbers: Sequence[int | None]) -> list[str]:
        """Return for each number of an image the first preferred source that lists the same image, "" if none does."""
        found = [""] * len(numbers)
        places = np.array([place for place, number in enumerate(numbers) if number is not None], np.int64)
        own = np.array([number for number in numbers if number is not None], np.uint64)
        for name, listed in reversed(self._listed.items()):
            for place in places[are_in(listed, own)]:
                found[place] = name
        return found


def _numbers(settings: Settings, layout: Layout, source: str) -> Iterator[int]:
    """Yield the numbers of the images that a source fetches."""
    number_of = _number_of(settings, source)
    for batch in parquet_batches(layout.urls(source), ["key", "state"]):
        for key, state in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if not state and (number := number_of(key)) is not None:
                yield number


def _number_of(settings: Settings, source: str) -> Callable[[str], int | None]:
    """Return a function that returns the number of the image of a row, None if it is in no shared collection."""
    reader = url_reader(settings, source)
    shared_id = settings.sources[source].labeler.shared_ids()

    def number(key: str) -> int | None:
        text = shared_id(reader.key_of(key))
        if text.isdecimal() and len(text) <= _LONGEST:
            return int(text)
        return hashed_number(text) if text else None

    return number
