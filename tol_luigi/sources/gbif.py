"""The listing of a download of GBIF, a Darwin Core Archive: images, joined with their occurrences."""

from __future__ import annotations

import contextlib
import functools
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, ClassVar
from xml.etree import ElementTree as ET

from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.core.sections import setting
from tol_luigi.core.setting_kinds import Licenses, Place, Whole, Words
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
from tol_luigi.sources.joins import RowStream, joined, quoted
from tol_luigi.sources.selection import per_species_setting
from tol_luigi.sources.url_partitions import MOST_PARTITIONS
from tol_luigi.sources.url_reader import UrlLabeler, UrlSection, url_plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tol_luigi.core.source import Key
    from tol_luigi.sources.joins import Join
    from tol_luigi.sources.url_rows import UrlListing

__all__ = ["GBIF", "GbifSection", "gbif_listing"]

_META = "meta.xml"
_FETCH = "Fetch the archive again"
_PAGE = "https://www.gbif.org/occurrence"
_INATURALIST = r"https?://(?:inaturalist-open-data\.s3\.amazonaws\.com|(?:static|www)\.inaturalist\.org)/photos/([0-9]+)/.*"
"""The addresses of iNaturalist's photographs, whose size is part of them."""

_FURTHER = ("scientificName", "taxonKey", "countryCode", "basisOfRecord")
_MEDIA = ("type", "format", "license", "rightsHolder", "creator", "publisher")


@dataclass(frozen=True)
class GbifSection(UrlSection):
    """A download of GBIF with images."""

    section: ClassVar[str] = "gbif"

    images: Path | None = setting(
        Place("either"),
        None,
        "the Darwin Core Archive, a zip or a folder, with occurrence.txt and multimedia.txt",
        determines=True,
    )
    licenses: tuple[str, ...] | None = setting(
        Licenses(), None, "the licences of images to use, which differ from those of records", determines=True
    )
    taxa: tuple[str, ...] | None = setting(
        Words(), None, "the taxa to use, of the ranks from kingdom to species", determines=True
    )
    countries: tuple[str, ...] | None = setting(
        Words(), None, "the countries to use, by their codes, such as CR,DE", determines=True
    )
    basis_of_record: tuple[str, ...] | None = setting(
        Words(), None, "the kinds of records to use, such as HUMAN_OBSERVATION", determines=True
    )
    max_per_species: int | None = per_species_setting()
    partitions: int = setting(
        Whole(1, MOST_PARTITIONS), 256, "the number of partitions for the images", determines=True
    )


@contextlib.contextmanager
def gbif_listing(archive: Path, selection: GbifSection) -> Iterator[JoinedListing]:
    """Join the images of an archive with their occurrences, and return them.

    An image is identified by its address, a photograph of iNaturalist by its id there, ``inaturalist/<photo_id>``. One of
    several occurrences is listed once, for the first ``gbifID``. Its licence is that of the image, not of the record.

    Args:
        archive: The Darwin Core Archive, a zip or a folder.
        selection: Which images are wanted.

    Raises:
        SourceError: The archive cannot be read, or lacks a table.
        TableError: A table cannot be read.
        SettingsError: A taxon, country or kind of record is in no row.
    """
    occurrences, media = _tables(archive)
    with joined() as join:
        _load(join, occurrences, media)
        _validate_wanted(join, selection, archive)
        _classify(join, selection)
        choose_per_species(join, selection.max_per_species, "max_per_species")
        yield JoinedListing(join)


def _tables(archive: Path) -> tuple[RowStream, RowStream]:
    """Return the table of occurrences and the table of images, which ``meta.xml`` names."""
    try:
        names = _names(archive)
        if _META not in names:
            raise SourceError(archive, f"contains no {_META}, so it is no Darwin Core Archive", _FETCH)
        with _open_member(archive, _META) as file:
            root = ET.fromstring(file.read())  # noqa: S314 (expat bounds the expansion of entities)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(archive, f"cannot be read ({error})", _FETCH) from error
    except ET.ParseError as error:
        raise SourceError(archive, f"has a {_META} that is not XML ({error})", _FETCH) from error
    parts = {part.get("rowType", "").rpartition("/")[2]: part for part in root}
    found = []
    for kind in ("Occurrence", "Multimedia"):
        part = parts.get(kind)
        location = "" if part is None else (part.findtext(".//{*}location") or "").strip()
        if part is None or location not in names:
            raise SourceError(
                archive, f"has no table of {kind} with its file", "Request a download with images"
            )
        delimiter = part.get("fieldsTerminatedBy", r"\t").replace(r"\t", "\t")
        opener = functools.partial(_open_member, archive, location)
        found.append(RowStream(f"{archive}: {location}", opener, delimiter))
    return found[0], found[1]


def _names(archive: Path) -> set[str]:
    if archive.is_dir():
        return {path.name for path in archive.iterdir()}
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


