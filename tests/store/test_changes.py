"""What has changed from one dataset to the next is counted by image, known by its natural key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.sources.eol import EOL
from tol_luigi.store.changes import Labelled, Moves, count_changes
from tol_luigi.store.ledger import ledger_row, write_ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]


def labelled(
    folder: Path, world: Any, change: Callable[[list[Row]], object] = len, *, broken: set[int] = frozenset()
) -> Labelled:
    """A dataset of the images 1 to 20 of EOL, after a change to the rows of its catalog; some are broken."""
    folder.mkdir()
    table = pq.read_table(world.predicted)
    rows = [row for row in table.to_pylist() if row["partition"] == "a" and not row["excluded"]]
    rows.sort(key=lambda row: row["eol_content_id"])
    for row in rows:
        row |= {"split": "train", "is_train_small": False}
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), folder / "predicted.parquet")
    for split in ("train", "val"):
        write_ledger(
            folder / f"{split}.parquet",
            [
                ledger_row(
                    row["treeoflife_id"], "eol", "a", "x",
                    "unreadable" if row["eol_content_id"] in broken else "written", "",
                )
                for row in rows
                if row["split"] == split
            ],
        )  # fmt: skip
    ledgers = [folder / f"{name}.parquet" for name in ("train", "val", "absent")]
    return Labelled(folder / "predicted.parquet", ["a"], ledgers)


def counted(before: Labelled, after: Labelled) -> dict[str, int]:
    """Count the changes; those that did not happen are left out."""
    return {
        what: count
        for what, count in count_changes("eol", EOL.columns, before, after, Moves()).items()
        if count
    }


def test_nothing_has_changed_in_the_same_dataset(world: Any, tmp_path: Path) -> None:
    same = labelled(tmp_path / "same", world)
    assert counted(same, same) == {"compared": 19}


def test_labels_count_each_and_an_image_once(world: Any, tmp_path: Path) -> None:
    def relabel(rows: list[Row]) -> None:
        rows[0] |= {"genus": "Dendroica", "common": "warbler"}
        rows[1] |= {"genus": "Dendroica"}
        rows[2] |= {"kingdom": ""}
        rows[3] |= {"treeoflife_id": "another id of the same image"}

    before, after = labelled(tmp_path / "before", world), labelled(tmp_path / "after", world, relabel)
    changes = {"compared": 19, "relabelled": 3, "genus": 2, "common": 1, "kingdom": 1}
    assert counted(before, after) == changes
    assert counted(after, before) == changes


def test_an_unknown_rank_is_no_change(world: Any, tmp_path: Path) -> None:
    def forget(rows: list[Row]) -> None:
        rows[0]["order"] = None

    def empty(rows: list[Row]) -> None:
        rows[0]["order"] = ""

    before, after = labelled(tmp_path / "before", world, forget), labelled(tmp_path / "after", world, empty)
    assert counted(before, after) == {"compared": 19}


def test_moves_between_splits_count_by_where_from_and_where_to(world: Any, tmp_path: Path) -> None:
    def before(rows: list[Row]) -> None:
        for row in rows[:3]:
            row["split"] = "val"
        for row in rows[5:8]:
            row["is_train_small"] = True

    def after(rows: list[Row]) -> None:
        for row in rows[2:4]:
            row["split"] = "val"
        for row in rows[7:9]:
            row["is_train_small"] = True

    assert counted(
        labelled(tmp_path / "before", world, before), labelled(tmp_path / "after", world, after)
    ) == {
        "compared": 19,
        "val to train": 2,
        "train to val": 1,
        "into train_small": 1,
        "out of train_small": 2,
    }


def test_images_that_are_in_one_dataset_only_are_new_or_gone(world: Any, tmp_path: Path) -> None:
    before = labelled(tmp_path / "before", world, lambda rows: rows.pop(0), broken={20})
    after = labelled(tmp_path / "after", world, broken={19, 18})

    assert counted(before, after) == {"compared": 15, "new": 2, "gone": 2}


def test_other_partitions_do_not_count(world: Any, tmp_path: Path) -> None:
    before, after = labelled(tmp_path / "before", world), labelled(tmp_path / "after", world)
    assert counted(before, Labelled(after.predicted, ["b"], after.ledgers)) == {"gone": 19}
    assert counted(Labelled(before.predicted, before.partitions, []), after) == {"new": 19}
