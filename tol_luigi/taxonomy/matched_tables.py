"""Match the names of a table, and write the table with the taxa that were found."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tol_luigi.core.batches import batched
from tol_luigi.core.errors import TableError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources.delimited import DELIMITERS, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.taxonomy.matching import Matcher, NameMatch

__all__ = ["MATCH_COLUMNS", "NameTable", "delimiter_of", "name_table", "write_matches"]

_NAME_COLUMNS = ("scientificname", "scientific_name", "scientific name", "name", "taxon")
"""The names of a column with names, in lower case; the first that exists is used."""

MATCH_COLUMNS = (
    "match_status",
    "match_score",
    "match_reason",
    "match_candidates",
    "matched_name",
    "taxon_id",
    "taxon_name",
    "taxon_rank",
    *(f"taxon_{label}" for label in RANK_LABELS),
)
"""The columns that are added to a table."""

_GENUS, _SPECIES = RANK_LABELS[-2:]
_ROWS = 1000
_REMEDY = "Correct the line"


@dataclass(frozen=True)
class NameTable:
    """A table with names.

    Attributes:
        table: The file.
        header: Its columns.
        column: The place of the column with names, None if the names are in the columns of the ranks.
        ranks: The places of the columns of the seven ranks that it has, by label.
    """

    table: Table
    header: tuple[str, ...]
    column: int | None
    ranks: dict[str, int]

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows after the header.

        Raises:
            TableError: A row has another length than the header, or the file cannot be read.
        """
        cells = self.table.cells()
        next(cells)
        for line, row in cells:
            self.table.check_length(line, row, len(self.header), "the header")
            yield row

    def given(self, row: Sequence[str]) -> tuple[str, dict[str, str]]:
        """Return the name in a row, and the names above it by rank.

        A row without a name in its column has the name of its lowest rank. An epithet in the column of the species follows
        the genus.
        """
        ranks = {label: row[place].strip() for label, place in self.ranks.items()}
        name = row[self.column].strip() if self.column is not None else ""
        context = {label: text for label, text in ranks.items() if label != _SPECIES}
        return name or _lowest(ranks), context


def _lowest(ranks: dict[str, str]) -> str:
    species, genus = ranks.get(_SPECIES, ""), ranks.get(_GENUS, "")
    if species and genus and species.split()[0].lower() != genus.lower():
        return f"{genus} {species}"
    return next((ranks[label] for label in reversed(RANK_LABELS) if ranks.get(label)), "")


def delimiter_of(path: Path) -> str:
    """Return the delimiter of a table: a tab if its name says so or if only a tab divides its header, else a comma."""
    if path.suffix.lower() in {".tsv", ".tab"}:
        return DELIMITERS["tab"]
    with path.open("rb") as file:
        first = file.readline()
    return next((sign for sign in ",\t;|" if sign.encode() in first), ",")


def name_table(path: Path, column: str | None) -> NameTable:
    """Return a table with names.

    Args:
        path: A CSV or TSV file with a header.
        column: The column with the names; if None, one with a usual name, or the columns of the ranks.

    Raises:
        TableError: It cannot be opened, has no such column, or has one of the columns that are added.
    """
    if not path.is_file():
        raise TableError(path, "there is no such file", "Name a CSV or TSV file with a header")
    table = Table(path, remedy=_REMEDY, delimiter=delimiter_of(path))
    header = table.header()
    if repeated := sorted({name for name in MATCH_COLUMNS if name in header}):
        what = f"has the column {repeated[0]}, which is added to the table"
        raise TableError(path, what, "Rename or remove it")
    lower = [name.lower() for name in header]
    ranks = {label: lower.index(label) for label in RANK_LABELS if label in lower}
    place = _place(path, header, column)
    if place is None and not ranks:
        what = f"none of its columns is one of names ({', '.join(header)})"
        raise TableError(path, what, "Name the column with --column")
    return NameTable(table, tuple(header), place, ranks)


def _place(path: Path, header: Sequence[str], column: str | None) -> int | None:
    """Return the place of the column with names, None if there is none with a usual name."""
    if column is not None:
        if column not in header:
            what = f"has no column {column}"
            raise TableError(path, what, f"Use one of {', '.join(header)}")
        return header.index(column)
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in _NAME_COLUMNS if name in lower), None)


def write_matches(names: NameTable, matcher: Matcher, file: IO[str], delimiter: str) -> Counter[str]:
    """Write a table with all its columns and those of the matches.

    Returns:
        The number of rows by status.
    """
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*names.header, *MATCH_COLUMNS])
    counts: Counter[str] = Counter()
    for rows in batched(names.rows(), _ROWS):
        texts, contexts = zip(*map(names.given, rows), strict=True)
        for row, match in zip(rows, matcher.match_all(texts, contexts), strict=True):
            counts[match.status] += 1
            writer.writerow([*row, *_cells(match)])
    return counts


def _cells(match: NameMatch) -> list[str]:
    candidates = "; ".join(f"{one.name} ({one.tol_id})" for one in match.candidates)
    tol_id = "" if match.tol_id is None else str(match.tol_id)
    fixed = [str(match.status), f"{match.score:.3f}", match.reason, candidates, match.matched, tol_id]
    return [*fixed, match.name, match.rank, *(match.ranks[label] for label in RANK_LABELS)]
