"""Read a Catalogue of Life Data Package: ``NameUsage``, or ``Name``, ``Taxon`` and ``Synonym``; and ``VernacularName``.

Source: https://github.com/CatalogueOfLife/coldp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from tol_luigi.core.errors import SourceError, TolError
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.importers.assemble import ID, assemble, with_columns
from tol_luigi.taxonomy.importers.files import Files, files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.names import first_filled, synonym_type, without_author
from tol_luigi.taxonomy.importers.sheet import COMMA, LINE, TABS, Sheet, TableFile, read_sheet
from tol_luigi.taxonomy.importers.text import open_text
from tol_luigi.taxonomy.importers.values import code_of, constant, converted, flagged, is_yes

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["COLDP"]

_NAME = ("scientificname", "authorship", "rank", "code")
_PARTS = ("uninomial", "genus", "genericname", "specificepithet", "infraspecificepithet")
_USAGE = ("id", "parentid", "status")
_ABOUT = ("title", "version", "issued", "license", "doi")
_SYNONYMS = "synonym|misapplied"
_ENDINGS = (".tsv", ".tab", ".txt", ".csv")


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa, their synonyms and their vernacular names."""
    del vernaculars
    files = files_of(path)
    usages = _find(files, "nameusage")
    if usages is None and _find(files, "taxon") is None:
        what = "contains neither NameUsage nor Taxon (.tsv, .csv)"
        raise SourceError(path, what, "Name the folder or archive of a Catalogue of Life Data Package")
    sheets, taxa, synonyms, joined = _usages(usages) if usages else _names(files)
    found = _find(files, "vernacularname")
    named = _sheet(found, ("taxonid", "name"), ("language", "preferred")) if found else None
    return assemble(
        prefix,
        [*sheets, *([named] if named else [])],
        taxa=_with_flags(taxa),
        names=synonyms,
        vernaculars=_vernaculars(named.table) if named else None,
        joined=joined,
        about=_about(files),
    )


def _about(files: Files) -> dict[str, str]:
    """Return what a package says of itself, as far as its metadata can be read."""
    name = files.find("metadata.yaml", "metadata.yml")
    if name is None or files.is_empty(name):
        return {}
    try:
        with open_text(files, name) as stream:
            found = yaml.safe_load((stream.readall() or b"").decode())
    except (yaml.YAMLError, ValueError):  # a date such as 2024-13-45 is a ValueError
        return {}
    stated = found if isinstance(found, dict) else {}
    return {key: str(stated[key]) for key in _ABOUT if stated.get(key)}


_Usages = tuple[list[Sheet], pa.Table, pa.Table, int]
"""The tables that were read, taxa, synonyms, and the number of rows that complete others."""


def _usages(file: TableFile) -> _Usages:
    """Return the taxa and synonyms of one table, in which the parent of a synonym is its taxon."""
    sheet = _sheet(file, ("id",), (*_USAGE[1:], *_NAME, *_PARTS, "extinct"))
    rows = _named(sheet.table)
    is_synonym = pc.match_substring_regex(rows["status"], f"{_SYNONYMS}|bare", ignore_case=True)
    taxa = rows.filter(pc.invert(is_synonym)).rename_columns({"id": "uid", "parentid": "parent"})
    return [sheet], taxa, _synonyms(rows.filter(is_synonym), "parentid"), 0


