"""Rows of listings of images by URL, as every source of URLs reads them.

The reader of a listing is a function that yields tables of :data:`URL_ROWS`, in the order of the listing, and can be called again: the
rows say what to fetch, and later what names the images, and their licences. They are tables because a listing can have hundreds of
millions of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LABEL_COLUMNS", "URL_ROWS", "Box", "UrlListing", "url_rows"]


class Box(NamedTuple):
    """A part of an image, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


LABEL_COLUMNS = (*RANK_LABELS, "name", "identifier", "common")
"""The columns that name what an image shows."""

URL_ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("key", "url", *LABEL_COLUMNS, "license", "owner", "page")),
        *((name, pa.int32()) for name in Box._fields),
        *((name, pa.string()) for name in ("sha256", "md5", "state", "reason")),
    ]
)
"""A row is an image, its URL, and what the listing contains about it. Texts are "" if they are unknown.

- ``key`` is the natural key as one text, unique within the listing; image ids depend on it. It is printable and not empty.
- ``kingdom`` to ``species`` are the names of the ranks as written; the species may contain its genus.
- ``name`` is a scientific name of any rank, ``common`` a common name, and ``identifier`` the id of the taxon in a taxonomy, such as
  ``inat:47219``, as in ``NameRecord``.
- ``license`` is that of the image, ``owner`` has its rights, and ``page`` is the URL of the page that shows it.
- ``x``, ``y``, ``width`` and ``height`` are the part of the image that is used, see :class:`Box`; null for all of it.
- ``sha256`` and ``md5`` are those of the file that is expected, in lower case.
- ``state`` is a :class:`~tol_luigi.core.ledger.State` if the selection of the source excludes the image, for this ``reason``; "" if it is fetched.
"""

UrlListing = Callable[[], Iterator[pa.Table]]
"""Reads a listing from its start, each time that it is called, in tables of :data:`URL_ROWS`."""


def url_rows(columns: Mapping[str, Any]) -> pa.Table:
    """Return rows of a listing.

    Args:
        columns: The values of some columns of :data:`URL_ROWS`, as lists or Arrow arrays, ``key`` among them. The others are unknown.
    """
    rows = len(columns["key"])
    return pa.table([_column(field, columns.get(field.name), rows) for field in URL_ROWS], schema=URL_ROWS)


def _column(field: pa.Field, values: Any, rows: int) -> pa.Array:  # noqa: ANN401 (an array or values)
    if values is None:
        return pa.repeat("", rows) if pa.types.is_string(field.type) else pa.nulls(rows, field.type)
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, field.type)
