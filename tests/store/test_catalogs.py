from __future__ import annotations

import csv
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.sources import SOURCES
from tol_luigi.store import catalogs
from tol_luigi.store.catalogs import (
    catalog_schema,
    count_by_source,
    count_samples,
    in_row_groups,
    partition_rows,
    predicted_schema,
    write_catalog,
)
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    "split,treeoflife_id,eol_content_id,eol_page_id,bioscan_part,bioscan_filename,inat21_filename,"
    "inat21_cls_name,inat21_cls_num,kingdom,phylum,class,order,family,genus,species,common"
)
AWKWARD = 'Müller\'s "red", or\nblue; bee'
USED = ("eol", "bioscan", "inat21")


def row(image: str, partition: str = "a", **other: Any) -> dict[str, Any]:
    ranks = dict.fromkeys(("kingdom", "phylum", "class", "order", "family", "genus", "species"), "")
    known = {"split": "train", "treeoflife_id": image, "eol_content_id": 1, "eol_page_id": 2}
    place = {"source": "eol", "partition": partition, "position": 0, "is_train_small": False, "excluded": ""}
    return {**known, **ranks, "common": "bee", "class_index": "[0, 1]", "name_rules": "", **place, **other}


ROWS = [
    row("id-1", genus="Apis", common=AWKWARD, is_train_small=True),
    row("id-2", split="val", excluded="excluded_species"),
    row("id-3", "b", split="val", eol_content_id=2**62),
    row("id-4", "b", is_train_small=True, excluded="excluded_image"),
    row("id-5", "b"),
]


@pytest.fixture
def catalog(tmp_path: Path) -> tuple[Path, Path]:
    """A predicted catalog of two partitions, as CSV and Parquet."""
    schema = predicted_schema(SOURCES, USED)
    tables = [pa.Table.from_pylist(ROWS[:2], schema=schema), pa.Table.from_pylist(ROWS[2:], schema=schema)]
    paths = tmp_path / "catalog.csv", tmp_path / "catalog.parquet"
    write_catalog(*paths, schema, tables, lambda _: None)
    return paths


@pytest.mark.parametrize(
    ("schema", "header"),
    [
        pytest.param(predicted_schema(SOURCES, USED), f"{COLUMNS},class_index", id="the predicted catalog"),
        pytest.param(catalog_schema(SOURCES, USED), COLUMNS, id="the final catalog"),
        pytest.param(catalog_schema(SOURCES, ["bioscan"]), COLUMNS, id="columns of unused sources stay"),
    ],
)
def test_the_csv_has_the_published_columns(tmp_path: Path, schema: pa.Schema, header: str) -> None:
    write_catalog(tmp_path / "c.csv", tmp_path / "c.parquet", schema, [], lambda _: None)

    assert (tmp_path / "c.csv").read_text() == header + "\n"
    assert pq.read_schema(tmp_path / "c.parquet").names[: len(COLUMNS.split(","))] == COLUMNS.split(",")


def test_the_header_is_that_of_the_golden_catalog(shared: Path, catalog: tuple[Path, Path]) -> None:
    with (
        (shared / "golden" / "predicted-catalog.csv").open(encoding="utf-8") as golden,
        catalog[0].open() as ours,
    ):
        assert golden.readline() == ours.readline()


def test_what_is_unknown_is_blank(catalog: tuple[Path, Path]) -> None:
    text = catalog[0].read_text(encoding="utf-8")
    [last] = csv.reader([text.splitlines()[-1]])

    assert last == ["train", "id-5", "1", "2", *[""] * 12, "bee", "[0, 1]"]
    assert ',"",' not in text


def test_csv_reads_it(catalog: tuple[Path, Path]) -> None:
    with catalog[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["treeoflife_id"] for row in rows] == ["id-1", "id-2", "id-3", "id-4", "id-5"]
    assert rows[0]["common"] == AWKWARD
    assert rows[2]["eol_content_id"] == str(2**62)
    assert json.loads(rows[0]["class_index"]) == [0, 1]


def test_pandas_reads_both_alike(catalog: tuple[Path, Path]) -> None:
    text, columnar = pd.read_csv(catalog[0]), pd.read_parquet(catalog[1])

    assert text.columns.tolist() == f"{COLUMNS},class_index".split(",")
    assert text["common"].tolist() == columnar["common"].tolist() == [AWKWARD, "bee", "bee", "bee", "bee"]
    assert (
        text["genus"].isna().tolist() == (columnar["genus"] == "").tolist() == [False, True, True, True, True]
    )


