from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tol_luigi.sources import SOURCES
from tol_luigi.store.catalogs import predicted_schema
from tol_luigi.store.duplicates import (
    DuplicateIndex,
    expected_images,
    find_duplicates,
    mark_duplicates,
    with_ranks,
    write_digests,
    written_images,
)
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.reconciliation import Ledger

Row = dict[str, Any]

ORDER = ("eol", "bioscan", "inat21", "folder")
COLUMNS = ("sha256", "id", "split", "source", "partition")
SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def image(number: int, content: str, split: str, source: str) -> Row:
    values = digest(content), f"id-{number:02}", split, source, "p"
    return dict(zip(COLUMNS, values, strict=True))


IMAGES = st.lists(
    st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["val", "train"]), st.sampled_from(ORDER)),
    max_size=20,
).map(lambda drawn: [image(number, *one) for number, one in enumerate(drawn)])


def found(images: list[Row], size: int = 4) -> list[Row]:
    pieces = [images[start : start + size] for start in range(0, len(images), size)]
    tables = [pa.Table.from_pylist(piece, schema=SCHEMA) for piece in pieces]
    rows: list[Row] = find_duplicates(lambda: tables, ORDER, Path("unused")).to_pylist()
    return rows


@settings(deadline=None)
@given(IMAGES)
def test_every_image_that_shares_its_bytes_is_found_and_no_other(images: list[Row]) -> None:
    hashes = [one["sha256"] for one in images]
    shared = {one["id"] for one in images if hashes.count(one["sha256"]) > 1}
    ids = [row["id"] for row in found(images)]
    assert len(ids) == len(set(ids))
    assert set(ids) == shared


@settings(deadline=None)
@given(IMAGES)
def test_exactly_one_image_of_a_group_comes_first_and_by_the_rule(images: list[Row]) -> None:
    rows = found(images)
    for row in rows:
        group = [other for other in rows if other["sha256"] == row["sha256"]]
        (first,) = {other["first"] for other in group}
        best = min(group, key=lambda one: (one["split"] != "val", ORDER.index(one["source"]), one["id"]))
        assert first == best["id"] == group[0]["id"]


@settings(deadline=None)
@given(IMAGES.flatmap(lambda images: st.tuples(st.just(images), st.permutations(images))), st.integers(1, 20))
def test_neither_the_order_of_the_images_nor_the_pieces_they_come_in_matter(
    orders: tuple[list[Row], list[Row]], size: int
) -> None:
    images, shuffled = orders
    assert found(images) == found(shuffled, size)


def test_hashes_that_only_begin_alike_are_not_the_same() -> None:
    images = [image(number, "", "train", "eol") for number in range(3)]
    for one, end in zip(images, ["1", "1", "2"], strict=True):
        one["sha256"] = "0123456789abcdef" * 3 + end * 16
    assert [row["id"] for row in found(images)] == ["id-00", "id-01"]
    assert found(images[1:]) == []


def test_no_images_are_no_duplicates() -> None:
    assert found([]) == []


def test_the_first_of_a_group_is_no_duplicate_of_anything() -> None:
    images = [image(0, "a", "train", "eol"), image(1, "a", "val", "eol"), image(2, "b", "val", "eol")]
    table = find_duplicates(lambda: [pa.Table.from_pylist(images, schema=SCHEMA)], ORDER, Path("unused"))
    ids = pa.chunked_array([["id-00", "id-01", "id-02"]])
    assert DuplicateIndex(table).of("eol", "p", ids).to_pylist() == ["id-01", None, None]
    assert DuplicateIndex(table).of("eol", "elsewhere", ids).to_pylist() == [None, None, None]


def test_written_images_are_those_of_train_and_val(tmp_path: Path) -> None:
    ledgers = [Ledger(split, "eol", "a", tmp_path / split) for split in ("train", "val", "train_small")]
    for number, ledger in enumerate(ledgers):
        about = {"source": "eol", "partition": "a", "name": "x", "reason": "", "sha256": digest("a")}
        written = {"id": f"id-{number}", "state": "written", **about}
        broken = {"id": f"id-{number + 10}", "state": "unreadable", **about}
        write_ledger(ledger.path, [written, broken])
    rows = pa.concat_tables(written_images(ledgers)).to_pylist()
    assert [(row["id"], row["split"]) for row in rows] == [("id-0", "train"), ("id-1", "val")]


def digests_of(world: Any, tmp_path: Path, contents: dict[tuple[str, str], list[str | None]]) -> Any:
    """Give every image of a world a content of its own, but for those told."""

    def path(source: str, partition: str) -> Path:
        return tmp_path / f"{source}-{partition}.hashes"

    places = {(row["source"], row["partition"]) for row in pq.read_table(world.predicted).to_pylist()}
    for about in places:
        own: list[str | None] = ["/".join([*about, str(number)]) for number in range(20)]
        told = contents.get(about, [])
        hashes = [content and digest(content) for content in [*told, *own[len(told) :]]]
        write_digests(path(*about), list(range(20)), hashes)
    return path


