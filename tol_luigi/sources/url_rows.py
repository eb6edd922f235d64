"""Rows of listings of images by URL, as every source of URLs reads them.

The reader of a listing is a function that yields :class:`UrlRow`, in the order of the listing, and can be called again: the rows say
what to fetch, and later what names the images, and their licences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.taxon import RANKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.ledger import State

__all__ = ["Box", "UrlListing", "UrlRow"]


class Box(NamedTuple):
    """A part of an image, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class UrlRow:
    """A row of a listing: an image, its URL, and what the listing contains about it; "" for what is unknown.

    Attributes:
        key: The natural key as one text, unique within the listing; image ids depend on it. It is printable and not empty.
        url: The URL of the image.
        ranks: The names of the seven ranks as written, highest first; the species may contain its genus.
        name: A scientific name of any rank.
        identifier: The id of the taxon in a taxonomy, such as ``inat:47219``, as in ``NameRecord``.
        common: A common name.
        license: The licence of the image.
        owner: The owner of its rights.
        title: The title of the image, or its attribution.
        page: The URL of the page that shows it.
        box: The part of the image that is used; None for all of it.
        sha256: The SHA-256 of the file that is expected, in lower case.
        md5: The same as MD5.
        state: Why the selection of the source excludes the image; None if it is fetched.
        reason: The reason as text.
        fields: Cells of further columns.
    """

    key: str
    url: str
    ranks: tuple[str, ...] = ("",) * len(RANKS)
    name: str = ""
    identifier: str = ""
    common: str = ""
    license: str = ""
    owner: str = ""
    title: str = ""
    page: str = ""
    box: Box | None = None
    sha256: str = ""
    md5: str = ""
    state: State | None = None
    reason: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


UrlListing = Callable[[], Iterator[UrlRow]]
"""Reads a listing from its start, each time that it is called."""
