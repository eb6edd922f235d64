"""Read any Darwin Core archive of taxa, such as those of GBIF, of the Catalogue of Life, of WoRMS.

Source: the Darwin Core text guide, https://dwc.tdwg.org/text/; and https://rs.gbif.org for the extensions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import SourceError, TableError, TolError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.importers.assemble import ID, assemble, with_columns
from tol_luigi.taxonomy.importers.dwca_description import META, ROW_ID, Part, archive_about, archive_parts
from tol_luigi.taxonomy.importers.files import Files, files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.names import author_in, first_filled, synonym_type, without_author
from tol_luigi.taxonomy.importers.paths import placed_taxa
from tol_luigi.taxonomy.importers.sheet import LINE, Sheet, TableFile, read_columns
from tol_luigi.taxonomy.importers.values import (
    code_of,
    constant,
    converted,
    flagged,
    is_one_of,
    is_yes,
    linked,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["DARWIN_CORE"]

_TERMS = (
    *("taxonID", "acceptedNameUsageID", "parentNameUsageID", "scientificName", "canonicalName"),
    *("scientificNameAuthorship", "taxonRank", "taxonomicStatus", "nomenclaturalCode"),
    *RANK_LABELS[:-1],
    "specificEpithet",
)
_SYNONYMS = "synonym|misapplied"
_DOUBTFUL = "doubtful"


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa in the core, their synonyms, and the vernacular names in an extension."""
    del vernaculars
    files = files_of(path)
    core, *extensions = archive_parts(files)
    if core.kind != "Taxon":
        what = f"is an archive of {core.kind or 'unknown rows'}, not of taxa"
        raise SourceError(path, what, "Name an archive whose core is Taxon")
    if "scientificName" not in {*core.places, *core.defaults}:
        what = f"describes no column scientificName of {core.names[0]}"
        raise TableError(files.where(META), what, "Name another archive")
    sheets = _sheets(files, core, _TERMS)
    rows = _named(pa.concat_tables([sheet.table for sheet in sheets]))
    is_synonym = _is_synonym(rows)
    taxa = _placed(rows.filter(pc.invert(is_synonym)), rows)
    named = [
        sheet
        for part in extensions
        if part.kind == "VernacularName"
        for sheet in _sheets(files, part, ("vernacularName", "language", "isPreferredName"))
    ]
    return assemble(
        prefix,
        [*sheets, *named],
        taxa=_with_flags(taxa, _extinct(files, extensions)),
        names=_synonyms(rows.filter(is_synonym)),
        vernaculars=_vernaculars(named) if named else None,
        about=archive_about(files),
    )


def _sheets(files: Files, part: Part, terms: Sequence[str]) -> list[Sheet]:
    """Return the columns of terms in the files of a part; those that it lacks have their default, or ""."""
    places = {term: part.places[term] for term in (ROW_ID, *terms) if term in part.places}
    found = []
    for name in part.names:
        sheet = read_columns(TableFile(files, name, part.dialect), places, part.header_lines)
        columns = {term: _column(sheet.table, term, part.defaults.get(term, "")) for term in terms}
        found.append(Sheet(sheet.where, with_columns(sheet.table, **columns), sheet.repairs, sheet.rows))
    return found


def _column(table: pa.Table, term: str, default: str) -> pa.ChunkedArray:
    if term not in table.column_names:
        return pa.chunked_array([constant(default, table.num_rows, pa.string())])
    return pc.if_else(pc.equal(table[term], ""), default, table[term]) if default else table[term]


def _named(rows: pa.Table) -> pa.Table:
    """Return rows with ids, links to ids, names and authors."""
    full, canonical = rows["scientificName"], rows["canonicalName"]
    ids = rows[ROW_ID]
    authors = first_filled(rows["scientificNameAuthorship"], author_in(full, canonical))
    return with_columns(
        rows,
        uid=ids,
        parent=linked(ids, rows["taxonID"], rows["parentNameUsageID"]),
        accepted=linked(ids, rows["taxonID"], rows["acceptedNameUsageID"]),
        name=first_filled(canonical, without_author(full, authors)),
        authorship=authors,
        rank=rows["taxonRank"],
        code=converted(rows["nomenclaturalCode"], code_of, pa.string()),
    )


def _is_synonym(rows: pa.Table) -> pa.ChunkedArray:
    is_other = pc.and_(pc.not_equal(rows["accepted"], ""), pc.not_equal(rows["accepted"], rows["uid"]))
    return pc.or_(is_other, pc.match_substring_regex(rows["taxonomicStatus"], _SYNONYMS, ignore_case=True))


def _placed(taxa: pa.Table, rows: pa.Table) -> pa.Table:
    """Return taxa with their parents: by links, or by the names of higher ranks if there are no links."""
    if pc.any(pc.not_equal(rows["parent"], "")).as_py():
        return taxa
    if not any(pc.any(pc.not_equal(rows[rank], "")).as_py() for rank in RANK_LABELS[:-1]):
        return taxa
    has_both = functools.reduce(
        pc.and_, (pc.not_equal(taxa[name], "") for name in ("genus", "specificEpithet"))
    )
    species = pc.binary_join_element_wise(taxa["genus"], taxa["specificEpithet"], " ")
    return placed_taxa(with_columns(taxa, species=pc.if_else(has_both, species, "")))


def _with_flags(taxa: pa.Table, extinct: pa.ChunkedArray) -> pa.Table:
    is_doubtful = pc.match_substring(taxa["taxonomicStatus"], _DOUBTFUL, ignore_case=True)
    flags = pc.add(flagged(is_doubtful, Flag.HIDDEN), flagged(is_one_of(taxa["uid"], extinct), Flag.EXTINCT))
    return with_columns(taxa, flags=flags)


def _extinct(files: Files, extensions: Sequence[Part]) -> pa.ChunkedArray:
    """Return the ids of the taxa that an extension marks as extinct."""
    parts = (part for part in extensions if part.kind == "SpeciesProfile" and "isExtinct" in part.places)
    found = []
    for sheet in (sheet for part in parts for sheet in _sheets(files, part, ("isExtinct",))):
        is_extinct = converted(sheet.table["isExtinct"], is_yes, pa.bool_())
        found += sheet.table[ROW_ID].filter(is_extinct).chunks
    return pa.chunked_array(found, pa.string())


def _synonyms(rows: pa.Table) -> pa.Table:
    return pa.table(
        {
            ID: rows["uid"],
            "uid": rows["accepted"],
            "name": rows["name"],
            "authorship": rows["authorship"],
            "type": converted(rows["taxonomicStatus"], synonym_type, pa.string()),
            LINE: rows[LINE],
        }
    )


def _vernaculars(sheets: Sequence[Sheet]) -> pa.Table:
    rows = pa.concat_tables([sheet.table for sheet in sheets])
    return with_columns(
        rows,
        uid=rows[ROW_ID],
        name=rows["vernacularName"],
        is_preferred=converted(rows["isPreferredName"], is_yes, pa.bool_()),
    )


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        return not files.is_single and files.find(META) is not None
    except TolError:
        return False


DARWIN_CORE = Importer(
    name="darwin-core",
    description="a Darwin Core archive of taxa",
    place="the zip, or the folder that contains meta.xml",
    read=_read,
    recognises=_recognises,
)
