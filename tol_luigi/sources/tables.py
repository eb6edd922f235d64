"""Readers of the metadata tables.

Every table is read as a stream; only the result is held in memory. A byte order mark, either kind of line end
and blank lines are allowed. Any error is a :class:`~tol_luigi.core.errors.TableError` with the file, the
line, what is wrong and what to do. Columns are found by name, in any order, and other columns are ignored.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import ijson

from tol_luigi.core.errors import TableError
from tol_luigi.core.exclusions import Exclusions
from tol_luigi.core.hierarchy import Hierarchy
from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.source import License
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.delimited import FETCH, Table, json_lines, limited, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "BIOSCAN_COLLECTION",
    "BioscanRow",
    "InatRow",
    "ItisRow",
    "bioscan_process_ids",
    "bioscan_rows",
    "eol_vernaculars",
    "hierarchy_pages",
    "inat_names",
    "itis_rows",
    "load_common_names",
    "load_exclusions",
    "load_hierarchy",
    "load_lookup",
    "resolved_names",
    "scraped_pages",
]

BIOSCAN_COLLECTION = "bioscan"
"""The collection of insects whose process ids BIOSCAN-1M and BIOSCAN-5M contain."""

_RANKS = RANK_LABELS[:-1]  # the species has another column name there


_MANIFEST = re.compile(r"media_manifest_(\d+)\.csv")
_MEDIA = [
    "EOL content ID",
    "EOL page ID",
    "Medium Source URL",
    "EOL Full-Size Copy URL",
    "License Name",
    "Copyright Owner",
]


class ItisRow(NamedTuple):
    """A row of ITIS: its taxon, and its vernacular names with their languages, both joined by ``", "``."""

    taxon: Taxon
    vernaculars: str
    languages: str


class InatRow(NamedTuple):
    """A species or variety of iNaturalist with an English name; its scientific name in two spellings."""

    scientific: str
    as_written: str
    vernacular: str


class BioscanRow(NamedTuple):
    """The names of one image of BIOSCAN; "" if a rank is not classified."""

    image_file: str
    order: str
    family: str
    genus: str
    species: str


def itis_rows(path: Path) -> Iterator[ItisRow]:
    """Read ITIS ``species_level_taxonomy_chains.csv``, in the order of the file."""
    ranks = ("Kingdom", "Phylum", "Class", "Order", "Family", "Genus", "Species")
    for _, row in Table(path).rows((*ranks, "terminal_vernacular", "terminal_vernacular_lang")):
        yield ItisRow(Taxon.of(*row[: len(ranks)]), *row[len(ranks) :])


def resolved_names(path: Path) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Yield the first name of each line of ``resolved.jsonl``, with its resolvers in order, and ranks."""
    for number, entry in json_lines(Table(path)):
        if not _is_resolved(entry):
            what = f"line {number} is not a name with resolvers, each with ranks"
            raise TableError(path, what, FETCH)
        yield from itertools.islice(entry.items(), 1)


def load_lookup(chains: Path | None = None, resolved: Path | None = None) -> HigherRankTable:
    """Return a lookup of higher ranks from the tables that exist, in the order of precedence."""
    lookup = HigherRankTable()
    for row in itis_rows(chains) if chains else ():
        lookup.add_chain(row.taxon)
    for name, resolvers in resolved_names(resolved) if resolved else ():
        lookup.add_resolved(name, resolvers)
    return lookup


def load_hierarchy(
    taxon_tab: Path, scraped: Path | None = None, pages: Container[int] | None = None
) -> Hierarchy:
    """Read EOL's ``taxon.tab`` and ``scraped_page_ids.csv``.

    Args:
        taxon_tab: Tab-separated; a quote that is not closed in its own cell is an ordinary character.
        scraped: Names of pages that ``taxon.tab`` lacks.
        pages: The pages to read scraped names for, or None for all.
    """
    columns = ("taxonID", "parentNameUsageID", "taxonRank", "canonicalName", "eolID")
    hierarchy = Hierarchy()
    table = Table(taxon_tab, delimiter="\t", quoting=csv.QUOTE_NONE)
    is_quoted = _holds_quotes(taxon_tab)
    for line, cells in table.rows(columns):
        key, parent, rank, name, page = map(_unquoted, cells) if is_quoted else cells
        if page:
            hierarchy.add_row(key, parent, rank, name, _number(table, line, "eolID", page))
    for page_id, name in scraped_pages(scraped) if scraped else ():
        if pages is None or page_id in pages:
            hierarchy.add_scraped(page_id, name)
    return hierarchy


def hierarchy_pages(taxon_tab: Path) -> Iterator[int]:
    """Yield the pages of EOL's ``taxon.tab``."""
    table = Table(taxon_tab, delimiter="\t", quoting=csv.QUOTE_NONE)
    for line, (page,) in table.rows(("eolID",)):
        if page := _unquoted(page):
            yield _number(table, line, "eolID", page)


def _holds_quotes(path: Path) -> bool:
    """Return whether a file contains any quote: one search in a line is faster than one in each cell."""
    with open_table(path) as file:
        return any(b'"' in line for line in limited(file))


def _unquoted(cell: str) -> str:
    """Return a cell without the quotes that open at its start, if they are closed in it."""
    if not cell.startswith('"'):
        return cell
    cells = next(csv.reader([f"{cell}\t"], delimiter="\t"))
    return cells[0] if len(cells) == 2 else cell  # noqa: PLR2004 (the cell, and the rest after its tab)


