from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.sightings import (
    changed_within,
    file_states,
    find_change,
    folders_of,
    read_sightings,
    write_sightings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_folders_of() -> None:
    assert folders_of(["a/b/1.jpg", "a/b/2.jpg", "c/3.jpg", "4.jpg", "empty/"]) == [
        "",
        "a",
        "a/b",
        "c",
        "empty",
    ]
    assert folders_of([]) == [""]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, tuple[Path, list[str]]]:
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "1.jpg").write_bytes(b"1")
    (tmp_path / "table.csv").write_bytes(b"x")
    return {"[x] images": (tmp_path / "images", ["", "a"]), "[x] table": (tmp_path / "table.csv", [""])}


def grow(folder: Path) -> None:
    (folder / "table.csv").write_bytes(b"xy")


def touch(folder: Path) -> None:
    os.utime(folder / "table.csv", ns=(1, 1))


def add(folder: Path) -> None:
    (folder / "images" / "a" / "2.jpg").write_bytes(b"2")


def take(folder: Path) -> None:
    (folder / "table.csv").unlink()


def nothing(_: Path) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    ("change", "name", "what"),
    [
        pytest.param(nothing, "", "", id="nothing"),
        pytest.param(grow, "table.csv", "has changed since it was read (2 bytes, not 1)", id="size"),
        pytest.param(
            touch, "table.csv", "has changed since it was read (by its modification time)", id="time"
        ),
        pytest.param(
            add, "images/a", "has changed since it was read (by its modification time)", id="a new file"
        ),
        pytest.param(take, "table.csv", "has been removed since it was read", id="gone"),
    ],
)
def test_find_change(
    change: Callable[[Path], None],
    name: str,
    what: str,
    places: dict[str, tuple[Path, list[str]]],
    tmp_path: Path,
) -> None:
    for path in (tmp_path / "table.csv", tmp_path / "images", tmp_path / "images" / "a"):
        os.utime(path, ns=(10**18, 10**18))
    write_sightings(tmp_path / "seen.json", {name: file_states(*place) for name, place in places.items()})
    change(tmp_path)
    seen = read_sightings(tmp_path / "seen.json")

    assert seen
    found = find_change(seen, {called: place for called, (place, _) in places.items()})
    assert found == ((tmp_path / name, what) if what else None)


def test_a_place_that_moves_is_the_same(places: dict[str, tuple[Path, list[str]]], tmp_path: Path) -> None:
    write_sightings(tmp_path / "seen.json", {name: file_states(*place) for name, place in places.items()})
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    seen = read_sightings(tmp_path / "seen.json")

    assert seen
    assert find_change(seen, {"[x] images": tmp_path / "elsewhere"}) is None
    assert find_change(seen, {"[y] images": tmp_path / "elsewhere"}) == (
        tmp_path / "elsewhere",
        "was not read before, as [y] images",
    )


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b'{"[x] images": []}'])
def test_what_cannot_be_read_was_not_seen(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seen.json").write_bytes(content)
    assert read_sightings(tmp_path / "seen.json") == {}


def test_what_has_changed_within_a_time(places: dict[str, tuple[Path, list[str]]]) -> None:
    place, parts = places["[x] images"]
    os.utime(place, ns=(10, 10))
    os.utime(place / "a", ns=(20, 20))
    seen = file_states(place, [*parts, "absent"])

    assert [changed_within(seen, began, 30) for began in (10, 11, 20, 21)] == ["", "a", "a", None]
    assert changed_within(seen, 11, 19) is None
