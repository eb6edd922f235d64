from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tol_luigi.report.duplicates import duplicates_figures, duplicates_text, leak_note

SOURCES = ("eol", "bioscan", "folder")
ROWS = [
    ("a1", "a1", "val", "eol", "x"),
    ("a1", "a2", "train", "eol", "x"),
    ("a1", "a3", "train", "folder", "y"),
    ("b1", "b1", "train", "bioscan", "z"),
    ("b1", "b2", "train", "folder", "z"),
]


def figures(rows: list[tuple[str, ...]], setting: str = "flag") -> dict[str, Any]:
    columns = ["first", "id", "split", "source", "ranks"]
    schema = pa.schema([(column, pa.string()) for column in columns])
    return duplicates_figures(
        pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema), SOURCES, setting
    )


def test_groups_are_counted_by_sources_splits_and_labels() -> None:
    assert figures(ROWS) == {
        "setting": "flag",
        "groups": 2,
        "images": 5,
        "groups_with_different_labels": 1,
        "groups_by_sources": {"eol and eol": 1, "eol and folder": 1, "bioscan and folder": 1},
        "in_val_and_train": {
            "groups": 1,
            "images_of_val": 1,
            "images_of_train": 2,
            "groups_with_different_labels": 1,
            "first": [{"val": ["a1"], "train": ["a2", "a3"]}],
        },
    }


def test_of_many_groups_some_ids_are_told() -> None:
    rows = [
        (f"v{group}", name, "train" if name[0] == "t" else "val", "eol", "x")
        for group in range(9)
        for name in [f"v{group}", *(f"t{group}{number}" for number in range(9))]
    ]
    told = figures(rows)["in_val_and_train"]
    assert (told["images_of_val"], told["images_of_train"]) == (9, 81)
    assert [group["val"] for group in told["first"]] == [["v0"], ["v1"], ["v2"], ["v3"], ["v4"]]
    assert told["first"][0]["train"] == ["t00", "t01", "t02", "t03", "t04"]


def test_the_report_for_people() -> None:
    assert duplicates_text(figures(ROWS)).splitlines() == [
        "5 images are exact duplicates, in 2 groups.",
        "The labels differ in 1 of these groups.",
        "",
        "groups by source",
        "  eol and eol: 1",
        "  eol and folder: 1",
        "  bioscan and folder: 1",
        "",
        "groups in both val and train: 1",
        "  1 image of val, 2 of train; labels differ in 1 group",
        "first groups",
        "  val a1: train a2, a3",
    ]
    assert "have the state duplicate" in duplicates_text(figures(ROWS, "drop"))


def test_where_there_are_none_the_report_says_so() -> None:
    assert duplicates_text(figures([])) == "There are no exact duplicates.\n"
    assert leak_note(figures([]), "report") == []


@pytest.mark.parametrize(("val", "says"), [(1, "1 image of val is"), (12, "12 images of val are")])
def test_a_leak_is_told_of_in_one_line(val: int, says: str) -> None:
    rows = [
        row
        for n in range(val)
        for row in ((f"v{n}", f"v{n}", "val", "eol", ""), (f"v{n}", f"t{n}", "train", "eol", ""))
    ]
    (note,) = leak_note(figures(rows), "some/report.txt")
    assert note.startswith(f"{says} also in train (exact duplicates, see some/report.txt)")
    assert "duplicates = drop" in note
    assert leak_note(figures(rows, "drop"), "some/report.txt") == []


def test_duplicates_within_a_split_are_no_leak() -> None:
    assert leak_note(figures(ROWS[3:]), "report") == []