def _names(files: Files) -> _Usages:
    """Return the taxa and synonyms of tables that refer to a table of names."""
    places = {kind: _find(files, kind) for kind in ("name", "taxon", "synonym")}
    if places["name"] is None or places["taxon"] is None:
        lacking = "Name" if places["name"] is None else "Taxon"
        raise SourceError(files.path, f"contains no table {lacking}", "Fetch it again")
    names = _sheet(places["name"], ("id",), (*_NAME, *_PARTS))
    taxa = _sheet(places["taxon"], ("id", "nameid"), ("parentid", "status", "provisional", "extinct"))
    sheets = [names, taxa]
    named = _named(names.table)
    rows = _joined(taxa.table, named).rename_columns({"id": "uid", "parentid": "parent"})
    used = taxa.table["nameid"].chunks
    synonyms = None
    if places["synonym"] is not None:
        sheet = _sheet(places["synonym"], ("taxonid", "nameid"), ("id", "status"))
        sheets.append(sheet)
        used = [*used, *sheet.table["nameid"].chunks]
        synonyms = _synonyms(_joined(sheet.table, named), "taxonid")
    is_used = pc.is_in(named["id"], value_set=pa.chunked_array(used, pa.string()).combine_chunks())
    bare = _bare(named.filter(pc.invert(is_used)))
    joined = pc.sum(is_used).as_py() or 0
    return sheets, rows, bare if synonyms is None else pa.concat_tables([synonyms, bare]), joined


def _find(files: Files, kind: str) -> TableFile | None:
    name = files.find(*(f"{kind}{ending}" for ending in _ENDINGS))
    if name is None:
        return None
    return TableFile(files, name, COMMA if ".csv" in name.lower() else TABS)


def _sheet(file: TableFile, columns: tuple[str, ...], optional: tuple[str, ...]) -> Sheet:
    return read_sheet(file, columns, optional, _column)


def _column(title: str) -> str:
    """Return the name of a column in lower case, without the prefix that some programs write."""
    return title.strip().lower().removeprefix("col:")


def _named(rows: pa.Table) -> pa.Table:
    """Return rows with names: complete ones, or else those that are made of their parts."""
    genus = first_filled(rows["uninomial"], rows["genus"], rows["genericname"])
    parts = pc.binary_join_element_wise(genus, rows["specificepithet"], rows["infraspecificepithet"], " ")
    full = first_filled(rows["scientificname"], pc.utf8_trim_whitespace(parts))
    return with_columns(
        rows,
        name=without_author(full, rows["authorship"]),
        code=converted(rows["code"], code_of, pa.string()),
    )


def _joined(rows: pa.Table, names: pa.Table) -> pa.Table:
    """Return rows with the columns of the names that they refer to; "" if a name is missing."""
    places = pc.index_in(rows["nameid"], value_set=names["id"].combine_chunks())
    columns = ("name", "authorship", "rank", "code")
    return with_columns(rows, **{column: pc.fill_null(names[column].take(places), "") for column in columns})


def _synonyms(rows: pa.Table, accepted: str) -> pa.Table:
    return pa.table(
        {
            ID: rows["id"],
            "uid": rows[accepted],
            "name": rows["name"],
            "authorship": rows["authorship"],
            "type": converted(rows["status"], synonym_type, pa.string()),
            LINE: rows[LINE],
        }
    )


def _bare(names: pa.Table) -> pa.Table:
    """Return names that no taxon has, as synonyms of nothing."""
    nothing = constant("", names.num_rows, pa.string())
    return _synonyms(with_columns(names, taxonid=nothing, status=nothing), "taxonid")


def _with_flags(taxa: pa.Table) -> pa.Table:
    return with_columns(taxa, flags=flagged(converted(taxa["extinct"], is_yes, pa.bool_()), Flag.EXTINCT))


def _vernaculars(rows: pa.Table) -> pa.Table:
    preferred = converted(rows["preferred"], is_yes, pa.bool_())
    return with_columns(rows.rename_columns({"taxonid": "uid"}), is_preferred=preferred)


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        return not files.is_single and any(_find(files, kind) for kind in ("nameusage", "taxon"))
    except TolError:
        return False


COLDP = Importer(
    name="coldp",
    description="a Catalogue of Life Data Package",
    place="the zip, or the folder that contains NameUsage.tsv, or Name.tsv and Taxon.tsv",
    read=_read,
    recognises=_recognises,
)
