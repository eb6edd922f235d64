"""Which image of a source each listed file is: columns at a time, since there are millions of them.

Images are numbered in the order of their ids, so that what is looked up and what is made go the same way from there on.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.batches import BATCH
from tol_luigi.core.keys import image_ids
from tol_luigi.core.ledger import State
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.store.hash_index import RowIndex
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import key_fields, listing_schema, read_listing
from tol_luigi.store.row_groups import pieces
from tol_luigi.store.runs import NONE, begins_run, first_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.source import Column, Found, SourceInfo

    Numbers = NDArray[np.int64]

__all__ = ["Identities", "Listed", "identify", "image_schema"]

Rows = TypeVar("Rows", pa.Array, pa.ChunkedArray, pa.Table)

_NUMBER = "number"


@dataclass(frozen=True)
class Listed:
    """One source, scanned.

    Attributes:
        source: The source.
        partitions: Its partitions, in order.
        listings: Its listing files, in order.
        unlisted: The files that are in no listing.
    """

    source: SourceInfo
    partitions: tuple[str, ...]
    listings: tuple[Path, ...]
    unlisted: Iterable[Found] = ()

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.source.name

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its natural key."""
        return self.source.columns

    @property
    def keys(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]


def image_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Give the columns of a table of images: the natural key and the id."""
    return pa.schema([*key_fields(columns), (IMAGE_ID, pa.string())])


@dataclass(frozen=True)
class Identities:
    """The images of a source, and which of its files they are.

    Attributes:
        source: The source.
        images: Natural key and id of every image, in the order of the ids; see :func:`image_schema`.
        places: ``partition`` (from 0, in the source's order), ``position`` and id of every image that has a file, in the
            same order.
        numbers: For each listed file that can be an image, in the order of the listings, the row of ``images``; -1 where
            it is none of them.
        firsts: For each row of ``images`` the first of those files; -1 where there is none.
        counts: How many of those files each listing has.
    """

    source: Listed
    images: pa.Table
    places: pa.Table
    numbers: Numbers
    firsts: Numbers
    counts: list[int]

    def left_out(self) -> Iterator[list[dict[str, Any]]]:
        """Give a ledger row for each file that the mapping does not hold, in the order of the listings, some at a time."""
        kept = self.numbers != NONE
        kept[kept] = self.firsts[self.numbers[kept]] == np.flatnonzero(kept)
        start = 0
        for listing, count in zip(self.source.listings, self.counts, strict=True):
            if not kept[start : start + count].all() or count < pq.read_metadata(listing).num_rows:
                yield from self._left_out_of(listing, start, kept)
            start += count

    def _left_out_of(
        self, listing: Path, row: int, kept: NDArray[np.bool_]
    ) -> Iterator[list[dict[str, Any]]]:
        for files in read_listing(listing, ["partition", "member", "id", "state", "reason"]):
            rows = []
            for file in files:
                if file["state"]:
                    rows.append(self._row(file, file["id"], file["state"], file["reason"]))
                    continue
                if not kept[row]:
                    rows.append(self._row(file, *self._why(file["id"], int(self.numbers[row]))))
                row += 1
            yield rows

    def _why(self, published: str, number: int) -> tuple[str, str, str]:
        """Tell id, state and reason of a file that is no image, or not the first of one."""
        if number != NONE:
            image = self.images[IMAGE_ID][number].as_py()
            return image, State.DUPLICATE_NAME, "an earlier image has the same natural key"
        reason = "no published mapping tells what this id is" if published else "not in the published mapping"
        return published, State.NOT_IN_MAPPING, reason

    def _row(self, file: dict[str, Any], image: str, state: str, reason: str) -> dict[str, Any]:
        return ledger_row(image, self.source.name, file["partition"], file["member"], state, reason)

    def missing(self) -> Iterator[list[dict[str, Any]]]:
        """Give a ledger row for each image that has no file, in the order of the ids, some at a time."""
        reason = "the published mapping lists it, no source holds it"
        for batch in self.images.filter(self.firsts == NONE).to_batches(BATCH):
            yield [
                ledger_row(image, self.source.name, "", "/".join(map(str, key)), State.MISSING, reason)
                for *key, image in zip(*(column.to_pylist() for column in batch.columns), strict=True)
            ]


def identify(source: Listed, known: pa.Table | None) -> Identities:
    """Find out which image each listed file is; the first of a natural key, in the order of the listings, is the image.

    A name that is an id does not tell the natural key, so such a file is an image only where the id is known. Memory is
    about 210 bytes a file, of names as short as EOL's; 59 million images of a source are the most, as their ids then fill an
    Arrow column.

    Args:
        source: The source.
        known: The published images of the source, as :func:`image_schema` says and in the order of their ids, which are
            then the only ones; or None: each natural key makes an image.
    """
    index = None if known is None else _Known(source, known)
    listed = [_files(listing, source, index) for listing in source.listings]
    files = pa.concat_tables(listed)
    images, numbers = _made(source, files) if known is None else (known, files[_NUMBER].to_numpy())
    rows = np.flatnonzero(numbers != NONE)
    firsts = first_rows(numbers[rows], rows, len(images))
    placed = firsts != NONE
    places = files.select(["partition", "position"]).take(pa.array(firsts[placed]))
    places = places.append_column(IMAGE_ID, _kept(images[IMAGE_ID], placed))
    return Identities(source, images, places, numbers, firsts, [len(table) for table in listed])


def _files(listing: Path, source: Listed, known: _Known | None) -> pa.Table:
    """Read the files of a listing that can be images; where images are known, their numbers in the place of what tells them."""
    columns = ["partition", "position", *source.keys, "id", "state"]
    names = pa.array(source.partitions, pa.string())
    none = listing_schema(source.columns).empty_table().select(columns)  # a listing may have no row groups
    read = []
    for rows in itertools.chain([none], pieces(listing, columns)):
        files = _kept(rows.drop_columns("state"), np.asarray(pc.equal(rows["state"], "")))
        files = files.set_column(0, "partition", pc.index_in(files["partition"], value_set=names))
        read.append(files if known is None else known.numbered(files))
    return pa.concat_tables(read)


def _made(source: Listed, files: pa.Table) -> tuple[pa.Table, Numbers]:
    """Make an image of each natural key, and tell the number of each file's image."""
    by_key = np.asarray(pc.equal(files["id"], ""))
    keyed = np.flatnonzero(by_key)
    keys = _kept(files.select(source.keys), by_key)
    made = pa.concat_arrays(
        [pa.array([], pa.string()), *(_ids(source, batch) for batch in keys.to_batches(BATCH))]
    )
    order = pc.sort_indices(made).to_numpy()
    made = made.take(pa.array(order))
    starts = begins_run(made)
    numbers = np.full(len(files), NONE, np.int64)
    numbers[keyed[order]] = np.cumsum(starts) - 1
    images = keys.take(pa.array(order[starts])).append_column(IMAGE_ID, _kept(made, starts))
    return images, numbers


def _kept(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    """Keep some rows of a table or column; where that is all of them, as it mostly is, without a copy."""
    return rows if mask.all() else rows.filter(pa.array(mask))


def _ids(source: Listed, keys: pa.RecordBatch) -> pa.Array:
    """Make the ids of natural keys."""
    spelt = map(source.source.key.spelling.format, *(column.to_pylist() for column in keys.columns))
    return pa.array(image_ids(source.name, spelt), pa.string())


class _Known:
    """Finds the image of a file: by its name if that is an id, else by the natural key."""

    def __init__(self, source: Listed, images: pa.Table) -> None:
        self._keys, self._images = source.keys, images

    @functools.cached_property
    def _by_key(self) -> RowIndex:
        return RowIndex(self._images.select(self._keys))

    @functools.cached_property
    def _by_id(self) -> RowIndex:
        return RowIndex(self._images.select([IMAGE_ID]))  # which files of most sources are not named by

    def numbered(self, files: pa.Table) -> pa.Table:
        """Put the number of its image in the place of what tells it."""
        numbers = np.full(len(files), NONE, np.int64)
        named = np.asarray(pc.not_equal(files["id"], ""))
        if named.any():
            numbers[named] = self._by_id.first(_kept(files.select(["id"]), named))
        if not named.all():
            numbers[~named] = self._by_key.first(_kept(files.select(self._keys), ~named))
        return files.select(["partition", "position"]).append_column(_NUMBER, pa.array(numbers))
