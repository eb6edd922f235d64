"""What became of the images of each source is counted, and each image that has no file or no label is named."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi.core.errors import MappingError
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.store.ledger import ledger_row, write_ledger
from tol_luigi.store.matches import (
    OutcomeCounts,
    count_outcomes,
    known_images,
    missing_names,
    unlisted_names,
    unnamed_keys,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMED = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def ledgers(world: Any, tmp_path: Path) -> tuple[Path, Path]:
    """The ledgers of what has no name, and of what the mapping leaves out."""
    names, mapping = tmp_path / "names.parquet", tmp_path / "left-out.parquet"
    write_ledger(names, world.unnamed)
    write_ledger(
        mapping,
        [
            ledger_row("", "eol", "a", "3.jpg", State.NOT_IN_MAPPING, ""),
            ledger_row("", "eol", "a", "19.jpg", State.NOT_IN_MAPPING, ""),
            ledger_row("m", "eol", "", "9/9", State.MISSING, ""),
            ledger_row("m", "bioscan", "", "1/gone.jpg", State.MISSING, ""),
            ledger_row("", "eol", "a", "5.jpg", State.DUPLICATE_NAME, ""),
        ],
    )
    return names, mapping


def test_images_are_counted_by_what_became_of_them(world: Any, ledgers: tuple[Path, Path]) -> None:
    ends = count_outcomes(world.predicted, *ledgers, ["eol", "bioscan", "inat21"])

    assert ends == {
        "eol": OutcomeCounts(unlisted=2, missing=1, unnamed=1, named=22, kept=20),
        "bioscan": OutcomeCounts(unlisted=0, missing=1, unnamed=0, named=2, kept=2),
        "inat21": OutcomeCounts(0, 0, 0, 0, 0),
    }
    assert ends["eol"].placed == 23


def test_images_without_a_file_are_named(ledgers: tuple[Path, Path]) -> None:
    assert list(missing_names(ledgers[1], "eol")) == ["9/9"]
    assert list(missing_names(ledgers[1], "bioscan")) == ["1/gone.jpg"]


def test_files_without_a_label_are_named_by_key(world: Any, ledgers: tuple[Path, Path]) -> None:
    eol, bioscan = world.sources
    listings = [world.listings["a"], world.listings["b"]]

    assert list(unlisted_names(ledgers[1], eol, listings)) == ["4/10", "20/10"]
    assert list(unlisted_names(ledgers[1], bioscan, [world.listings["part1"]])) == []


def test_files_without_a_key_are_named_by_id_or_path(
    ledgers: tuple[Path, Path], world: Any, list_images: Any
) -> None:
    files = ["0", Found(Member("3.jpg", 1), "c", id=NAMED), Found(Member("19.jpg", 1), "c")]
    listings = list_images(EOL, {"c": files}).listings

    assert list(unlisted_names(ledgers[1], world.sources[0], listings)) == [NAMED, "19.jpg"]


def test_images_without_a_name_are_named_by_key(world: Any, ledgers: tuple[Path, Path]) -> None:
    eol, bioscan = world.sources

    assert [tuple(key) for key in unnamed_keys(world.mapping, ledgers[0], eol)] == [(51, 30)]
    assert list(unnamed_keys(world.mapping, ledgers[0], bioscan)) == []


def test_of_a_few_images_those_that_a_mapping_lists_are_known(world: Any) -> None:
    ids = [image_id("eol", "3/10"), image_id("eol", "3/11")]

    assert known_images(world.mapping, "eol", EOL.columns, [], ids) == [(3, 10)]
    assert known_images(world.mapping, "eol", EOL.columns, [(4, 10), (5, 11), (99, 10)], []) == [(4, 10)]
    assert known_images(world.mapping, "bioscan", BIOSCAN.columns, [(1, "x.jpg"), (1, "z.jpg")], []) == [
        (1, "x.jpg")
    ]
    with sqlite3.connect(world.mapping) as database:
        database.execute("DROP TABLE eol")
    with pytest.raises(MappingError):
        known_images(world.mapping, "eol", EOL.columns, [(4, 10)], [])
