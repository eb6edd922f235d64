from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import MappingError
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.sources.folder import FOLDER
from tol_luigi.sources.inat21 import INAT21
from tol_luigi.store.identities import ScannedSource
from tol_luigi.store.mapping import build_mapping, fill_splits, marker

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.source import SourceInfo

ListImages = Callable[..., ScannedSource]
IDS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(10)]
PUBLISHED_TABLES = """
CREATE TABLE eol (content_id INT, page_id INT, evobio10m_id TEXT PRIMARY KEY);
CREATE TABLE inat21 (filename TEXT, cls_name TEXT, cls_num INT, evobio10m_id TEXT PRIMARY KEY);
CREATE TABLE bioscan (part INT, filename TEXT, evobio10m_id TEXT PRIMARY KEY);
CREATE TABLE split (evobio10m_id TEXT PRIMARY KEY, is_val INTEGER, is_train_small INTEGER);
"""


def read(path: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A mapping as published: three images of EOL with their splits."""
    path = tmp_path / "published.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(PUBLISHED_TABLES)
        rows = [(1, 10, IDS[3]), (2, 10, IDS[1]), (3, 20, IDS[2])]
        database.executemany("INSERT INTO eol VALUES (?, ?, ?)", rows)
        database.executemany(
            "INSERT INTO split VALUES (?, ?, ?)", [(IDS[3], 1, 0), (IDS[1], 0, 1), (IDS[2], 0, 0)]
        )
    return path


def build(path: Path, *sources: ScannedSource, published: Path | None = None) -> list[dict[str, Any]]:
    return list(build_mapping(path, sources, published=published, digest="d1", progress=lambda _: None))


def split(path: Path, *, published: Path | None = None, sources: Sequence[SourceInfo] = (EOL,)) -> None:
    fill_splits(
        path,
        sources,
        published=published,
        seed=17,
        val_percent=50,
        train_small_percent=50,
        digest="d2",
        progress=lambda _: None,
    )


def test_ids_are_made_of_the_natural_keys(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    sources = [list_images(EOL, {"a": [(1, 10)]}), list_images(BIOSCAN, {"part1": [(1, "x.jpg")]})]

    assert build(path, *sources) == []
    assert read(path, "SELECT * FROM eol") == [(1, 10, image_id("eol", "1/10"))]
    assert read(path, "SELECT * FROM bioscan") == [(1, "x.jpg", image_id("bioscan", "1/x.jpg"))]


@pytest.mark.parametrize("is_published", [False, True])
def test_progress_goes_on_from_source_to_source_up_to_the_number_of_images(
    *, is_published: bool, tmp_path: Path, published: Path, list_images: ListImages
) -> None:
    path, told = tmp_path / "mapping.sqlite", list[int]()
    ids = [Found(Member(f"{n}.jpg", 1), "a", id=IDS[n]) for n in (1, 2, 3)]
    sources = [
        list_images(EOL, {"a": ids if is_published else [(1, 10), (2, 10), (3, 20)]}),
        list_images(FOLDER, {"a": [("birds", f"{n}.jpg") for n in range(4)]}),
    ]
    given = published if is_published else None
    list(build_mapping(path, sources, published=given, digest="d1", progress=told.append))
    assert told == [3, 7]

    told.clear()
    fill_splits(
        path,
        [EOL, FOLDER],
        published=given,
        seed=17,
        val_percent=50,
        train_small_percent=50,
        digest="d2",
        progress=told.append,
    )
    assert told == [3, 7]


def test_the_columns_are_those_of_the_published_file(
    tmp_path: Path, published: Path, list_images: ListImages
) -> None:
    path = tmp_path / "mapping.sqlite"
    build(path, *(list_images(source, {"a": []}) for source in (EOL, INAT21, BIOSCAN)))

    for table in ("eol", "inat21", "bioscan", "split"):
        names = [row[1] for row in read(path, f"PRAGMA table_info({table})")]
        assert names == [row[1] for row in read(published, f"PRAGMA table_info({table})")]


def test_the_first_of_a_doubled_key_keeps_it(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    left_out = build(path, list_images(EOL, {"b": [(1, 10), (2, 10), (1, 10)], "a": [(2, 10)]}))

    assert [(row["partition"], row["name"], row["id"], row["state"]) for row in left_out] == [
        ("b", "2.jpg", image_id("eol", "1/10"), State.DUPLICATE_NAME),
        ("a", "0.jpg", image_id("eol", "2/10"), State.DUPLICATE_NAME),
    ]
    assert read(path, "SELECT partition, position FROM place ORDER BY position") == [(0, 0), (0, 1)]
    assert read(path, "SELECT * FROM partition") == [(0, "eol", "b"), (1, "eol", "a")]


def test_what_a_scan_left_out_goes_to_the_ledger(tmp_path: Path, list_images: ListImages) -> None:
    litter = Found(Member("README", 1), "a", state=State.NO_IMAGE, reason="no image by its name")
    stray = Found(Member("notes.md", 1), state=State.NO_IMAGE, reason="beside the archives")
    listed = list_images(EOL, {"a": [litter, (1, 10)]})
    source = ScannedSource(EOL, listed.partitions, listed.listings, [stray])

    assert build(tmp_path / "mapping.sqlite", source) == [
        {"id": "", "source": "eol", "partition": "a", "name": "README", "state": "no_image",
         "reason": "no image by its name"},
        {"id": "", "source": "eol", "partition": "", "name": "notes.md", "state": "no_image",
         "reason": "beside the archives"},
    ]  # fmt: skip


def test_a_name_that_is_an_id_needs_a_published_mapping(tmp_path: Path, list_images: ListImages) -> None:
    [row] = build(tmp_path / "mapping.sqlite", list_images(EOL, {"a": [IDS[1]]}))

    assert (row["id"], row["state"]) == (IDS[1], State.NOT_IN_MAPPING)
    assert row["reason"] == "no published mapping contains this id"


def test_published_ids_are_kept(tmp_path: Path, published: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    left_out = build(path, list_images(EOL, {"a": [(1, 10), IDS[1], (9, 9), IDS[9]]}), published=published)

    assert read(path, "SELECT position, evobio10m_id FROM place ORDER BY position") == [
        (0, IDS[3]),
        (1, IDS[1]),
    ]
    assert [(row["id"], row["name"], row["state"]) for row in left_out] == [
        ("", "2.jpg", State.NOT_IN_MAPPING),
        (IDS[9], "3.jpg", State.NOT_IN_MAPPING),
        (IDS[2], "3/20", State.MISSING),
    ]


def test_an_image_under_both_its_names_is_doubled(
    tmp_path: Path, published: Path, list_images: ListImages
) -> None:
    listed = list_images(EOL, {"a": [IDS[3], (1, 10), IDS[1], IDS[2]]})
    [row] = build(tmp_path / "mapping.sqlite", listed, published=published)

    assert (row["id"], row["name"], row["state"]) == (IDS[3], "1.jpg", State.DUPLICATE_NAME)


def test_published_splits_are_kept(tmp_path: Path, published: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(EOL, {"a": [(1, 10)]}), published=published)
    split(path, published=published)

    assert read(path, "SELECT * FROM split") == [(IDS[1], 0, 1), (IDS[2], 0, 0), (IDS[3], 1, 0)]


@pytest.mark.parametrize("sql", ["DELETE FROM split", "DROP TABLE split"], ids=["empty", "absent"])
def test_splits_are_made_where_none_are_published(
    tmp_path: Path, published: Path, list_images: ListImages, sql: str
) -> None:
    with contextlib.closing(sqlite3.connect(published)) as database, database:
        database.execute(sql)
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(EOL, {"a": [(1, 10)]}), published=published)
    split(path, published=published)

    assert read(path, "SELECT count(*), sum(is_val), sum(is_train_small) FROM split") == [(3, 1, 1)]


def test_incomplete_published_splits_are_refused(
    tmp_path: Path, published: Path, list_images: ListImages
) -> None:
    with contextlib.closing(sqlite3.connect(published)) as database, database:
        database.execute("DELETE FROM split WHERE is_val")
    path = tmp_path / "mapping.sqlite"
    build(path, list_images(EOL, {"a": [(1, 10)]}), published=published)
    with pytest.raises(
        MappingError, match=r"published\.sqlite: its split table lacks 1 images of its table eol\. Set"
    ):
        split(path, published=published)

    assert marker(path, "splits") == ""


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: read(path, "DROP TABLE eol"), id="a table is lacking"),
        pytest.param(lambda path: path.write_bytes(b"no database" * 99), id="it is no database"),
    ],
)
def test_a_mapping_that_is_none_is_refused(
    tmp_path: Path, published: Path, list_images: ListImages, spoil: Callable[[Path], object]
) -> None:
    spoil(published)
    with pytest.raises(MappingError, match=r"published\.sqlite: .* Set \[published\] mapping to"):
        build(tmp_path / "mapping.sqlite", list_images(EOL, {"a": [(1, 10)]}), published=published)

    assert not (tmp_path / "mapping.sqlite").exists()


def test_splits_are_exact_for_each_source(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    keys = [(n, 1) for n in range(9)]
    build(
        path,
        list_images(EOL, {"a": keys}),
        list_images(BIOSCAN, {"part1": [(1, f"{n}.jpg") for n in range(5)]}),
    )
    split(path, sources=[EOL, BIOSCAN])

    for table, expected in (("eol", (9, 4, 2)), ("bioscan", (5, 2, 1))):
        total = "SELECT count(*), sum(is_val), sum(is_train_small) FROM split"
        query = f"{total} JOIN {table} USING (evobio10m_id)"
        assert read(path, query) == [expected]


def test_the_same_images_give_the_same_bytes(tmp_path: Path, list_images: ListImages) -> None:
    listed = list_images(EOL, {"a": [(n, n % 7 + 1) for n in range(1, 300)]})
    for name in ("one", "other"):
        build(tmp_path / name, listed)
        split(tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_stage_is_marked_when_it_is_through(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    assert marker(path, "mapping") == ""
    build(path, list_images(EOL, {"a": [(1, 10)]}))
    assert (marker(path, "mapping"), marker(path, "splits")) == ("d1", "")
    split(path)
    assert (marker(path, "mapping"), marker(path, "splits")) == ("d1", "d2")


def test_a_mapping_that_is_not_taken_to_its_end_is_not_there(tmp_path: Path, list_images: ListImages) -> None:
    path = tmp_path / "mapping.sqlite"
    rows = build_mapping(
        path, [list_images(EOL, {"a": [(1, 1), (1, 1)]})], published=None, digest="", progress=lambda _: None
    )
    next(rows)
    rows.close()  # type: ignore[attr-defined]

    assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["listings"]


def test_a_damaged_mapping_is_made_anew(tmp_path: Path, list_images: ListImages) -> None:
    (tmp_path / "m").write_bytes(b"no database" * 99)
    build(tmp_path / "m", list_images(EOL, {"a": [(1, 10)]}))

    assert marker(tmp_path / "m", "mapping") == "d1"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(1, 10, IDS[1]), (2, 10, IDS[1])], id="an id twice"),
        pytest.param([(1, 10, None)], id="no id"),
        pytest.param([("one", 10, IDS[1])], id="a text for a number"),
        pytest.param([(1 << 63, 10, IDS[1])], id="a number beyond 63 bits"),
    ],
)
def test_a_published_table_with_something_else_in_it_is_refused(
    tmp_path: Path, published: Path, list_images: ListImages, rows: list[Any]
) -> None:
    with contextlib.closing(sqlite3.connect(published)) as database, database:
        database.execute("DROP TABLE eol")
        database.execute("CREATE TABLE eol (content_id, page_id, evobio10m_id)")
        if rows[0][0] == 1 << 63:
            database.execute("INSERT INTO eol VALUES (9223372036854775808, 10, 'a')")
        else:
            database.executemany("INSERT INTO eol VALUES (?, ?, ?)", rows)
    with pytest.raises(
        MappingError, match=r"published\.sqlite: its table eol .* Set \[published\] mapping to"
    ):
        build(tmp_path / "mapping.sqlite", list_images(EOL, {"a": [(1, 10)]}), published=published)

    assert not (tmp_path / "mapping.sqlite").exists()
