"""Read any table with a column for each of the seven ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import TableError, TolError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.importers.assemble import assemble
from tol_luigi.taxonomy.importers.files import files_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.paths import known_names, path_taxa, with_genus
from tol_luigi.taxonomy.importers.sheet import LINE, Dialect, Sheet, TableFile, read_sheet
from tol_luigi.taxonomy.importers.text import open_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.taxonomy.records import Records

__all__ = ["FLAT_TABLE", "dialect_of", "flat_records", "rank_label"]

_FEWEST = 2
_ENOUGH = ("family", "genus", "species")


def flat_records(prefix: str, sheet: Sheet, ranks: Mapping[str, pa.ChunkedArray]) -> Records:
    """Return the taxonomy of a flat table.

    Args:
        prefix: The prefix of its ids.
        sheet: The table.
        ranks: The names by rank, the highest rank first.
    """
    names = known_names(ranks)
    if {"genus", "species"} <= names.keys():
        names["species"] = with_genus(names["genus"], names["species"])
    return assemble(prefix, [sheet], taxa=path_taxa(names, sheet.table[LINE]))


def rank_label(column: str) -> str:
    """Return the name of a column in lower case; ``cls`` is the class."""
    name = column.strip().lower()
    return "class" if name == "cls" else name


def dialect_of(path: Path) -> TableFile:
    """Return the only table of a path, and how it is written, by the delimiter in its first line."""
    files = files_of(path)
    name = files.main("*.csv", "*.tsv", "*.tab", "*.txt")
    with open_text(files, name) as stream:
        line = stream.first_line()
    delimiter = max("\t,;|", key=line.count)
    return TableFile(files, name, Dialect(delimiter, quote=delimiter != "\t" or '"' in line))


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the taxa in a table; the rows below need not have all ranks."""
    del vernaculars
    file = dialect_of(path)
    found = set(map(rank_label, file.header())) & set(RANK_LABELS)
    if len(found) < _FEWEST:
        what = f"line 1 has {len(found)} of the columns {', '.join(RANK_LABELS)}"
        raise TableError(file.where, what, f"It must have {_FEWEST} of them or more")
    sheet = read_sheet(file, (), RANK_LABELS, rank_label)
    return flat_records(prefix, sheet, {rank: sheet.table[rank] for rank in RANK_LABELS})


def _recognises(path: Path) -> bool:
    try:
        return {*map(rank_label, dialect_of(path).header())} >= set(_ENOUGH)
    except TolError:
        return False


FLAT_TABLE = Importer(
    name="flat-table",
    description="any table with a column for each of the seven ranks",
    place="a file with commas, semicolons or tabs",
    read=_read,
    recognises=_recognises,
)
