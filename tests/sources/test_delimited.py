"""Rows of the wrong length, open quotes, delimiters and encodings: in every table, with the line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.core.errors import TableError
from tol_luigi.sources import tables
from tol_luigi.sources.delimited import Table
from tol_luigi.sources.labels import LabelTable

Read = Callable[[Path], Iterable[Any]]

RANKS = ["kingdom", "phylum", "class", "order", "family", "genus"]
TABLES: dict[str, tuple[Read, str, list[str]]] = {
    "labels": (lambda path: LabelTable(path, "comma"), ",", ["file", *RANKS, "species", "common"]),
    "scraped pages": (tables.scraped_pages, ",", ["page_id", "scientific_name"]),
    "chains of ITIS": (
        tables.itis_rows,
        ",",
        [*map(str.capitalize, RANKS), "Species", "terminal_vernacular", "terminal_vernacular_lang"],
    ),
    "vernaculars of EOL": (
        lambda path: tables.eol_vernaculars(path, preferred=False),
        ",",
        ["page_id", "canonical_form", "vernacular_string", "language_code", "is_preferred_by_eol"],
    ),
    "vernaculars of iNaturalist": (
        lambda path: tables.inat_names(path, path),
        ",",
        ["id", "vernacularName", "taxonRank", "scientificName", *RANKS, "specificEpithet"],
    ),
    "metadata of BIOSCAN": (
        tables.bioscan_rows,
        "\t",
        ["image_file", "order", "family", "genus", "species", "note"],
    ),
    "taxon.tab": (
        lambda path: [tables.load_hierarchy(path)],
        "\t",
        ["taxonID", "parentNameUsageID", "taxonRank", "canonicalName", "eolID"],
    ),
    "media manifests": (
        lambda path: tables.media_licenses(path.parent),
        ",",
        [
            "EOL content ID", "EOL page ID", "Medium Source URL", "EOL Full-Size Copy URL", "License Name", "Copyright Owner",
        ],
    ),
}  # fmt: skip
QUOTED = [name for name in TABLES if name != "taxon.tab"]
"""Those in which a quote opens a cell."""


def refused(folder: Path, name: str, spoil: Callable[[list[list[str]]], None]) -> str:
    """Write a table of four rows, spoil it, and return the message that reading it gives."""
    read, delimiter, header = TABLES[name]
    ending = ".tsv" if delimiter == "\t" else ".csv"
    path = folder / (f"media_manifest_1{ending}" if name == "media manifests" else f"table{ending}")
    rows = [header, *([f"{number}" for _ in header] for number in range(1, 5))]
    path.write_text("".join(f"{delimiter.join(row)}\n" for row in rows), encoding="utf-8")
    list(read(path))
    spoil(rows)
    path.write_text("".join(f"{delimiter.join(row)}\n" for row in rows), encoding="utf-8")
    with pytest.raises(TableError) as caught:
        list(read(path))
    assert str(path) in caught.value.where
    return str(caught.value)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("change", [1, -1])
def test_a_row_of_another_length_is_refused(tmp_path: Path, name: str, change: int) -> None:
    width = len(TABLES[name][2])

    def spoil(rows: list[list[str]]) -> None:
        rows[3] = rows[3] + ["3"] if change > 0 else rows[3][:-1]

    assert f"line 4 has too {'many' if change > 0 else 'few'} cells ({width + change}; " in refused(
        tmp_path, name, spoil
    )


@pytest.mark.parametrize("name", QUOTED)
def test_a_quote_that_is_never_closed_is_refused_where_it_opens(tmp_path: Path, name: str) -> None:
    def spoil(rows: list[list[str]]) -> None:
        rows[2][-1] = '"2'

    assert "line 3 opens a quote that is not closed" in refused(tmp_path, name, spoil)


@pytest.mark.parametrize("name", QUOTED)
@pytest.mark.parametrize("column", [0, 1, -1])
def test_a_quote_that_a_later_row_closes_is_refused_where_it_opens(
    tmp_path: Path, name: str, column: int
) -> None:
    """The swallowed rows leave a row of the right length."""

    def spoil(rows: list[list[str]]) -> None:
        rows[2][column] = f'"{rows[2][column]}'
        rows[4][column] = f'{rows[4][column]}"'

    assert "line 3 opens a quote that is not closed" in refused(tmp_path, name, spoil)


@pytest.mark.parametrize("name", QUOTED)
def test_text_behind_a_closing_quote_is_refused_where_the_quote_opens(tmp_path: Path, name: str) -> None:
    def spoil(rows: list[list[str]]) -> None:
        rows[2][1], rows[4][1] = '"2', '"4"'

    assert "line 3 opens a quote that is not closed" in refused(tmp_path, name, spoil)


def test_the_line_of_a_quote_behind_a_cell_of_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('a,b\n"x\ny","z\n1,2\n', encoding="utf-8")
    with pytest.raises(TableError, match="line 3 opens a quote"):
        list(Table(path).cells())


@pytest.mark.parametrize("text", ["Apis\nmellifera", "Apis\nLinnaeus, 1758", "Apis,\nmellifera", 'a "b"\nc'])
def test_line_breaks_within_a_cell_of_a_published_table_are_read(tmp_path: Path, text: str) -> None:
    path, quoted = tmp_path / "table.csv", text.replace('"', '""')
    path.write_text(f'page_id,scientific_name\n1,"{quoted}"\n2,Bombus\n', encoding="utf-8")
    assert list(tables.scraped_pages(path)) == [(1, text), (2, "Bombus")]


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"media manifests"}))
@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_named(tmp_path: Path, name: str, mark: bytes) -> None:
    read, delimiter, header = TABLES[name]
    path = tmp_path / ("table.tsv" if delimiter == "\t" else "table.csv")
    path.write_bytes(mark + delimiter.join(header).encode("utf-16-le" if mark[0] == 0xFF else "utf-16-be"))
    with pytest.raises(TableError, match="line 1 is UTF-16, not UTF-8"):
        list(read(path))


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"media manifests"}))
def test_another_delimiter_is_named(tmp_path: Path, name: str) -> None:
    read, delimiter, header = TABLES[name]
    path = tmp_path / ("table.tsv" if delimiter == "\t" else "table.csv")
    path.write_text(";".join(header) + "\n", encoding="utf-8")
    with pytest.raises(TableError, match="line 1 has its cells separated by the delimiter semicolon, not "):
        list(read(path))
