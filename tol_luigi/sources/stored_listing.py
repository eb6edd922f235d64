"""The rows of a listing of images by URL in the order of their image ids, as ``ListUrls`` stores them.

Reading a listing can mean a join of hundreds of millions of rows, so it is done once. The names and the licences of the
images are then read from this file, next to the images, without a row in memory that is not needed at the moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.url_rows import UrlRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "STORED_SCHEMA",
    "rows_of_images",
    "stored_cells",
    "stored_columns",
    "stored_listing",
    "stored_rows",
]

_TEXTS = ("key", "url", "name", "identifier", "common", "license", "owner", "page")

STORED_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", *_TEXTS, *RANK_LABELS)])
"""The id of the image that a row of the listing would be, and what names it, with its licence.

The rows are in the order of the ids, rows with the same key in the order of the listing.
"""

_ROWS = 20_000


def stored_listing(folder: Path) -> Path:
    """Return the path of the file, given the folder of what is fetched."""
    return folder / "listing.parquet"


def stored_columns(rows: Iterable[UrlRow], ids: Iterable[str]) -> pa.Table:
    """Return rows of a listing, with their image ids, as a table of this schema."""
    cells = [
        (image, *(getattr(row, name) for name in _TEXTS), *row.ranks)
        for row, image in zip(rows, ids, strict=True)
    ]
    columns = zip(*cells, strict=True) if cells else ([] for _ in STORED_SCHEMA)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=STORED_SCHEMA)


def stored_rows(path: Path) -> Iterator[tuple[str, UrlRow]]:
    """Yield the rows of the file, each with the image id."""
    for batch in stored_cells(path, STORED_SCHEMA.names):
        for image, *cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            key, url, name, identifier, common, license_, owner, page, *ranks = cells
            yield image, UrlRow(key, url, tuple(ranks), name, identifier, common, license_, owner, page=page)


def stored_cells(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of the file."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches(_ROWS, columns=columns)


def rows_of_images(
    images: Iterable[tuple[int | str, ...]], rows: Iterable[tuple[str, UrlRow]]
) -> Iterator[tuple[str, UrlRow]]:
    """Yield the id of each image that has a row, with the first one, in the order of the images.

    Args:
        images: Natural key and id of each image, in the order of the ids.
        rows: The rows with their image ids, in the same order.
    """
    left = iter(rows)
    found: tuple[str, Any] = ("", None)
    for *_, image in images:
        while found[0] < str(image):
            found = next(left, (_END, None))
        if found[0] == image:
            yield found


_END = "~"
"""Is after every id."""
