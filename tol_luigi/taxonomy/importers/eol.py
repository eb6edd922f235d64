"""Read the EOL Dynamic Hierarchy: ``taxon.tab``, and ``vernacularnames.csv`` for vernacular names.

Source: ``dh21.zip`` and ``vernacularnames.csv`` of EOL Open Data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TolError
from tol_luigi.taxonomy.importers.assemble import ID, assemble, with_columns
from tol_luigi.taxonomy.importers.files import Files, files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.names import author_in, first_filled, synonym_type
from tol_luigi.taxonomy.importers.quotes import without_quotes
from tol_luigi.taxonomy.importers.sheet import COMMA, LINE, TABS, TableFile, read_sheet
from tol_luigi.taxonomy.importers.values import converted, is_yes

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.importers.sheet import Sheet
    from tol_luigi.taxonomy.records import Records

__all__ = ["DYNAMIC_HIERARCHY"]

_TAXA, _VERNACULARS = "taxon.tab", "vernacularnames.csv"
_COLUMNS = ("taxonID", "acceptedNameUsageID", "parentNameUsageID", "scientificName", "taxonRank")
_OPTIONAL = ("canonicalName", "authority", "scientificNameAuthorship", "eolID", "taxonomicStatus")
_VERNACULAR_COLUMNS = ("page_id", "vernacular_string", "language_code")
_NOT_ACCEPTED = pa.array(["not accepted", "synonym", "unaccepted"])


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the hierarchy. The identifiers of a taxon are its id in the hierarchy and, if it has one, its page.

    Parents are found by their ids in the hierarchy, since many taxa have no page.
    """
    files = files_of(path)
    sheet = read_sheet(TableFile(files, files.main(_TAXA), TABS), _COLUMNS, _OPTIONAL)
    rows, repairs = without_quotes(sheet.table, ("scientificName", "canonicalName"), "taxonID")
    rows = with_columns(
        rows, name=first_filled(rows["canonicalName"], rows["scientificName"]), authorship=_authors(rows)
    )
    is_synonym = _is_synonym(rows)
    taxa = rows.filter(pc.invert(is_synonym))
    taxa = taxa.rename_columns({"taxonID": "uid", "parentNameUsageID": "parent", "taxonRank": "rank"})
    named = _vernacular_sheet(files, vernaculars)
    return assemble(
        prefix,
        [sheet, *([named] if named else [])],
        taxa=with_columns(taxa, sources=_sources(prefix, taxa)),
        names=_synonyms(rows.filter(is_synonym)),
        vernaculars=_vernaculars(named.table, taxa) if named else None,
        repairs=[repairs],
    )


def _authors(rows: pa.Table) -> pa.ChunkedArray:
    stated = first_filled(rows["authority"], rows["scientificNameAuthorship"])
    return first_filled(stated, author_in(rows["scientificName"], rows["canonicalName"]))


def _is_synonym(rows: pa.Table) -> pa.ChunkedArray:
    accepted = rows["acceptedNameUsageID"]
    is_other = pc.and_(pc.not_equal(accepted, ""), pc.not_equal(accepted, rows["taxonID"]))
    status = pc.utf8_lower(rows["taxonomicStatus"])
    return pc.or_(is_other, pc.is_in(status, value_set=_NOT_ACCEPTED))


def _synonyms(rows: pa.Table) -> pa.Table:
    own = rows.rename_columns({"taxonID": ID, "acceptedNameUsageID": "uid"})
    return with_columns(own, type=converted(rows["taxonomicStatus"], synonym_type, pa.string()))


def _sources(prefix: str, taxa: pa.Table) -> pa.ChunkedArray:
    own = pc.binary_join_element_wise(f"{prefix}:", taxa["uid"], "")
    page = pc.binary_join_element_wise(own, f",{prefix}:", taxa["eolID"], "")
    return pc.if_else(pc.equal(taxa["eolID"], ""), own, page)


def _vernacular_sheet(files: Files, table: Path | None) -> Sheet | None:
    """Return the vernacular names in another file, or in a folder or archive with the hierarchy, if there are any."""
    place, name = files, None
    if table is not None:
        place = files_of(table)
        name = place.main(_VERNACULARS)
    elif not files.is_single:
        name = files.find(_VERNACULARS)
    if name is None:
        return None
    return read_sheet(TableFile(place, name, COMMA), _VERNACULAR_COLUMNS, ("is_preferred_by_eol",))


def _vernaculars(rows: pa.Table, taxa: pa.Table) -> pa.Table:
    """Return the names of pages as names of taxa: of the first taxon that has the page."""
    pages = taxa["eolID"].combine_chunks()
    found = taxa["uid"].take(pc.index_in(rows["page_id"], value_set=pages))
    page = pc.binary_join_element_wise("page ", rows["page_id"], "")
    preferred = converted(rows["is_preferred_by_eol"], is_yes, pa.bool_())
    return pa.table(
        {
            "uid": pc.if_else(pc.equal(rows["page_id"], ""), "", pc.coalesce(found, page)),
            "name": rows["vernacular_string"],
            "language": rows["language_code"],
            "is_preferred": preferred,
            LINE: rows[LINE],
        }
    )


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        name = files.names[0] if files.is_single else files.find(_TAXA)
        return name is not None and {"taxonID", "eolID"} <= set(TableFile(files, name, TABS).header())
    except TolError:
        return False


DYNAMIC_HIERARCHY = Importer(
    name="dynamic-hierarchy",
    description="the EOL Dynamic Hierarchy",
    place="taxon.tab, or the folder or archive that contains it",
    read=_read,
    recognises=_recognises,
    has_vernaculars=True,
)
