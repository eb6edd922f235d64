from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tol_luigi.sources import SOURCES
from tol_luigi.store.catalogs import (
    catalog_schema,
    count_samples,
    frames,
    partition_rows,
    predicted_schema,
    write_catalog,
)

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
    return {**known, **ranks, "common": "bee", "class_index": "[0, 1]", **place, **other}


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


def test_frames_hold_every_row(catalog: tuple[Path, Path]) -> None:
    pieces = list(frames(catalog[1], ["treeoflife_id", "genus"], lambda _: None))

    assert [value for piece in pieces for value in piece["treeoflife_id"]] == [f"id-{n}" for n in range(1, 6)]
    assert [value for piece in pieces for value in piece["genus"]] == ["Apis", "", "", "", ""]


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
