"""The image of a source for each listed file, computed column by column because there are millions of files.

Images are numbered in the order of their ids, whether they come from a published mapping or are created here.
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
from tol_luigi.core.source_names import base_of
from tol_luigi.store.hash_index import RowIndex
from tol_luigi.store.ledger import ledger_row
from tol_luigi.store.listings import key_fields, listing_schema, read_listing
from tol_luigi.store.row_groups import pieces
from tol_luigi.store.runs import NONE, begins_run, first_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.reader import Found
    from tol_luigi.core.source import Column, SourceInfo

    Numbers = NDArray[np.int64]

__all__ = ["Identities", "ScannedSource", "identify", "image_schema"]

Rows = TypeVar("Rows", pa.Array, pa.ChunkedArray, pa.Table)

_NUMBER = "number"


@dataclass(frozen=True)
class ScannedSource:
    """A source and the results of its scan.

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
    """Return the columns of a table of images: the natural key and the id."""
    return pa.schema([*key_fields(columns), (IMAGE_ID, pa.string())])


@dataclass(frozen=True)
class Identities:
    """The images of a source and their files.

    Attributes:
        source: The source.
        images: Natural key and id of every image, in the order of the ids; see :func:`image_schema`.
        places: ``partition`` (from 0, in the source's order), ``position`` and id of every image that has a
            file, in the same order.
        numbers: The row of ``images`` for each listed file that can be an image, in the order of the
            listings; -1 if the file is not an image.
        firsts: The first of these files for each row of ``images``; -1 if there is none.
        counts: The number of these files in each listing.
    """

    source: ScannedSource
    images: pa.Table
    places: pa.Table
    numbers: Numbers
    firsts: Numbers
    counts: list[int]

    def rejected(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of files outside the mapping, in batches, in the order of the listings."""
        kept = self.numbers != NONE
        kept[kept] = self.firsts[self.numbers[kept]] == np.flatnonzero(kept)
        start = 0
        for listing, count in zip(self.source.listings, self.counts, strict=True):
            if not kept[start : start + count].all() or count < pq.read_metadata(listing).num_rows:
                yield from self._rejected_in(listing, start, kept)
            start += count

    def _rejected_in(
        self, listing: Path, row: int, kept: NDArray[np.bool_]
    ) -> Iterator[list[dict[str, Any]]]:
        for files in read_listing(listing, ["partition", "member", "id", "state", "reason"]):
            rows = []
            for file in files:
                if file["state"]:
                    rows.append(self._row(file, file["id"], file["state"], file["reason"]))
                    continue
                if not kept[row]:
                    rows.append(self._row(file, *self._rejection(file["id"], int(self.numbers[row]))))
                row += 1
            yield rows

    def _rejection(self, published: str, number: int) -> tuple[str, str, str]:
        """Return id, state and reason for a file that is not an image, or not the first file of one."""
        if number != NONE:
            image = self.images[IMAGE_ID][number].as_py()
            return image, State.DUPLICATE_NAME, "an earlier image has the same natural key"
        reason = "no published mapping contains this id" if published else "not in the published mapping"
        return published, State.NOT_IN_MAPPING, reason

    def _row(self, file: dict[str, Any], image: str, state: str, reason: str) -> dict[str, Any]:
        return ledger_row(image, self.source.name, file["partition"], file["member"], state, reason)

    def missing(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of images without a file, in batches and in the order of the ids."""
        reason = "the published mapping lists it, but no source contains it"
        for batch in self.images.filter(self.firsts == NONE).to_batches(BATCH):
            yield [
                ledger_row(image, self.source.name, "", "/".join(map(str, key)), State.MISSING, reason)
                for *key, image in zip(*(column.to_pylist() for column in batch.columns), strict=True)
            ]


def identify(source: ScannedSource, known: pa.Table | None) -> Identities:
    """Return the image of each listed file; the first file of a natural key, in listing order, is used.

    A file whose name is an id has no natural key, so it is an image only if the id is known. Memory is about
    210 bytes per file for names as short as those of EOL. A source can have at most 59 million images, whose
    ids fill an Arrow column.

    Args:
        source: The source.
        known: The published images of the source, with the columns of :func:`image_schema` and in the order
            of their ids; then no other file is an image. None to create an image for each natural key.
    """
    index = None if known is None else _KnownImages(source, known)
    listed = [_files(listing, source, index) for listing in source.listings]
    files = pa.concat_tables(listed)
    images, numbers = _create_images(source, files) if known is None else (known, files[_NUMBER].to_numpy())
    rows = np.flatnonzero(numbers != NONE)
    firsts = first_rows(numbers[rows], rows, len(images))
    placed = firsts != NONE
    places = files.select(["partition", "position"]).take(pa.array(firsts[placed]))
    places = places.append_column(IMAGE_ID, _kept(images[IMAGE_ID], placed))
    return Identities(source, images, places, numbers, firsts, [len(table) for table in listed])


def _files(listing: Path, source: ScannedSource, known: _KnownImages | None) -> pa.Table:
    """Return the files of a listing that can be images, with keys, or with numbers if images are known."""
    columns = ["partition", "position", *source.keys, "id", "state"]
    names = pa.array(source.partitions, pa.string())
    empty = listing_schema(source.columns).empty_table().select(columns)  # a listing may have no row groups
    read = []
    for rows in itertools.chain([empty], pieces(listing, columns)):
        files = _kept(rows.drop_columns("state"), np.asarray(pc.equal(rows["state"], "")))
        files = files.set_column(0, "partition", pc.index_in(files["partition"], value_set=names))
        read.append(files if known is None else known.numbered(files))
    return pa.concat_tables(read)


def _create_images(source: ScannedSource, files: pa.Table) -> tuple[pa.Table, Numbers]:
    """Create an image for each natural key, and return the images and the number of each file's image."""
    by_key = np.asarray(pc.equal(files["id"], ""))
    keyed = np.flatnonzero(by_key)
    keys = _kept(files.select(source.keys), by_key)
    ids = pa.concat_arrays(
        [pa.array([], pa.string()), *(_ids(source, batch) for batch in keys.to_batches(BATCH))]
    )
    order = pc.sort_indices(ids).to_numpy()
    ids = ids.take(pa.array(order))
    starts = begins_run(ids)
    numbers = np.full(len(files), NONE, np.int64)
    numbers[keyed[order]] = np.cumsum(starts) - 1
    images = keys.take(pa.array(order[starts])).append_column(IMAGE_ID, _kept(ids, starts))
    return images, numbers


def _kept(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    """Return some rows of a table or column; without a copy in the usual case that all are kept."""
    return rows if mask.all() else rows.filter(pa.array(mask))


def _ids(source: ScannedSource, keys: pa.RecordBatch) -> pa.Array:
    """Return the ids of natural keys."""
    spelt = map(source.source.key.spelling.format, *(column.to_pylist() for column in keys.columns))
    return pa.array(image_ids(base_of(source.name), spelt), pa.string())


class _KnownImages:
    """An index of known images, by id for files whose name is an id, otherwise by natural key."""

    def __init__(self, source: ScannedSource, images: pa.Table) -> None:
        self._keys, self._images = source.keys, images

    @functools.cached_property
    def _by_key(self) -> RowIndex:
        return RowIndex(self._images.select(self._keys))

    @functools.cached_property
    def _by_id(self) -> RowIndex:
        return RowIndex(self._images.select([IMAGE_ID]))  # not needed for most sources

    def numbered(self, files: pa.Table) -> pa.Table:
        """Replace the natural key and id of each file with the number of its image."""
        numbers = np.full(len(files), NONE, np.int64)
        named = np.asarray(pc.not_equal(files["id"], ""))
        if named.any():
            numbers[named] = self._by_id.first(_kept(files.select(["id"]), named))
        if not named.all():
            numbers[~named] = self._by_key.first(_kept(files.select(self._keys), ~named))
        return files.select(["partition", "position"]).append_column(_NUMBER, pa.array(numbers))