def scraped_pages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield page id and scientific name of ``scraped_page_ids.csv``, the name as written on the page."""
    table = Table(path)
    for line, (page_id, name) in table.rows(("page_id", "scientific_name")):
        yield _number(table, line, "page_id", page_id), name


def inat_names(taxa: Path, vernaculars: Path) -> Iterator[InatRow]:
    """Yield the first name of each id in ``VernacularNames-english.csv``, joined with ``taxa.csv``.

    Only species and varieties with a name are held in memory. Rows are in the order of the names. If several
    taxa have the same id, the last one counts.
    """
    names: dict[int, str] = {}
    named = Table(vernaculars)
    for line, (key, name) in named.rows(("id", "vernacularName")):
        if name:
            names.setdefault(_number(named, line, "id", key), name)
    found: dict[int, tuple[str, str]] = {}
    columns = ("id", "taxonRank", "scientificName", *_RANKS, "specificEpithet")
    table = Table(taxa)
    for line, (key, rank, scientific_name, *ranks) in table.rows(columns):
        if rank in {"species", "variety"} and (number := _number(table, line, "id", key)) in names:
            found[number] = Taxon.of(*ranks).scientific, scientific_name
    for number, name in names.items():
        if number in found:
            yield InatRow(*found[number], name)


def eol_vernaculars(path: Path, *, preferred: bool) -> Iterator[tuple[str, str]]:
    """Yield the English names of EOL's ``vernacularnames.csv``: canonical form, common name.

    Args:
        path: The table.
        preferred: Whether to read the rows that EOL prefers, or the others. (Marks of a resource for its own
            names, ``is_preferred_by_resource``, do not count.)
    """
    columns = ("canonical_form", "vernacular_string", "language_code", "is_preferred_by_eol")
    for _, (canonical_form, name, language, mark) in Table(path).rows(columns):
        if language == "eng" and bool(mark) == preferred:
            yield canonical_form, name


def load_common_names(
    chains: Path | None = None, others: Iterable[Callable[[CommonNames], None]] = ()
) -> CommonNames:
    """Return the common names of all tables; if a taxon has several names, the first counts.

    Args:
        chains: The table of ITIS, which comes first.
        others: Functions that add the names of other tables, in the order of precedence.
    """
    names = CommonNames()
    for itis in itis_rows(chains) if chains else ():
        names.add_itis(*itis)
    for add in others:
        add(names)
    return names


def bioscan_rows(path: Path) -> Iterator[BioscanRow]:
    """Yield the rows of BIOSCAN's metadata in order: ``.jsonld`` or ``.json`` (one list), or ``.tsv``."""
    for image_file, *ranks in _bioscan_columns(path, BioscanRow._fields):
        yield BioscanRow(image_file, *("" if rank == "not_classified" else rank for rank in ranks))


def bioscan_process_ids(path: Path) -> Iterator[tuple[str, str]]:
    """Return an iterator over file name and process id of each row of BIOSCAN's metadata."""
    return ((row[0], row[1]) for row in _bioscan_columns(path, ("image_file", "processid")))


def _bioscan_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if path.suffix.lower() == ".tsv":
        rows = Table(path, delimiter="\t").rows(columns)
    else:
        rows = limited(_entries(path, columns))
    return (cells for _, cells in rows)


def load_exclusions(path: Path, *, with_species: bool) -> Exclusions:
    """Read an exclusion list.

    Args:
        path: The JSON file.
        with_species: Whether the species themselves are excluded, not only the listed images.
    """
    with open_table(path) as file:
        try:
            content = json.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise TableError(path, f"is not JSON ({error})", FETCH) from error
    return Exclusions(path, content, with_species=with_species)


def media_licenses(folder: Path) -> Iterator[License]:
    """Yield the licences in EOL's media manifests, in order of number; only the first has a header."""
    manifests = {
        int(found[1]): path for path in folder.iterdir() if (found := _MANIFEST.fullmatch(path.name))
    }
    if not manifests:
        raise TableError(
            folder, "contains no media_manifest_<n>.csv", "Set it to the folder of EOL's media manifests"
        )
    for _, path in sorted(manifests.items()):
        table = Table(path)
        for line, row in table.cells():
            table.check_length(line, row, len(_MEDIA), "a media manifest")
            if row != _MEDIA:
                yield License(f"{row[0]}/{row[1]}", *row[2:])


def _number(table: Table, line: int, column: str, value: str) -> int:
    digits = value if value.isdigit() else value.strip()  # blanks are rare in millions of numbers
    if digits.isascii() and digits.isdigit() and len(digits) < 19:  # noqa: PLR2004 (fits 63 bits)
        return int(digits)
    raise table.error(f"line {line} has {column} {value[:40]!r}, which is not a number")


def _is_resolved(entry: Any) -> bool:  # noqa: ANN401 (JSON is any)
    return isinstance(entry, dict) and all(
        isinstance(resolvers, dict)
        and all(
            isinstance(ranks, dict) and all(isinstance(name, str) for name in ranks.values())
            for ranks in resolvers.values()
        )
        for resolvers in entry.values()
    )


def _entries(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number of each object of a JSON list, and its requested texts."""
    number = 0
    with open_table(path) as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        start = file.tell()
        if not file.read(1024).lstrip().startswith(b"["):
            raise TableError(path, "is not a JSON list", FETCH)
        file.seek(start)
        try:
            for number, entry in enumerate(ijson.items(file, "item"), 1):
                yield number, _texts(path, number, entry, fields)
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise TableError(path, f"is truncated after entry {number} ({error})", FETCH) from error


def _texts(path: Path, number: int, entry: Any, fields: Sequence[str]) -> tuple[str, ...]:  # noqa: ANN401
    found = [entry.get(name) for name in fields] if isinstance(entry, dict) else []
    texts = tuple(value for value in found if isinstance(value, str))
    if len(texts) < len(fields):
        what = f"entry {number} lacks a text among {', '.join(fields)}"
        raise TableError(path, what, FETCH)
    return texts