def test_a_row_group_holds_one_partition(catalog: tuple[Path, Path]) -> None:
    with pq.ParquetFile(catalog[1]) as file:
        partitions = [
            set(file.read_row_group(group, ["partition"])["partition"].to_pylist())
            for group in range(file.num_row_groups)
        ]

    assert partitions == [{"a"}, {"b"}]


def test_rows_of_one_partition(catalog: tuple[Path, Path]) -> None:
    assert partition_rows(catalog[1], "eol", "b", ["treeoflife_id"])["treeoflife_id"].to_pylist() == [
        "id-3", "id-4", "id-5"
    ]  # fmt: skip
    assert partition_rows(catalog[1], "bioscan", "b").num_rows == 0


def test_samples_to_write_are_counted_without_the_excluded(catalog: tuple[Path, Path]) -> None:
    assert count_samples(catalog[1]) == {
        ("train", "eol", "a"): 1,
        ("train_small", "eol", "a"): 1,
        ("val", "eol", "b"): 1,
        ("train", "eol", "b"): 1,
    }


def test_samples_of_one_share_are_added_up_whatever_the_pieces_they_come_in(tmp_path: Path) -> None:
    schema = predicted_schema(SOURCES, USED)
    small = [{"is_train_small": number < 2} for number in range(3)]
    tables = [
        pa.Table.from_pylist(
            [row(f"id-{piece}{number}", **more) for number, more in enumerate(small)], schema
        )
        for piece in range(3)
    ]
    with pq.ParquetWriter(tmp_path / "catalog.parquet", schema) as writer:
        for table in tables:
            writer.write_table(table)

    assert count_samples(tmp_path / "catalog.parquet") == {
        ("train", "eol", "a"): 9,
        ("train_small", "eol", "a"): 6,
    }


def test_rows_are_counted_by_split_and_source_over_all_pieces(catalog: tuple[Path, Path]) -> None:
    rows = pq.read_table(catalog[1], columns=["split", "source"]).to_pylist()
    assert len(rows) > len({tuple(row.values()) for row in rows})
    assert count_by_source(catalog[1]) == Counter((row["split"], row["source"]) for row in rows)


def test_pieces_hold_every_row(catalog: tuple[Path, Path]) -> None:
    told: list[int] = []
    rows = [
        row
        for piece in pieces(catalog[1], ["treeoflife_id", "genus"], told.append)
        for row in piece.to_pylist()
    ]

    assert [row["treeoflife_id"] for row in rows] == [f"id-{n}" for n in range(1, 6)]
    assert [row["genus"] for row in rows] == ["Apis", "", "", "", ""]
    assert told == [2, 5]


def test_progress_tells_rows(tmp_path: Path) -> None:
    schema, told = predicted_schema(SOURCES, USED), list[int]()
    tables = [pa.Table.from_pylist(ROWS, schema=schema)] * 2
    write_catalog(tmp_path / "c.csv", tmp_path / "c.parquet", schema, tables, told.append)

    assert told == [5, 10]


def test_a_catalog_cut_short_is_not_there(tmp_path: Path) -> None:
    schema = predicted_schema(SOURCES, USED)

    def tables() -> Any:
        yield pa.Table.from_pylist(ROWS, schema=schema)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_catalog(tmp_path / "c.csv", tmp_path / "c.parquet", schema, tables(), lambda _: None)

    assert list(tmp_path.iterdir()) == []


def plain(table: pa.Table) -> pa.Table:
    """Give the same rows with each text spelled out in every row."""
    kinds = [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(kinds))


def muddled(table: pa.Table) -> pa.Table:
    """Give the same rows in two pieces, with texts that are in none of them, in another order."""
    other = table.from_pylist([row("id-0", common="zebra", genus="Equus")], schema=table.schema)
    return pa.concat_tables([other, table.slice(0, 1), table.slice(1)]).unify_dictionaries().slice(1)


