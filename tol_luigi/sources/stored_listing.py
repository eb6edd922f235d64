"""The rows of a listing of images by URL in the order of their image ids, as ``ListUrls`` stores them.

Reading a listing can mean a join of hundreds of millions of rows, so it is done once. The names and the licences of the
images are then read from this file, next to the images, without a row in memory that is not needed at the moment.

What names an image is stored once for all images of which the listing says the same: its label. A taxon has hundreds of images.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.errors import MappingError
from tol_luigi.core.parquet import parquet_batches
from tol_luigi.core.source import IMAGE_ID
from tol_luigi.core.taxon import RANK_LABELS, RANKS
from tol_luigi.sources.url_rows import LABEL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "LABELS",
    "STORED_SCHEMA",
    "Label",
    "NameKeys",
    "StoredLabels",
    "labelled",
    "labels_of",
    "labels_of_images",
    "name_key",
    "stored_cells",
    "stored_labels",
    "stored_listing",
]

_TEXTS = ("key", "url", "license", "owner", "page")

STORED_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", *_TEXTS, "label")])
"""The id of the image that a row of the listing would be, with its licence, and the name key of its label.

The rows are in the order of the ids; of rows with the same key, it is the first one of the listing.
"""

LABELS = pa.schema([(name, pa.string()) for name in ("label", *LABEL_COLUMNS)])
"""The labels by their name keys, in the order of these."""

_ROWS = 20_000


class Label(NamedTuple):
    """What a listing says of the taxon of an image; "" for what is unknown.

    Attributes:
        ranks: The names of the seven ranks as written.
        name: A scientific name of any rank.
        identifier: The id of the taxon in a taxonomy.
        common: A common name.
    """

    ranks: tuple[str, ...] = ("",) * len(RANKS)
    name: str = ""
    identifier: str = ""
    common: str = ""


def labels_of(rows: pa.Table) -> Iterator[Label]:
    """Yield the label in each row of a table with the columns of a label."""
    ranks = len(RANK_LABELS)
    for texts in zip(*(rows[name].to_pylist() for name in LABEL_COLUMNS), strict=True):
        yield Label(texts[:ranks], *texts[ranks:])


def name_key(label: Label) -> str:
    """Return the name key of a label: 128 bits of the hash of its texts, in hexadecimal."""
    return hashlib.blake2b(json.dumps(label).encode(), digest_size=16).hexdigest()


def stored_listing(folder: Path) -> Path:
    """Return the path of the rows, given the folder of what is fetched."""
    return folder / "listing.parquet"


def stored_labels(folder: Path) -> Path:
    """Return the path of the labels, given the folder of what is fetched."""
    return folder / "labels.parquet"


def labelled(rows: pa.Table) -> tuple[pa.Array, pa.Table]:
    """Return the name key of the label of each row of a listing, and a table of these labels, each once.

    Args:
        rows: A table of ``URL_ROWS``.
    """
    numbers = _label_numbers(rows)
    firsts = np.unique(numbers, return_index=True)[1]
    labels = rows.select(LABEL_COLUMNS).take(firsts)
    keys = pa.array(map(name_key, labels_of(labels)), pa.string())
    return keys.take(pa.array(numbers)), labels.add_column(0, LABELS.field("label"), keys)


def _label_numbers(rows: pa.Table) -> NDArray[np.int64]:
    """Return a number for each row, the same for rows with the same label: from 0, in the order in which labels appear first."""
    numbers = np.zeros(len(rows), np.int64)
    for name in LABEL_COLUMNS:
        texts = rows[name].combine_chunks().dictionary_encode()
        if len(texts.dictionary) > 1:
            together = numbers * len(texts.dictionary) + texts.indices.to_numpy()
            numbers = pa.array(together).dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


def stored_cells(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of the rows."""
    yield from parquet_batches(path, columns, _ROWS)


class StoredLabels:
    """The labels of a listing, by their name keys.

    Args:
        folder: The folder of what is fetched.
    """

    def __init__(self, folder: Path) -> None:
        self._path = stored_labels(folder)
        table = pq.read_table(self._path, page_checksum_verification=True)
        self._keys = table["label"].to_numpy().astype("S32")
        self._labels = table.drop_columns(["label"])

    def __getitem__(self, key: str) -> Label:
        """Return the label with a name key.

        Raises:
            MappingError: There is none, so rows and labels are not of the same listing.
        """
        row = int(np.searchsorted(self._keys, key.encode()))
        if row == len(self._keys) or self._keys[row] != key.encode():
            remedy = "Delete it and listing.parquet beside it, and run the same command again"
            raise MappingError(self._path, f"lacks the label {key}, which a row of the listing has", remedy)
        return next(labels_of(self._labels.slice(row, 1)))


def labels_of_images(images: Iterable[tuple[int | str, ...]], listing: Path) -> Iterator[str]:
    """Yield the name key of each image that has a row, in the order of the images.

    Args:
        images: Natural key and id of each image, in the order of the ids.
        listing: The stored rows.
    """
    batches = stored_cells(listing, ["id", "label"])
    rows = (
        row
        for batch in batches
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    found = ("", "")
    for *_, image in images:
        while found[0] < str(image):
            found = next(rows, (_END, ""))
        if found[0] == image:
            yield found[1]


_END = "~"
"""Is after every id."""


class NameKeys:
    """Finds the name keys of images that are given in the order of their ids.

    Args:
        listing: The stored rows.
    """

    def __init__(self, listing: Path) -> None:
        self._batches = stored_cells(listing, ["id", "label"])
        self._rows = pa.table([pa.array([], pa.string())] * 2, names=["id", "label"])

    def of(self, images: pa.Table) -> pa.Array | pa.ChunkedArray:
        """Return the name key of each of the next images, null if it has no row.

        Args:
            images: The images, with their ids.
        """
        ids = images[IMAGE_ID].cast(pa.string())
        if not len(ids):
            return pa.array([], pa.string())
        last = ids[-1].as_py()
        pieces = [self._rows]
        while not len(pieces[-1]) or pieces[-1]["id"][-1].as_py() <= last:
            batch = next(self._batches, None)
            if batch is None:
                break
            pieces.append(pa.Table.from_batches([batch]))
        rows = pa.concat_tables(pieces)
        self._rows = rows.filter(pc.greater(rows["id"], last))
        return rows["label"].take(pc.index_in(ids, value_set=rows["id"].combine_chunks()))
