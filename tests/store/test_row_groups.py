from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.store.row_groups import Rows, rows_digest, rows_with

if TYPE_CHECKING:
    from pathlib import Path

REPEATED = pa.dictionary(pa.int32(), pa.string())
ROWS = [
    {"place": place, "number": number, "name": f"{place}{number}", "flags": ["x"] * number}
    for place in "abc"
    for number in range(3)
]
NOBODY = {"place": None, "number": 9, "name": None, "flags": None}


def write(path: Path, groups: list[list[dict[str, Any]]], kind: pa.DataType) -> Path:
    schema = pa.schema(
        [("place", kind), ("flags", pa.list_(pa.string())), ("number", pa.int64()), ("name", pa.string())]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for group in groups:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return path


@pytest.fixture(params=[pa.string(), REPEATED], ids=["plain", "kept once"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with a row group for each place, and one for two of them."""
    groups = [ROWS[:3], ROWS[3:6], ROWS[6:], [*ROWS[1:5], NOBODY]]
    return write(tmp_path / "rows.parquet", groups, request.param)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        pytest.param({"place": ["c"]}, [6, 7, 8], id="a row group of its own"),
        pytest.param({"place": ["b"]}, [3, 4, 5, 3, 4], id="one shared with another place"),
        pytest.param({"place": ["a", "c"]}, [0, 1, 2, 6, 7, 8, 1, 2], id="one of several values"),
        pytest.param({"place": ["a"], "number": [1]}, [1, 1], id="values in two columns"),
        pytest.param({"place": ["a"], "name": ["b1"]}, [], id="values that are in no row together"),
        pytest.param({"place": ["bb"]}, [], id="a value between those that there are"),
        pytest.param({"place": []}, [], id="no value at all"),
    ],
)
def test_the_rows_that_have_the_values_and_no_others(path: Path, wanted: Any, numbers: list[int]) -> None:
    expected = [ROWS[number]["name"] for number in numbers]
    assert rows_with(path, wanted, ["name"]).to_pydict() == {"name": expected}


def test_everything_is_wanted_where_nothing_is_said(path: Path) -> None:
    assert rows_with(path, {}).to_pylist() == [*ROWS, *ROWS[1:5], NOBODY]


def test_whole_rows_come_with_the_types_of_the_file(path: Path) -> None:
    rows = rows_with(path, {"place": ["a"], "number": [2]})
    assert rows.schema == pq.read_schema(path)
    assert rows.to_pylist() == [ROWS[2], ROWS[2]]


def test_a_file_is_asked_many_times(path: Path) -> None:
    with Rows(path) as file:
        found = [file.rows({"place": [place]}, ["number"])["number"].to_pylist() for place in "abc"]
        assert file.names == pq.read_schema(path).names
    assert found == [[0, 1, 2, 1, 2], [0, 1, 2, 0, 1], [0, 1, 2]]


def test_row_groups_that_cannot_hold_the_rows_are_not_read(path: Path) -> None:
    content = bytearray(path.read_bytes())
    told = pq.read_metadata(path)
    for group in (0, 2):  # those of a and c alone
        place = told.row_group(group).column(0).dictionary_page_offset
        content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert len(rows_with(path, {"place": ["b"]})) == 5
    with pytest.raises(OSError):  # noqa: PT011 (the message is that of Thrift)
        rows_with(path, {"place": ["a"]})


def test_a_column_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(KeyError, match="colour"):
        rows_with(path, {"colour": ["red"]})
    with pytest.raises(KeyError, match="colour"):
        rows_with(path, {"place": ["a"]}, ["colour"])


def test_pages_are_compared_with_their_checksums(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"name": ["a", "needle", "z"]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    path.write_bytes(path.read_bytes().replace(b"needle", b"noodle"))
    with pytest.raises(OSError, match="CRC"):
        rows_with(path, {})


CELLS = st.lists(
    st.tuples(st.one_of(st.none(), st.text(max_size=2)), st.one_of(st.none(), st.integers(0, 2))), max_size=5
)


def table_of(rows: list[tuple[str | None, int | None]]) -> pa.Table:
    texts, numbers = zip(*rows, strict=True) if rows else ([], [])
    return pa.table({"text": pa.array(texts, pa.string()), "number": pa.array(numbers, pa.int32())})


@given(CELLS, CELLS, st.integers(0, 5))
def test_a_digest_is_that_of_the_values_however_they_are_stored(
    rows: list[tuple[str | None, int | None]], others: list[tuple[str | None, int | None]], cut: int
) -> None:
    table = table_of(rows)
    pieces = pa.concat_tables([table_of([("more", 1), *rows]).slice(1, cut), table.slice(cut)])

    assert rows_digest(pieces) == rows_digest(table)
    assert (rows_digest(table_of(others)) == rows_digest(table)) == (others == rows)
