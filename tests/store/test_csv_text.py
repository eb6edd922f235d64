from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.store.csv_text import csv_text

Cell = str | int | None

REPEATED = pa.dictionary(pa.int32(), pa.string())

HOSTILE = st.text(st.sampled_from(list("\"',\r\n\t\0 aé\u2028\x85\x1a\ufeff;|\\#")), max_size=6)
TEXTS = st.none() | st.just("") | HOSTILE | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)


def column(kind: pa.DataType, rows: int) -> st.SearchStrategy[pa.ChunkedArray]:
    """Draw a column, in pieces and cut out of a longer one, as those of tables are."""
    cells = NUMBERS if kind == pa.int64() else TEXTS
    whole = st.lists(cells, min_size=rows + 2, max_size=rows + 2)

    def cut(drawn: tuple[list[Cell], int]) -> pa.ChunkedArray:
        content, place = drawn
        plain = kind.value_type if kind == REPEATED else kind
        pieces = [pa.array(content[:place], plain), pa.array(content[place:], plain)]
        pieces = [piece.dictionary_encode() for piece in pieces] if kind == REPEATED else pieces
        return pa.chunked_array(pieces, kind).slice(1, rows)

    return st.tuples(whole, st.integers(0, rows + 2)).map(cut)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 6))
    kinds = draw(st.lists(st.sampled_from([pa.string(), REPEATED, pa.int64()]), min_size=1, max_size=4))
    return pa.table([draw(column(kind, rows)) for kind in kinds], names=[str(n) for n in range(len(kinds))])


def rows_of(table: pa.Table) -> list[list[Cell]]:
    return [list(row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]


def written(rows: list[list[Cell]], lineterminator: str) -> list[str]:
    """Write each row with the csv module of Python."""
    lines = []
    for row in rows:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=lineterminator).writerow(row)
        lines.append(text.getvalue().removesuffix(lineterminator))
    return lines


@settings(deadline=None)
@given(tables())
def test_the_bytes_are_those_of_the_csv_module_where_it_quotes_carriage_returns(table: pa.Table) -> None:
    expected = "".join(f"{line}\n" for line in written(rows_of(table), "\r\n"))
    assert bytes(csv_text(table)) == expected.encode()


@settings(deadline=None)
@given(tables())
def test_without_carriage_returns_the_bytes_are_those_of_the_csv_module(table: pa.Table) -> None:
    rows = [
        [cell.replace("\r", "") if isinstance(cell, str) else cell for cell in row] for row in rows_of(table)
    ]
    without = pa.table(
        [
            pa.array(list(cells), field.type)
            for cells, field in zip(zip(*rows, strict=True), table.schema, strict=True)
        ]
        if rows
        else table.columns,
        names=table.schema.names,
    )
    assert bytes(csv_text(without)) == "".join(f"{line}\n" for line in written(rows, "\n")).encode()


@settings(deadline=None)
@given(tables())
def test_the_csv_module_reads_the_same_cells(table: pa.Table) -> None:
    text = io.StringIO(bytes(csv_text(table)).decode(), newline="")
    expected = [["" if cell is None else str(cell) for cell in row] for row in rows_of(table)]
    assert list(csv.reader(text, strict=True)) == expected


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        pytest.param(["a", "b"], "a\nb\n", id="nothing is quoted for nothing"),
        pytest.param([" a ", "\ta"], " a \n\ta\n", id="blanks at the ends stay, and need no quotes"),
        pytest.param(["a,b", 'a"b', "a\nb", "a\rb"], '"a,b"\n"a""b"\n"a\nb"\n"a\rb"\n', id="what is quoted"),
        pytest.param(["", None, "a"], '""\n""\na\n', id="in a single column, an empty cell is quoted"),
        pytest.param([], "", id="no rows"),
    ],
)
@pytest.mark.parametrize("kind", [pa.string(), REPEATED])
def test_one_column(kind: pa.DataType, cells: list[str | None], text: str) -> None:
    table = pa.table({"a": pa.array(cells, pa.string()).cast(kind)})
    assert bytes(csv_text(table)).decode() == text
