"""Listings of images by URL: which rows of a source are selected, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.license_names import is_allowed, spdx_name
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.delimited import row_limit
from tol_luigi.sources.joins import quoted
from tol_luigi.sources.url_rows import UrlRow

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.sources.joins import Join
    from tol_luigi.sources.url_rows import UrlListing

__all__ = [
    "INATURALIST",
    "RANK_COLUMNS",
    "SCHEMA",
    "JoinedListing",
    "allowed_licenses",
    "choose_per_species",
    "rows_of",
    "validate_names",
]

S = TypeVar("S")

INATURALIST = "inaturalist"
"""The collection of photographs that GBIF lists, too."""

RANK_COLUMNS = tuple(f'"{rank}"' for rank in RANK_LABELS)
"""The ranks as columns of SQL, in which ``order`` is a word of its own."""

SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("key", "url", *RANK_LABELS, "name", "identifier"),
            *("license", "owner", "attribution", "page", "group"),
        )
    ]
)
"""The columns of a selected image.

``key`` identifies the image within its source, ``name`` is a scientific name, and ``identifier`` the id of its taxon, such as
``inat:8010``. ``attribution`` is the text that the
licence asks for, ``page`` the address of the record, ``group`` the images that belong together, such as an observation.
"""


@dataclass(frozen=True)
class JoinedListing:
    """The rows of a source, in a table ``listed`` of a join with the columns of :data:`SCHEMA` and ``fault``.

    Attributes:
        join: The join.
        order: The expression of SQL by which images are ordered.
    """

    join: Join
    order: str = "key"

    def counts(self) -> dict[str, int]:
        """Return the number of rows by fault, "" for the selected ones; their sum is the number of all rows."""
        rows = self.join.run("SELECT fault, count(*) FROM listed GROUP BY fault ORDER BY fault")
        return dict(rows)

    def images(self) -> Iterator[pa.RecordBatch]:
        """Yield the selected images in order, with the columns of :data:`SCHEMA`."""
        columns = ", ".join(f'coalesce("{name}", \'\') AS "{name}"' for name in SCHEMA.names)
        statement = f"SELECT {columns} FROM listed WHERE fault = '' ORDER BY {self.order}"  # noqa: S608 (no values)
        for batch in self.join.batches(statement):
            yield batch.cast(SCHEMA)

    def rows(self) -> Iterator[UrlRow]:
        """Yield the selected images in order, as rows of a listing."""
        ranks = len(RANK_LABELS)
        for batch in self.images():
            for key, url, *cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                name, identifier, license_, owner, title, page, group = cells[ranks:]
                yield UrlRow(
                    key=key,
                    url=url,
                    ranks=tuple(cells[:ranks]),
                    name=name,
                    identifier=identifier,
                    license=license_,
                    owner=owner,
                    title=title,
                    page=page,
                    fields={"group": group},
                )


def rows_of(
    opened: Callable[[Path, S], contextlib.AbstractContextManager[JoinedListing]], images: Path, section: S
) -> UrlListing:
    """Return a listing of URLs, given the function that joins its tables, and their settings."""

    def rows() -> Iterator[UrlRow]:
        with opened(images, section) as listing:
            yield from listing.rows()

    return rows


def allowed_licenses(join: Join, table: str, allowed: Sequence[str] | None) -> str:
    """Return the condition of SQL for the licences of a table that the settings allow.

    Args:
        join: The join.
        table: A table with the column ``license``.
        allowed: Names from :func:`~tol_luigi.core.license_names.parse_allowed`; None for all.
    """
    if allowed is None:
        return "true"
    found = [text or "" for (text,) in join.run(f"SELECT DISTINCT license FROM {table}")]  # noqa: S608 (no values)
    fitting = sorted(text for text in found if is_allowed(spdx_name(text), allowed))
    return f"coalesce(license, '') IN {quoted(fitting)}" if fitting else "false"


def choose_per_species(join: Join, most: int | None, fault: str) -> None:
    """Give all but some images of each species a fault; those without a species are not counted.

    The images with the lowest MD5 of their keys are chosen, so the choice depends neither on the order of the rows nor
    on the machine.

    Args:
        join: A join with the table ``listed``.
        most: The largest number of images per species; None for no limit.
        fault: The fault of the others.
    """
    if most is None:
        return
    join.run(
        f"""CREATE TABLE beyond AS SELECT key FROM listed WHERE fault = '' AND coalesce(species, '') <> ''
        QUALIFY row_number() OVER (PARTITION BY species ORDER BY md5(key), key) > {most}"""  # noqa: S608 (a number)
    )
    join.run(
        f"UPDATE listed SET fault = {quoted([fault])} WHERE fault = '' AND key IN (SELECT key FROM beyond)"  # noqa: S608
    )


def validate_names(setting: str, wanted: Sequence[str], known: Sequence[str], where: Path) -> None:
    """Raise an error if a wanted name is not among the known ones, probably because it is misspelled.

    If only the first rows of the tables are read, names that are missing in these are no error.
    """
    if row_limit() is not None:
        return
    for name in wanted:
        if name.lower() not in known:
            raise SettingsError(setting, f"{where} has no {name!r}", "Correct the name, or remove it")