def marked(world: Any, tmp_path: Path, digests: Any, size: int = 100) -> list[Row]:
    """Mark the images of a world, which come in tables of up to this size."""
    schema = predicted_schema(SOURCES, ["eol", "bioscan"])
    with pq.ParquetFile(world.predicted) as file:
        groups = [file.read_row_group(group) for group in range(file.num_row_groups)]
        tables = [group.slice(start, size) for group in groups for start in range(0, group.num_rows, size)]
        beside = tmp_path / "marked"
        made = list(
            mark_duplicates([schema.empty_table(), *tables], schema, beside, digests, ["eol", "bioscan"])
        )
    assert list(tmp_path.glob(".*")) == []
    rows: list[Row] = pa.concat_tables(made).to_pylist()
    return rows


def test_all_but_the_first_of_a_group_are_left_out_of_the_work_list(world: Any, tmp_path: Path) -> None:
    before = {row["treeoflife_id"]: row for row in pq.read_table(world.predicted).to_pylist()}
    digests = digests_of(world, tmp_path, {("eol", "a"): ["a"] * 6, ("bioscan", "part1"): ["a", "b"]})
    rows = marked(world, tmp_path, digests)
    at = [row for row in rows if (row["source"], row["partition"]) == ("eol", "a") and row["position"] < 6]
    group = [*at, *(row for row in rows if row["source"] == "bioscan" and row["position"] == 0)]
    stay = min(group, key=lambda row: (row["split"] != "val", row["source"] != "eol", row["treeoflife_id"]))
    for row in rows:
        was = before[row["treeoflife_id"]]
        if row in group and row is not stay:
            reason = f"exact duplicate of {stay['treeoflife_id']}, which is kept"
            was = {**was, "excluded": "duplicate", "exclusion": reason}
        assert row == was


def test_a_table_of_a_single_image_is_marked_like_any_other(world: Any, tmp_path: Path) -> None:
    digests = digests_of(world, tmp_path, {("eol", "a"): ["a"] * 6})
    rows = marked(world, tmp_path, digests, size=1)

    assert [row["excluded"] for row in rows].count("duplicate") == 5
    assert rows == marked(world, tmp_path, digests)


def test_an_image_left_out_for_another_reason_and_one_without_bytes_take_no_part(
    world: Any, tmp_path: Path
) -> None:
    # the one image of partition b with a name of its own kind is at 2; that at 0 is of an excluded species
    contents: dict[tuple[str, str], list[str | None]] = {
        ("eol", "b"): ["a", "a", "a"],
        ("bioscan", "part1"): [None, None],
    }
    digests = digests_of(world, tmp_path, contents)
    assert marked(world, tmp_path, digests) == pq.read_table(world.predicted).to_pylist()


def test_what_was_left_out_as_a_duplicate_is_found_again(world: Any, tmp_path: Path) -> None:
    digests = digests_of(world, tmp_path, {("eol", "a"): ["a", "a", "a"], ("bioscan", "part1"): ["b", "b"]})
    sources = ["eol", "bioscan"]
    before = find_duplicates(lambda: expected_images(world.predicted, digests), sources, tmp_path / "found")
    schema = predicted_schema(SOURCES, sources)
    pq.write_table(
        pa.Table.from_pylist(marked(world, tmp_path, digests), schema=schema).filter(
            pa.compute.field("source") == "bioscan"
        ),
        tmp_path / "marked",
    )
    after = find_duplicates(
        lambda: expected_images(tmp_path / "marked", digests), sources, tmp_path / "found"
    )
    assert len(before) == 5
    assert after.to_pylist() == [row for row in before.to_pylist() if row["source"] == "bioscan"]


def test_the_ranks_are_those_of_the_predicted_catalog(world: Any, tmp_path: Path) -> None:
    digests = digests_of(world, tmp_path, {("eol", "a"): ["a", "a"], ("bioscan", "part1"): ["a"]})
    table = find_duplicates(
        lambda: expected_images(world.predicted, digests), ["eol", "bioscan"], tmp_path / "found"
    )
    rows = with_ranks(table, world.predicted)
    assert rows.column_names == ["sha256", "first", "id", "split", "source", "partition", "ranks"]
    assert rows.drop_columns(["ranks"]) == table
    assert {row["source"]: row["ranks"] for row in rows.to_pylist()} == {
        "eol": "Animalia|Chordata|Aves|Passeriformes|Parulidae|Setophaga|coronata",
        "bioscan": "Animalia|Arthropoda|Insecta|Diptera|||",
    }
    assert with_ranks(table.slice(0, 0), world.predicted).num_rows == 0
