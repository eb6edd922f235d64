from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.keys import image_id
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.reconciliation import Ledger, count_states, final_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]
PLACES = [("eol", "a"), ("eol", "b"), ("bioscan", "part1")]


def ledger_rows(world: Any) -> dict[tuple[str, str, str], list[Row]]:
    """The rows that each (split, source, partition) should write, all images in one shard."""
    rows: dict[tuple[str, str, str], list[Row]] = {
        (split, *place): [] for split in ("train", "val", "train_small") for place in PLACES
    }
    for image in pq.read_table(world.predicted).to_pylist():
        for split in [image["split"], *(["train_small"] if image["is_train_small"] else [])]:
            mine = rows[split, image["source"], image["partition"]]
            place = {"shard": 0, "position": len(mine), "width": 90, "flags": ["grey"], "md5": "m"}
            state = {"state": image["excluded"]} if image["excluded"] else {"state": "written", **place}
            common = {"source": image["source"], "partition": image["partition"], "name": "x"}
            mine.append({"id": image["treeoflife_id"], **common, **state})
    return rows


@pytest.fixture
def account(world: Any, tmp_path: Path) -> Callable[..., list[Ledger]]:
    """Write the ledgers, after a change to their rows."""

    def written(change: Callable[[dict[tuple[str, str, str], list[Row]]], object] = len) -> list[Ledger]:
        rows = ledger_rows(world)
        change(rows)
        write_ledger(tmp_path / "names", world.unnamed)
        ledgers = [Ledger(*about, path=tmp_path / "-".join(about)) for about in rows]
        for ledger, mine in zip(ledgers, rows.values(), strict=True):
            write_ledger(ledger.path, mine)
        return ledgers

    return written


def tables(world: Any, ledgers: list[Ledger], tmp_path: Path, duplicates: Any = None) -> list[pa.Table]:
    return list(final_tables(world.mapping, world.predicted, tmp_path / "names", ledgers, duplicates))


def check(world: Any, ledgers: list[Ledger], tmp_path: Path) -> None:
    tables(world, ledgers, tmp_path)


def test_what_adds_up_is_let_through(world: Any, account: Any, tmp_path: Path) -> None:
    check(world, account(), tmp_path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda rows: rows.pop(0), "images not accounted for: 1 ({first})", id="one is lacking"),
        pytest.param(
            lambda rows: rows.append({**rows[0], "state": "unreadable"}),
            "images accounted for twice: 1 ({first})",
            id="one has two ends",
        ),
        pytest.param(
            lambda rows: rows.append({**rows[0], "id": "stranger"}),
            "images accounted for but not expected: 1 (stranger)",
            id="one is foreign",
        ),
        pytest.param(
            lambda rows: rows[0].update(id="stranger"),
            "images not accounted for: 1 ({first})",
            id="one is swapped",
        ),
        pytest.param(
            lambda rows: rows.clear(), "images not accounted for: 15 ({first}, ", id="all are lacking"
        ),
    ],
)
def test_what_does_not_add_up_is_named(
    world: Any, account: Any, tmp_path: Path, change: Callable[[list[Row]], object], what: str
) -> None:
    first = ledger_rows(world)["train", "eol", "a"][0]["id"]
    ledgers = account(lambda rows: change(rows["train", "eol", "a"]))

    with pytest.raises(LedgerError) as caught:
        check(world, ledgers, tmp_path)

    assert caught.value.where == str(tmp_path / "train-eol-a")
    assert what.format(first=first) in caught.value.what


def test_an_image_in_another_split_than_foretold_is_found(world: Any, account: Any, tmp_path: Path) -> None:
    def move(rows: Any) -> None:
        rows["val", "eol", "a"].append(rows["train", "eol", "a"].pop())

    with pytest.raises(LedgerError, match="not accounted for"):
        check(world, account(move), tmp_path)


def test_a_ledger_left_out_is_found(world: Any, account: Any, tmp_path: Path) -> None:
    ledgers = [ledger for ledger in account() if (ledger.split, ledger.partition) != ("train", "a")]

    with pytest.raises(
        LedgerError, match=r"^eol/a: images of it in the mapping: 20, in the ledger: 5\. Delete"
    ):
        check(world, ledgers, tmp_path)


def test_an_image_without_a_name_has_to_be_in_its_ledger(world: Any, account: Any, tmp_path: Path) -> None:
    ledgers = account()
    write_ledger(tmp_path / "names", [])

    with pytest.raises(
        LedgerError, match=r"^eol/b: images of it in the mapping: 3, in the ledger: 2\. Delete"
    ):
        check(world, ledgers, tmp_path)


def test_an_image_without_a_name_that_is_accounted_for_twice_is_found(
    world: Any, account: Any, tmp_path: Path
) -> None:
    ledgers = account()
    write_ledger(tmp_path / "names", [*world.unnamed, *world.unnamed])

    with pytest.raises(
        LedgerError, match=r"^eol/b: images of it in the mapping: 3, in the ledger: 4\. Delete"
    ):
        check(world, ledgers, tmp_path)


def test_the_catalog_has_a_row_for_each_written_sample(world: Any, account: Any, tmp_path: Path) -> None:
    ledgers = account()
    rows = pa.concat_tables(tables(world, ledgers, tmp_path)).to_pylist()
    excluded = {image_id("eol", "7/10"), image_id("eol", "50/20")}
    expected = [
        (about[0], row["id"]) for about, mine in ledger_rows(world).items() for row in mine
        if row["id"] not in excluded
    ]  # fmt: skip

    assert [(row["split"], row["treeoflife_id"]) for row in rows] == expected
    assert {row["split"] for row in rows} == {"train", "val", "train_small"}


def test_what_is_shown_belongs_to_the_image(world: Any, account: Any, tmp_path: Path) -> None:
    def turn(rows: Any) -> None:
        for mine in rows.values():
            mine.reverse()

    shown = {row["treeoflife_id"]: row for row in pq.read_table(world.predicted).to_pylist()}
    for table in tables(world, account(turn), tmp_path):
        rows = table.to_pylist()
        assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
        for row in rows:
            foretold = shown[row["treeoflife_id"]]
            assert row["eol_content_id"] == foretold["eol_content_id"]
            assert (row["genus"], row["common"]) == (foretold["genus"], foretold["common"])
            assert (row["width"], row["flags"], row["md5"]) == (90, ["grey"], "m")


def test_states_are_counted_by_source(account: Any) -> None:
    ledgers = [ledger for ledger in account() if ledger.split != "train_small"]

    assert count_states(ledger.path for ledger in ledgers) == Counter(
        {
            ("written", "eol"): 20,
            ("written", "bioscan"): 2,
            ("excluded_image", "eol"): 1,
            ("excluded_species", "eol"): 1,
        }
    )
