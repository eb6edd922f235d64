"""The image of a source for each listed file, computed column by column because there are millions of files.

Images are numbered in the order of their ids, whether they come from a published mapping or are created here.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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
from tol_luigi.store.spools import PART_ROWS, number_of_parts, parts_of_ids, spooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.reader import Found
    from tol_luigi.core.source import Column, SourceInfo
    from tol_luigi.store.spools import Spool

    Numbers = NDArray[np.int64]

__all__ = ["Identities", "ScannedSource", "identified", "image_schema"]

Rows = TypeVar("Rows", pa.Array, pa.ChunkedArray, pa.Table)

_NUMBER = "number"
_ROW = "row"
"""The column of the number of a file among all files of the source that can be images."""

_PLACES = pa.schema([("partition", pa.int32()), ("position", pa.int64()), (IMAGE_ID, pa.string())])


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


class Identities(Protocol):
    """The images of a source and their files, in tables that fit into memory."""

    source: ScannedSource
    count: int
    """The number of images, which is complete when :meth:`images` is exhausted."""

    def images(self) -> Iterator[pa.Table]:
        """Yield natural key and id of every image, in the order of the ids; see :func:`image_schema`."""

    def places(self) -> Iterator[pa.Table]:
        """Yield ``partition`` (from 0, in the source's order), ``position`` and id of every image that has a file, in the same order.

        All images must be taken before.
        """

    def rejected(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of files outside the mapping, in batches, in the order of the listings.

        All images must be taken before.
        """

    def missing(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of images without a file, in batches and in the order of the ids."""


def _spool_schema(source: ScannedSource) -> pa.Schema:
    """Return the columns of a file with a natural key, and of the image that it would be."""
    fields = [*_PLACES, *key_fields(source.columns), (_ROW, pa.int64())]
    return pa.schema(fields)


@contextlib.contextmanager
def identified(
    source: ScannedSource, known: pa.Table | None, output: Path, held: int = PART_ROWS
) -> Iterator[Identities]:
    """Find the image of each listed file; the first file of a natural key, in listing order, is used.

    A file whose name is an id has no natural key, so it is an image only if the id is known. Memory is one byte per file and
    that of ``held`` files if an image is created for each natural key; the other files are in a scratch file, which is
    removed at the end. With known images, memory is about 210 bytes per file for names as short as those of EOL.

    Args:
        source: The source.
        known: The published images of the source, with the columns of :func:`image_schema` and in the order
            of their ids; then no other file is an image. None to create an image for each natural key.
        output: The file to be written; the scratch file is in its folder.
        held: The most files in memory.
    """
    if known is not None:
        yield _KnownIdentities(source, known)
        return
    with (
        spooled(output, _spool_schema(source), held) as files,
        spooled(output, _PLACES, held) as places,
    ):
        yield _CreatedIdentities(source, files, places, held)


class _CreatedIdentities:
    """An image for each natural key, created in ranges of ids.

    Args:
        source: The source.
        files: A spool for the files.
        places: A spool for the places of the images.
        held: The most files in memory.
    """

    def __init__(self, source: ScannedSource, files: Spool, places: Spool, held: int) -> None:
        self.source, self._files, self._places = source, files, places
        self._parts = number_of_parts(sum(_rows_of(listing) for listing in source.listings), held)
        self.count = 0
        self._counts: list[int] = []
        self._is_image = np.empty(0, np.bool_)

    def images(self) -> Iterator[pa.Table]:
        """Yield the images, range by range."""
        self._distribute()
        self.count = 0
        for part in range(self._parts):
            files = self._files.part(part)
            order = pc.sort_indices(files[IMAGE_ID]).to_numpy()  # stable, so the first file comes first
            rows = files.take(pa.array(order)).combine_chunks()
            begins = begins_run(rows[IMAGE_ID])
            self._is_image[rows[_ROW].to_numpy()[begins]] = True
            images = _kept(rows, begins)
            self.count += len(images)
            self._places.add(images, np.full(len(images), part))
            yield images.select([*self.source.keys, IMAGE_ID])

    def _distribute(self) -> None:
        """Add all files with a natural key to the spool."""
        number = 0
        for listing in self.source.listings:
            start = number
            for files in _files(listing, self.source):
                rows = np.arange(number, number + len(files))
                number += len(files)
                by_key = np.asarray(pc.equal(files["id"], ""))
                keyed = _kept(files.append_column(_ROW, pa.array(rows)), by_key)
                for batch in keyed.to_batches(BATCH):
                    ids = _ids(self.source, batch.select(self.source.keys))
                    table = pa.Table.from_batches([batch]).append_column(IMAGE_ID, ids)
                    self._files.add(table, parts_of_ids(ids, self._parts))
            self._counts.append(number - start)
        self._is_image = np.zeros(number, np.bool_)

    def places(self) -> Iterator[pa.Table]:
        """Yield the places of the images, range by range."""
        return map(self._places.part, range(self._parts))

    def rejected(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of files that are not an image, or not the first one with their natural key."""

        def rejection(file: dict[str, Any], _: int) -> tuple[str, str, str]:
            if file["id"]:
                return _unknown(file["id"])
            key = self.source.source.key.spell([file[name] for name in self.source.keys])
            return _repeated(next(image_ids(base_of(self.source.name), [key])))

        return _rejected(self.source, self._counts, self._is_image, rejection)

    def missing(self) -> Iterator[list[dict[str, Any]]]:
        """Yield nothing: an image is created only for a file."""
        return iter(())


class _KnownIdentities:
    """The published images of a source.

    Args:
        source: The source.
        known: Its images, in the order of their ids.
    """

    def __init__(self, source: ScannedSource, known: pa.Table) -> None:
        self.source, self._known, self.count = source, known, len(known)
        index = _KnownImages(source, known)
        listed = [
            pa.concat_tables(map(index.numbered, _files(listing, source))) for listing in source.listings
        ]
        self._counts = [len(table) for table in listed]
        self._located = pa.concat_tables(listed)
        self._numbers = self._located[_NUMBER].to_numpy()
        rows = np.flatnonzero(self._numbers != NONE)
        self._firsts = first_rows(self._numbers[rows], rows, len(known))

    def images(self) -> Iterator[pa.Table]:
        """Yield all images."""
        yield self._known

    def places(self) -> Iterator[pa.Table]:
        """Yield all places."""
        placed = self._firsts != NONE
        places = self._located.select(["partition", "position"]).take(pa.array(self._firsts[placed]))
        yield places.append_column(IMAGE_ID, _kept(self._known[IMAGE_ID], placed))

    def rejected(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of files without a known image, or not the first one of it."""
        is_image = self._numbers != NONE
        is_image[is_image] = self._firsts[self._numbers[is_image]] == np.flatnonzero(is_image)

        def rejection(file: dict[str, Any], row: int) -> tuple[str, str, str]:
            number = int(self._numbers[row])
            if number == NONE:
                return _unknown(file["id"])
            return _repeated(self._known[IMAGE_ID][number].as_py())

        return _rejected(self.source, self._counts, is_image, rejection)

    def missing(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the ledger rows of images without a file."""
        reason = "the published mapping lists it, but no source contains it"
        for batch in self._known.filter(self._firsts == NONE).to_batches(BATCH):
            yield [
                ledger_row(image, self.source.name, "", "/".join(map(str, key)), State.MISSING, reason)
                for *key, image in zip(*(column.to_pylist() for column in batch.columns), strict=True)
            ]


def _rejected(
    source: ScannedSource,
    counts: Sequence[int],
    is_image: NDArray[np.bool_],
    rejection: Callable[[dict[str, Any], int], tuple[str, str, str]],
) -> Iterator[list[dict[str, Any]]]:
    """Yield the ledger rows of files outside the mapping, in batches, in the order of the listings.

    Args:
        source: The source.
        counts: The number of files in each listing that can be images.
        is_image: Which of these are the first file of an image, in the order of the listings.
        rejection: Returns id, state and reason of another one, given its row of the listing and its number.
    """
    start = 0
    for listing, count in zip(source.listings, counts, strict=True):
        if not is_image[start : start + count].all() or count < _rows_of(listing):
            columns = ["partition", "member", *source.keys, "id", "state", "reason"]
            number = start
            for files in read_listing(listing, columns):
                rows = []
                for file in files:
                    outcome = file["id"], file["state"], file["reason"]
                    if not file["state"]:
                        number += 1
                        if is_image[number - 1]:
                            continue
                        outcome = rejection(file, number - 1)
                    image, state, reason = outcome
                    rows.append(
                        ledger_row(image, source.name, file["partition"], file["member"], state, reason)
                    )
                yield rows
        start += count


def _repeated(image: str) -> tuple[str, str, str]:
    return image, State.DUPLICATE_NAME, "an earlier image has the same natural key"


def _unknown(published: str) -> tuple[str, str, str]:
    reason = "no published mapping contains this id" if published else "not in the published mapping"
    return published, State.NOT_IN_MAPPING, reason


def _rows_of(listing: Path) -> int:
    rows: int = pq.read_metadata(listing).num_rows
    return rows


def _files(listing: Path, source: ScannedSource) -> Iterator[pa.Table]:
    """Yield the files of a listing that can be images, with the number of their partition."""
    columns = ["partition", "position", *source.keys, "id", "state"]
    names = pa.array(source.partitions, pa.string())
    empty = listing_schema(source.columns).empty_table().select(columns)  # a listing may have no row groups
    for rows in itertools.chain([empty], pieces(listing, columns)):
        files = _kept(rows.drop_columns("state"), np.asarray(pc.equal(rows["state"], "")))
        yield files.set_column(0, "partition", pc.index_in(files["partition"], value_set=names))


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
