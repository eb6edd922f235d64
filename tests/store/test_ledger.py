from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tol_luigi.core.ledger import State
from tol_luigi.store.ledger import LEDGER, ids_by_shard, read_ledger, write_ledger

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    {"id": "c", "source": "eol", "partition": "a", "name": "3.jpg", "state": "written", "shard": 1, "position": 0},
    {"id": "b", "source": "eol", "partition": "a", "name": "2.jpg", "state": "unreadable", "reason": "broken"},
    {"id": "a", "source": "eol", "partition": "a", "name": "1.jpg", "state": "written", "shard": 0, "position": 1},
    {"id": "d", "source": "eol", "partition": "a", "name": "4.jpg", "state": "written", "shard": 0, "position": 0,
     "flags": ["grey", "truncated"]},
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.parquet"
    write_ledger(path, iter(ROWS))
    return path


def test_rows_are_read_as_written(ledger: Path) -> None:
    rows = read_ledger(ledger).to_pylist()

    assert [{key: value for key, value in row.items() if value is not None} for row in rows] == ROWS


def test_rows_of_one_state(ledger: Path) -> None:
    assert read_ledger(ledger, ["id"], state=State.WRITTEN)["id"].to_pylist() == ["c", "a", "d"]
    assert read_ledger(ledger, ["id"])["id"].to_pylist() == ["c", "b", "a", "d"]


def test_ids_by_shard_stand_in_the_order_of_the_shard(ledger: Path) -> None:
    assert ids_by_shard(ledger) == {0: ["d", "a"], 1: ["c"]}


def test_a_ledger_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    write_ledger(path, [])

    assert read_ledger(path).schema.equals(LEDGER)
    assert ids_by_shard(path) == {}


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, ledger: Path) -> None:
    write_ledger(tmp_path / "other", ROWS)

    assert (tmp_path / "other").read_bytes() == ledger.read_bytes()
    assert pq.read_schema(ledger).equals(LEDGER)


def test_a_row_of_the_wrong_kind_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.parquet"
    with pytest.raises(pa.ArrowInvalid):
        write_ledger(path, [{"id": "a", "shard": "first"}])

    assert list(tmp_path.iterdir()) == []