@contextlib.contextmanager
def _open_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a file of an archive, or of a folder with its files."""
    with contextlib.ExitStack() as stack:
        if archive.is_dir():
            yield stack.enter_context((archive / name).open("rb"))
        else:
            opened = stack.enter_context(zipfile.ZipFile(archive))
            yield stack.enter_context(opened.open(name))


def _load(join: Join, occurrences: RowStream, media: RowStream) -> None:
    ranks = ", ".join(f'occurrence."{rank}" AS "{rank}"' for rank in RANK_LABELS)
    join.add("occurrence_rows", occurrences, ("gbifID",), (*RANK_LABELS, *_FURTHER))
    join.add("media_rows", media, ("gbifID", "identifier"), _MEDIA)
    join.run(
        f"""CREATE TABLE images AS SELECT try_cast(media.gbifID AS BIGINT) AS gbif_id, trim(identifier) AS url,
        nullif(regexp_extract(trim(identifier), '^{_INATURALIST}$', 1), '') AS photo_id,
        coalesce(type, '') = 'StillImage'
            OR (coalesce(type, '') = '' AND (coalesce(format, '') = '' OR format LIKE 'image/%')) AS is_image,
        trim(media.license) AS license,
        coalesce(nullif(trim(rightsHolder), ''), nullif(trim(creator), ''), nullif(trim(publisher), '')) AS owner,
        occurrence.gbifID IS NOT NULL AS is_known, {ranks}, scientificName AS name, nullif(taxonKey, '') AS taxon, countryCode AS country,
        basisOfRecord AS basis
        FROM media_rows media LEFT JOIN occurrence_rows occurrence ON occurrence.gbifID = media.gbifID"""  # noqa: S608
    )


def _validate_wanted(join: Join, selection: GbifSection, archive: Path) -> None:
    """Raise an error if a name in the settings is in no row."""
    columns = {
        "taxa": (selection.taxa, RANK_COLUMNS),
        "countries": (selection.countries, ("country",)),
        "basis_of_record": (selection.basis_of_record, ("basis",)),
    }
    for key, (wanted, places) in columns.items():
        if wanted:
            queries = (
                f"SELECT lower({place}) FROM images WHERE lower({place}) IN {quoted(_lower(wanted))}"  # noqa: S608
                for place in places
            )
            known = [name for (name,) in join.run(" UNION ".join(queries))]
            validate_names(f"[{selection.section}] {key}", wanted, known, archive)


def _classify(join: Join, selection: GbifSection) -> None:
    """Make the table ``listed``, in which each row has the first fault that applies."""
    license_fits = allowed_licenses(join, "images", selection.licenses)
    ranks = ", ".join(RANK_COLUMNS)
    taxa = " OR ".join(_is_among(rank, selection.taxa) for rank in RANK_COLUMNS)
    key = f"coalesce('{INATURALIST}/' || photo_id, url)"
    join.run(
        f"""CREATE TABLE listed AS SELECT {key} AS key, url, {ranks}, name,
        'gbif:' || taxon AS identifier, license, owner,
        concat('{_PAGE}/', gbif_id) AS page,
        CASE WHEN gbif_id IS NULL OR coalesce(url, '') = '' THEN 'bad_row'
            WHEN NOT is_image THEN 'no_image'
            WHEN row_number() OVER (PARTITION BY {key}, is_image ORDER BY is_known DESC, gbif_id, url, license, owner) > 1 THEN 'repeated'
            WHEN NOT is_known THEN 'no_occurrence'
            WHEN NOT ({_is_among("basis", selection.basis_of_record)}) THEN 'basis_of_record'
            WHEN NOT ({_is_among("country", selection.countries)}) THEN 'countries'
            WHEN NOT ({taxa}) THEN 'taxa'
            WHEN NOT {license_fits} THEN 'licenses'
            ELSE '' END AS fault
        FROM images"""  # noqa: S608 (quoted)
    )


def _is_among(column: str, wanted: tuple[str, ...] | None) -> str:
    """Return the condition of SQL that a column has one of some names, in upper or lower case."""
    return "true" if wanted is None else f"lower(coalesce({column}, '')) IN {quoted(_lower(wanted))}"


def _lower(names: tuple[str, ...]) -> list[str]:
    return [name.lower() for name in names]


class GbifLabeler(UrlLabeler):
    """Names images by their occurrences."""

    shared_collection = INATURALIST

    def shared_ids(self) -> Callable[[Key], str]:
        """Return a function that returns the id of a photograph of iNaturalist, "" for other images."""

        def shared_id(key: Key) -> str:
            collection, _, photo = str(key[0]).partition("/")
            return photo if collection == INATURALIST else ""

        return shared_id


def _rows(section: GbifSection) -> UrlListing:
    if section.images is None:
        raise SettingsError(f"[{section.section}] images", "empty", "Set it to a Darwin Core Archive")
    return rows_of(gbif_listing, section.images, section)


def _key_of(_: GbifSection, key: str) -> Key:
    return (key,)


_KEY = NaturalKey(columns=(Column("image", "gbif_image", str),), spelling="{}")

GBIF = url_plugin(
    GbifSection, _KEY, _rows, _key_of, GbifLabeler, listing_tables=("images",), named_by="occurrences"
)
