"""Listings of images by URL: which rows of a source are selected, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.license_names import is_allowed, spdx_name
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.delimited import row_limit
from tol_luigi.sources.joins import quoted
from tol_luigi.sources.url_rows import url_rows

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.sources.joins import Join
    from tol_luigi.sources.url_rows import UrlListing

__all__ = [
    "INATURALIST",
    "RANK_COLUMNS",
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

_COLUMNS = ("key", "url", *RANK_LABELS, "name", "identifier", "license", "owner", "page")


@dataclass(frozen=True)
class JoinedListing:
    """The rows of a source, in a table ``listed`` of a join with columns of ``URL_ROWS`` and ``fault``.

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

    def rows(self) -> Iterator[pa.Table]:
        """Yield the selected images in order, as rows of a listing."""
        columns = ", ".join(f'coalesce("{name}", \'\') AS "{name}"' for name in _COLUMNS)
        statement = f"SELECT {columns} FROM listed WHERE fault = '' ORDER BY {self.order}"  # noqa: S608 (no values)
        for batch in self.join.batches(statement):
            yield url_rows(dict(zip(_COLUMNS, batch.columns, strict=True)))


def rows_of(
    opened: Callable[[Path, S], contextlib.AbstractContextManager[JoinedListing]], images: Path, section: S
) -> UrlListing:
    """Return a listing of URLs, given the function that joins its tables, and their settings."""

    def rows() -> Iterator[pa.Table]:
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
