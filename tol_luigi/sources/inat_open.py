"""The listing of iNaturalist Open Data: photographs, joined with their observations, observers and taxa."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.core.sections import setting
from tol_luigi.core.setting_kinds import Choice, Formed, Licenses, Names, Place, Whole, Words
from tol_luigi.core.source import Column, NaturalKey
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.joined_listing import (
    INATURALIST,
    RANK_COLUMNS,
    JoinedListing,
    allowed_licenses,
    choose_per_species,
    rows_of,
    validate_names,
)
from tol_luigi.sources.joins import RowStream, joined, open_plain_or_gzip, quoted
from tol_luigi.sources.selection import per_species_setting
from tol_luigi.sources.url_partitions import MOST_PARTITIONS, server_of
from tol_luigi.sources.url_reader import UrlLabeler, UrlSection, url_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tol_luigi.core.source import Key
    from tol_luigi.sources.joins import Join
    from tol_luigi.sources.url_rows import UrlListing

__all__ = ["GRADES", "INAT_OPEN", "SIZES", "InatOpenSection", "inat_open_listing"]

SIZES = ("original", "large", "medium", "small", "thumb", "square")
GRADES = ("research", "needs_id", "casual")
"""The quality grades, the best first."""

_BUCKET = "https://inaturalist-open-data.s3.amazonaws.com/photos"
_PAGE = "https://www.inaturalist.org/observations"


@dataclass(frozen=True)
class InatOpenSection(UrlSection):
    """iNaturalist Open Data. Its tables have no countries, so none can be selected."""

    section: ClassVar[str] = "inat_open"

    images: Path | None = setting(
        Place("folder"),
        None,
        "the folder with photos.csv.gz, observations.csv.gz, observers.csv.gz and taxa.csv.gz",
        determines=True,
    )
    size: str = setting(Choice(*SIZES), "medium", "the size to fetch; medium is 500 pixels", determines=True)
    address: str | None = setting(
        Formed(r"https?://[^\s'?#]+", "an address with http or https"),
        _BUCKET,
        "the address of the photographs, or of a copy of them",
        determines=True,
    )
    quality_grades: tuple[str, ...] = setting(
        Names(GRADES), ("research",), "the quality grades of observations to use", determines=True
    )
    licenses: tuple[str, ...] | None = setting(Licenses(), None, "the licences to use", determines=True)
    taxa: tuple[str, ...] | None = setting(
        Words(), None, "the taxa to use, names or ids of any rank, such as Aves,47126", determines=True
    )
    max_per_species: int | None = per_species_setting()
    partitions: int = setting(
        Whole(1, MOST_PARTITIONS),
        256,
        "the number of partitions; they are fetched one after the other, because all are on one server",
        determines=True,
    )


@contextlib.contextmanager
def inat_open_listing(folder: Path, selection: InatOpenSection) -> Iterator[JoinedListing]:
    """Join the four tables, and return the photographs.

    A photograph of several observations is listed once, for the observation with the best grade, then for that with
    the first UUID.

    Args:
        folder: The folder with ``photos.csv``, ``observations.csv``, ``observers.csv`` and ``taxa.csv``, or with these
            as ``.csv.gz``.
        selection: Which photographs are wanted.

    Raises:
        SourceError: A table is missing.
        TableError: A table cannot be read.
        SettingsError: A taxon does not exist.
    """
    tables = {name: _table(folder, name) for name in ("photos", "observations", "observers", "taxa")}
    with joined() as join:
        _load_taxa(join, tables["taxa"], selection, folder)
        _load_photos(join, tables)
        _classify(join, selection)
        choose_per_species(join, selection.max_per_species, "max_per_species")
        yield JoinedListing(join, "photo_id")


def _table(folder: Path, name: str) -> RowStream:
    for path in (folder / f"{name}.csv.gz", folder / f"{name}.csv"):
        if path.exists():
            return RowStream(str(path), functools.partial(open_plain_or_gzip, path))
    remedy = "Unpack inaturalist-open-data-latest.tar.gz there, or fetch the four tables"
    raise SourceError(folder, f"contains neither {name}.csv.gz nor {name}.csv", remedy)


def _load_taxa(join: Join, table: RowStream, selection: InatOpenSection, folder: Path) -> None:
    """Load the ranks of each taxon, and whether it is selected; its ancestors are joined by ``/``, or by a backslash."""
    join.add("rows", table, ("taxon_id", "ancestry", "rank", "name"))
    join.run(
        r"""CREATE TABLE taxa AS SELECT try_cast(taxon_id AS BIGINT) AS taxon_id, rank, name,
        list_transform(regexp_extract_all(coalesce(ancestry, ''), '[0-9]+'), lambda id: try_cast(id AS BIGINT)) AS ancestors
        FROM rows WHERE try_cast(taxon_id AS BIGINT) IS NOT NULL"""
    )
    wanted = [name.lower() for name in selection.taxa or ()]
    if wanted:
        known = join.run(
            f"""SELECT lower(name) FROM taxa WHERE lower(name) IN {quoted(wanted)}
            UNION SELECT taxon_id::VARCHAR FROM taxa WHERE taxon_id::VARCHAR IN {quoted(wanted)}"""  # noqa: S608 (quoted)
        )
        validate_names(
            f"[{selection.section}] taxa", selection.taxa or (), [name for (name,) in known], folder
        )
    is_wanted = (
        f"bool_or(lower(above.name) IN {quoted(wanted)} OR above.taxon_id::VARCHAR IN {quoted(wanted)})"
        if wanted
        else "true"
    )
    ranks = ", ".join(
        f"max(above.name) FILTER (above.rank = '{rank}') AS {column}"
        for rank, column in zip(RANK_LABELS, RANK_COLUMNS, strict=True)
    )
    join.run(
        f"""CREATE TABLE lineages AS SELECT taxon.taxon_id, min(taxon.name) AS name, {is_wanted} AS is_wanted, {ranks}
        FROM (SELECT taxon_id, name, unnest(list_distinct(list_append(ancestors, taxon_id))) AS ancestor FROM taxa) taxon
        JOIN taxa above ON above.taxon_id = taxon.ancestor GROUP BY taxon.taxon_id"""  # noqa: S608 (quoted)
    )


def _load_photos(join: Join, tables: dict[str, RowStream]) -> None:
    """Join photographs with observations and observers."""
    join.add("rows", tables["observers"], ("observer_id", "login", "name"))
    join.run(
        """CREATE TABLE observers AS SELECT observer_id, min(coalesce(nullif(trim(name), ''), trim(login))) AS owner
        FROM rows GROUP BY observer_id"""
    )
    join.add(
        "photo_rows",
        tables["photos"],
        ("photo_id", "observation_uuid", "observer_id", "extension", "license"),
    )
    join.add("observation_rows", tables["observations"], ("observation_uuid", "taxon_id", "quality_grade"))
    grades = quoted(GRADES)[1:-1]
    join.run(
        f"""CREATE TABLE photos AS SELECT try_cast(photo_id AS BIGINT) AS photo_id, extension, trim(license) AS license,
        photo.observation_uuid AS observation, quality_grade AS grade, try_cast(taxon_id AS BIGINT) AS taxon_id, owner,
        row_number() OVER (PARTITION BY photo_id ORDER BY
            coalesce(list_position([{grades}], quality_grade), 9), photo.observation_uuid,
            taxon_id, extension, license, owner) AS number
        FROM photo_rows photo LEFT JOIN observation_rows seen ON seen.observation_uuid = photo.observation_uuid
        LEFT JOIN observers ON observers.observer_id = photo.observer_id"""  # noqa: S608 (constants)
    )


def _classify(join: Join, selection: InatOpenSection) -> None:
    """Make the table ``listed``, in which each row has the first fault that applies."""
    license_fits = allowed_licenses(join, "photos", selection.licenses)
    ranks = ", ".join(RANK_COLUMNS)
    join.run(
        f"""CREATE TABLE listed AS SELECT photo_id, photo_id::VARCHAR AS key,
        concat('{(selection.address or _BUCKET).rstrip("/")}/', photo_id, '/{selection.size}.', extension) AS url, {ranks}, name,
        concat('inat:', taxon_id) AS identifier, license, owner,
        concat('{_PAGE}/', observation) AS page,
        CASE WHEN photo_id IS NULL OR NOT regexp_full_match(coalesce(extension, ''), '[A-Za-z0-9]+') THEN 'bad_row'
            WHEN number > 1 THEN 'repeated'
            WHEN grade IS NULL THEN 'no_observation'
            WHEN grade NOT IN {quoted(selection.quality_grades)} THEN 'quality_grade'
            WHEN is_wanted IS NULL THEN 'no_taxon'
            WHEN NOT is_wanted THEN 'taxa'
            WHEN NOT {license_fits} THEN 'licenses'
            ELSE '' END AS fault
        FROM photos LEFT JOIN lineages USING (taxon_id)"""  # noqa: S608 (quoted)
    )


class InatOpenLabeler(UrlLabeler):
    """Names photographs by the taxa of their observations; GBIF lists many of them, too."""

    shared_collection = INATURALIST

    def shared_ids(self) -> Callable[[Key], str]:
        """Return a function that returns the id of a photograph."""
        return lambda key: str(key[0])


def _rows(section: InatOpenSection) -> UrlListing:
    if section.images is None:
        raise SettingsError(f"[{section.section}] images", "empty", "Set it to the folder of the four tables")
    return rows_of(inat_open_listing, section.images, section)


def _key_of(_: InatOpenSection, key: str) -> Key:
    return (int(key),)


def _server(section: InatOpenSection) -> str:
    return server_of(section.address or _BUCKET)


_KEY = NaturalKey(columns=(Column("photo_id", "inat_open_photo_id", int),), spelling="{}")

INAT_OPEN = url_plugin(
    InatOpenSection,
    _KEY,
    _rows,
    _key_of,
    InatOpenLabeler,
    server=_server,
    listing_tables=("images",),
    named_by="the taxa of observations",
)
