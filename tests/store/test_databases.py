from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import peewee
import pytest

from tol_luigi.store.databases import created, fetch, insert_rows, opened
from tol_luigi.store.models import Marker, Split

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [("a", 1, 0), ("b", 0, 1)]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "folder with spaces, ? and #" / "a.sqlite"
    with created(path, [Split]) as made:
        insert_rows(made, Split, ROWS)
    return path


def rows(path: Path) -> list[tuple[str, int, int]]:
    with opened(path, [Split]) as database:
        return [row for batch in fetch(database, Split.select().tuples()) for row in batch]


def test_what_is_written_is_read_back(database: Path) -> None:
    assert rows(database) == ROWS
    assert [entry.name for entry in database.parent.iterdir()] == ["a.sqlite"]


def fail(path: Path) -> None:
    with created(path, [Split]) as made:
        insert_rows(made, Split, ROWS)
        raise KeyboardInterrupt


def test_after_an_exception_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "a.sqlite")

    assert list(tmp_path.iterdir()) == []


def test_readers_cannot_write(database: Path) -> None:
    with opened(database, [Split]), pytest.raises(peewee.OperationalError, match="readonly"):
        Split.create(evobio10m_id="c", is_val=0, is_train_small=0)

    assert rows(database) == ROWS


def test_readers_do_not_make_a_database(tmp_path: Path) -> None:
    with (
        pytest.raises(peewee.OperationalError, match="unable to open"),
        opened(tmp_path / "a.sqlite", [Split]),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


def test_readers_leave_nothing_beside_it_in_a_folder_that_is_read_only(database: Path) -> None:
    before = database.stat()
    database.parent.chmod(0o500)
    try:
        assert rows(database) == ROWS
    finally:
        database.parent.chmod(0o700)
    assert (database.stat().st_mtime_ns, database.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_database_can_replace_itself(database: Path) -> None:
    with created(database, [Split, Marker], copy_of=database) as made:
        insert_rows(made, Split, [("c", 0, 0)])

    assert [row[0] for row in rows(database)] == ["a", "b", "c"]


def test_another_database_is_read_beside_it(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.sqlite"
    with created(path, [Split], attached={"first": database}) as made:
        made.execute_sql("INSERT INTO main.split SELECT * FROM first.split WHERE is_val")

    assert rows(path) == ROWS[:1]


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        pytest.param(True, ROWS, id="a key that is there keeps its row"),
        pytest.param(False, None, id="is an error"),
    ],
)
def test_a_key_that_is_there(
    database: Path, ignore: bool, expected: list[tuple[str, int, int]] | None
) -> None:
    again = [("a", 0, 0)]
    if expected is None:
        with pytest.raises(sqlite3.IntegrityError), created(database, [Split], copy_of=database) as made:
            insert_rows(made, Split, again, ignore=ignore)
        return
    with created(database, [Split], copy_of=database) as made:
        insert_rows(made, Split, again, ignore=ignore)
    assert rows(database) == expected


def test_models_know_no_database_afterwards(database: Path) -> None:
    rows(database)

    assert Split._meta.database is None