@pytest.mark.parametrize(
    "change", [plain, muddled, pa.Table.combine_chunks], ids=lambda change: change.__name__
)
def test_the_bytes_follow_from_the_rows_and_not_from_how_they_are_held(tmp_path: Path, change: Any) -> None:
    schema = predicted_schema(SOURCES, USED)
    table = pa.Table.from_pylist(ROWS, schema=schema)
    for name, one in (("before", table), ("after", change(table))):
        write_catalog(tmp_path / f"{name}.csv", tmp_path / name, schema, [one], lambda _: None)

    assert (tmp_path / "after.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()


def test_a_text_is_kept_once_and_none_that_is_in_no_row(tmp_path: Path) -> None:
    schema = predicted_schema(SOURCES, USED)
    write_catalog(
        tmp_path / "c.csv",
        tmp_path / "c",
        schema,
        [muddled(pa.Table.from_pylist(ROWS, schema=schema))],
        told_nothing,
    )
    with pq.ParquetFile(tmp_path / "c") as file:
        common = file.read_row_group(0, ["common"])["common"].combine_chunks()

    assert common.dictionary.to_pylist() == [AWKWARD, "bee"]


def told_nothing(_: int) -> None:
    """Be told of progress."""


@pytest.mark.parametrize("schema", [predicted_schema(SOURCES, SOURCES), catalog_schema(SOURCES, SOURCES)])
def test_texts_that_repeat_are_categories_and_ids_and_names_of_files_are_not(
    tmp_path: Path, schema: pa.Schema
) -> None:
    table = pa.Table.from_pylist([row("id-1", inat21_cls_name="a", folder_name="b")], schema=schema)
    write_catalog(tmp_path / "c.csv", tmp_path / "c", schema, [table], lambda _: None)
    kinds = pd.read_parquet(tmp_path / "c").dtypes.astype(str)
    several = {"class_index", "source", "partition", "excluded", "exclusion", "mode", "format"} & {
        *schema.names
    }

    assert {name for name, kind in kinds.items() if kind == "category"} == {
        "split", "inat21_cls_name", "folder_name", "imagefolder_name", "table_name", "kingdom", "phylum", "class", "order", "family", "genus", "species",
        "common", "name_rules", *several,
    }  # fmt: skip
    with pq.ParquetFile(tmp_path / "c") as file:
        columns = [file.metadata.row_group(0).column(index) for index in range(file.metadata.num_columns)]
    for column in columns:
        if column.path_in_schema in {"treeoflife_id", "sha256", "md5", "inat21_filename", "eol_content_id"}:
            assert "RLE_DICTIONARY" not in column.encodings


@pytest.fixture
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a row group have four rows at most."""
    monkeypatch.setattr(catalogs, "ROW_GROUP", 4)


@pytest.mark.usefixtures("small_row_groups")
def test_a_large_partition_has_several_row_groups(tmp_path: Path) -> None:
    schema, told = predicted_schema(SOURCES, USED), list[int]()
    rows = [row(f"id-{number}", "a" if number < 9 else "b") for number in range(12)]
    tables = [pa.Table.from_pylist(part, schema=schema) for part in (rows[:9], [], rows[9:])]
    write_catalog(tmp_path / "c.csv", tmp_path / "c", schema, tables, told.append)
    with pq.ParquetFile(tmp_path / "c") as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]

    assert (sizes, told) == ([4, 4, 1, 3], [4, 8, 9, 12])
    assert pq.read_table(tmp_path / "c")["treeoflife_id"].to_pylist() == [
        one["treeoflife_id"] for one in rows
    ]
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 13


@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
@settings(deadline=None)
def test_row_groups_are_full_but_for_the_last(sizes: list[int], size: int) -> None:
    numbers = iter(range(sum(sizes)))
    tables = [pa.table({"n": pa.array([next(numbers) for _ in range(one)], pa.int64())}) for one in sizes]
    groups = list(in_row_groups(tables, size))

    assert [number for group in groups for number in group["n"].to_pylist()] == list(range(sum(sizes)))
    assert all(len(group) == size for group in groups[:-1])
    assert all(0 < len(group) <= size for group in groups)


@pytest.mark.usefixtures("small_row_groups")
def test_row_groups_of_the_final_catalog_tell_which_ids_they_hold(tmp_path: Path) -> None:
    schema = catalog_schema(SOURCES, USED)
    rows = [row(f"{number * 0x9E3779B1 % 2**32:08x}") for number in range(40)]
    table = pa.Table.from_pylist(rows, schema=schema)
    write_catalog(tmp_path / "c.csv", tmp_path / "c", schema, [table], lambda _: None, by_id=True)
    with duckdb.connect() as database:
        probe = "SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(?, 'treeoflife_id', ?)"
        for number, one in enumerate(rows):
            told = dict(database.execute(probe, [str(tmp_path / "c"), one["treeoflife_id"]]).fetchall())
            assert not told[number // 4]
            assert sum(told.values()) >= 7  # of ten


def test_an_empty_catalog_can_be_read(tmp_path: Path) -> None:
    schema = catalog_schema(SOURCES, USED)
    write_catalog(tmp_path / "c.csv", tmp_path / "c", schema, [], lambda _: None, by_id=True)

    assert pq.read_table(tmp_path / "c").schema.equals(schema)
    assert list(pieces(tmp_path / "c", ["split"])) == []
    with duckdb.connect() as database:
        assert database.sql(f"SELECT count(*) FROM read_parquet('{tmp_path / 'c'}')").fetchall() == [(0,)]  # noqa: S608
