"""Read tables in the format of the Open Tree Taxonomy: ``taxonomy.tsv``, ``synonyms.tsv`` and ``forwards.tsv``.

Columns are separated by a tab, a pipe and a tab, or by a tab.

Source: ``doc/interim-format.md`` and ``doc/taxon-flags.md`` of the Open Tree's reference taxonomy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import TolError
from tol_luigi.taxonomy.flags import flags_of
from tol_luigi.taxonomy.importers.assemble import assemble, with_columns
from tol_luigi.taxonomy.importers.files import Files, files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.names import first_filled, synonym_type
from tol_luigi.taxonomy.importers.sheet import PIPED, TABS, Sheet, TableFile, read_columns, read_sheet
from tol_luigi.taxonomy.importers.text import open_text
from tol_luigi.taxonomy.importers.types import Use, use_of
from tol_luigi.taxonomy.importers.values import constant, converted
from tol_luigi.taxonomy.records import REPAIRS

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["OPEN_TREE"]

_TAXONOMY, _SYNONYMS, _FORWARDS = "taxonomy.tsv", "synonyms.tsv", "forwards.tsv"
_COLUMNS = ("uid", "parent_uid", "name", "rank")
_OPTIONAL = ("sourceinfo", "flags", "source", "sourceid")
_TITLES = {"id", "uid", "old"}


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa, with synonyms, common names, and ids that are replaced."""
    del vernaculars
    files = files_of(path)
    sheet = read_sheet(_table(files, files.main(_TAXONOMY)), _COLUMNS, _OPTIONAL)
    synonyms = _synonym_sheet(files)
    forwards = _forward_sheet(files)
    uses = (
        converted(synonyms.table["type"], lambda text: use_of(text).value, pa.string()) if synonyms else None
    )
    left_out = pc.sum(pc.equal(uses, Use.LEFT_OUT.value)).as_py() if synonyms else 0
    return assemble(
        prefix,
        [sheet, *([synonyms] if synonyms else [])],
        taxa=_taxa(sheet.table),
        names=_synonyms(synonyms.table.filter(pc.equal(uses, Use.SYNONYM.value))) if synonyms else None,
        vernaculars=_vernaculars(synonyms.table.filter(pc.equal(uses, Use.VERNACULAR.value)))
        if synonyms
        else None,
        forwards=forwards.table if forwards else None,
        repairs=[forwards.repairs if forwards else REPAIRS.empty_table()],
        left_out=left_out or 0,
    )


def _table(files: Files, name: str) -> TableFile:
    """Return a table with the separator that is in its first line."""
    with open_text(files, name) as stream:
        return TableFile(files, name, PIPED if "\t|" in stream.first_line() else TABS)


def _taxa(rows: pa.Table) -> pa.Table:
    has_source = pc.and_(pc.not_equal(rows["source"], ""), pc.not_equal(rows["sourceid"], ""))
    source = pc.if_else(has_source, pc.binary_join_element_wise(rows["source"], rows["sourceid"], ":"), "")
    taxa = rows.rename_columns({"parent_uid": "parent", "flags": "flag_names"})
    return with_columns(
        taxa,
        sources=first_filled(rows["sourceinfo"], source),
        flags=converted(rows["flags"], lambda text: int(flags_of(text)), pa.uint32()),
    )


def _synonym_sheet(files: Files) -> Sheet | None:
    name = None if files.is_single else files.find(_SYNONYMS)
    return read_sheet(_table(files, name), ("uid", "name"), ("type",)) if name else None


def _forward_sheet(files: Files) -> Sheet | None:
    """Return the ids that are replaced; older tables have no header."""
    name = None if files.is_single else files.find_filled(_FORWARDS)
    if name is None:
        return None
    file = TableFile(files, name, TABS)
    is_titled = file.header()[0].strip().lower() in _TITLES
    return read_columns(file, {"uid": 0, "replacement": 1}, header_lines=int(is_titled))


def _synonyms(rows: pa.Table) -> pa.Table:
    return with_columns(rows, type=converted(rows["type"], synonym_type, pa.string()))


def _vernaculars(rows: pa.Table) -> pa.Table:
    unknown = constant("", rows.num_rows, pa.string())
    preferred = constant(value=False, count=rows.num_rows, kind=pa.bool_())
    return with_columns(rows, language=unknown, is_preferred=preferred)


def _recognises(path: Path) -> bool:
    try:
        files = files_of(path)
        name = files.names[0] if files.is_single else files.find(_TAXONOMY)
        return name is not None and set(_COLUMNS) <= set(_table(files, name).header())
    except TolError:
        return False


OPEN_TREE = Importer(
    name="open-tree",
    description="the Open Tree Taxonomy, or tables in its format",
    place="the folder or archive that contains taxonomy.tsv, or taxonomy.tsv alone",
    read=_read,
    recognises=_recognises,
)
