"""Read the taxa of iNaturalist, of its open data or of its Darwin Core archive.

The archive's own description (``meta.xml``) names no language of its vernacular names, which are in a file per language, so the
files are found by their names.

Source: ``inaturalist-taxonomy.dwca.zip``, and ``taxa.csv.gz`` of the iNaturalist Open Data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TableError, TolError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.importers.assemble import assemble, with_columns
from tol_luigi.taxonomy.importers.files import Files, files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.paths import placed_taxa
from tol_luigi.taxonomy.importers.sheet import COMMA, TABS, Sheet, TableFile, read_sheet
from tol_luigi.taxonomy.importers.values import constant, converted, flagged, is_one_of, is_yes, linked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["INATURALIST"]

_TAXA, _VERNACULARS = "taxa.csv", "vernacularnames*.csv"
_OPEN_DATA = ("taxon_id", "ancestry", "rank", "name")
_ARCHIVE = ("id", "scientificName", "taxonRank")
_PLACE = ("taxonID", "parentNameUsageID", *RANK_LABELS[:-1], "specificEpithet")
_HYBRIDS = {"genushybrid": "genus", "hybrid": "species", "infrahybrid": "variety"}
"""The ranks of hybrids, and those of other taxa like them."""


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa, and the vernacular names in all languages; the first in a language is preferred."""
    files = files_of(path)
    name = files.main(_TAXA)
    for dialect, columns, taxa_of in ((TABS, _OPEN_DATA, _open_taxa), (COMMA, _ARCHIVE, _archive_taxa)):
        file = TableFile(files, name, dialect)
        if set(columns) <= set(map(str.strip, file.header())):
            sheet, taxa = taxa_of(file)
            named = _vernacular_sheets(files, vernaculars)
            return assemble(prefix, [sheet, *named], taxa=taxa, vernaculars=_vernaculars(named))
    what = f"line 1 has neither the columns {', '.join(_OPEN_DATA)} (with tabs) nor {', '.join(_ARCHIVE)} (with commas)"
    raise TableError(files.where(name), what, "It must be a table of taxa of iNaturalist")


def _open_taxa(file: TableFile) -> tuple[Sheet, pa.Table]:
    """Return the taxa of the open data, where the last id of the ancestry is the parent; inactive taxa are hidden."""
    sheet = read_sheet(file, _OPEN_DATA, ("active",))
    table = sheet.table.rename_columns({"taxon_id": "uid"})
    parents = pc.replace_substring_regex(table["ancestry"], r"^.*[/\\]", "")
    return sheet, with_columns(_ranked(table), parent=parents)


def _archive_taxa(file: TableFile) -> tuple[Sheet, pa.Table]:
    """Return the taxa of the archive, by links to their parents; by the names of higher ranks if there are no links."""
    sheet = read_sheet(file, _ARCHIVE, _PLACE)
    table = sheet.table.rename_columns({"id": "uid", "scientificName": "name", "taxonRank": "rank"})
    table = _ranked(with_columns(table, active=constant("t", table.num_rows, pa.string())))
    links = table["parentNameUsageID"]
    if pc.any(pc.not_equal(links, "")).as_py():
        return sheet, with_columns(table, parent=linked(table["uid"], table["taxonID"], links))
    species = pc.binary_join_element_wise(table["genus"], table["specificEpithet"], " ")
    has_both = pc.and_(pc.not_equal(table["genus"], ""), pc.not_equal(table["specificEpithet"], ""))
    return sheet, placed_taxa(with_columns(table, species=pc.if_else(has_both, species, "")))


def _ranked(table: pa.Table) -> pa.Table:
    """Return taxa with flags, and with the ranks of hybrids spelled as others."""
    is_hybrid = pc.is_in(table["rank"], value_set=pa.array(list(_HYBRIDS)))
    is_hidden = converted(table["active"], lambda text: bool(text) and not is_yes(text), pa.bool_())
    flags = pc.add(flagged(is_hybrid, Flag.HYBRID), flagged(is_hidden, Flag.HIDDEN))
    return with_columns(
        table, rank=converted(table["rank"], lambda rank: _HYBRIDS.get(rank, rank), pa.string()), flags=flags
    )


def _vernacular_sheets(files: Files, table: Path | None) -> list[Sheet]:
    """Return the vernacular names in another file, or in a folder or archive with the taxa."""
    place = files if table is None else files_of(table)
    names = list(place.names) if place.is_single else place.all(_VERNACULARS)
    if table is None and files.is_single:
        return []
    return [
        read_sheet(TableFile(place, name, COMMA), ("id", "vernacularName"), ("language",)) for name in names
    ]


def _vernaculars(sheets: Sequence[Sheet]) -> pa.Table | None:
    if not sheets:
        return None
    table = pa.concat_tables([sheet.table for sheet in sheets])
    table = table.rename_columns({"id": "uid", "vernacularName": "name"})
    rows = with_columns(table, row=pa.array(range(table.num_rows), pa.int64()))
    first = rows.group_by(["uid", "language"]).aggregate([("row", "min")])["row_min"]
    return with_columns(table, is_preferred=is_one_of(rows["row"], first))


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        name = files.names[0] if files.is_single else files.find(_TAXA)
        if name is None:
            return False
        is_open = set(_OPEN_DATA) <= set(TableFile(files, name, TABS).header())
        return is_open or {*_ARCHIVE, "specificEpithet"} <= set(TableFile(files, name, COMMA).header())
    except TolError:
        return False


INATURALIST = Importer(
    name="inaturalist",
    description="the taxa of iNaturalist",
    place="taxa.csv of the open data, or the Darwin Core archive (its folder, zip, or taxa.csv)",
    read=_read,
    recognises=_recognises,
    has_vernaculars=True,
)
