from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tol_luigi.core.ledger import State
from tol_luigi.core.reader import Found, Member
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.eol import EOL
from tol_luigi.store.listings import collect_listing, count_states, members_at, read_listing, write_listing

if TYPE_CHECKING:
    from pathlib import Path

FOUND = [
    Found(Member("b/1_2_eol.jpg", 5, 512), "b", key=(1, 2)),
    Found(Member("a/3_4_eol.jpg", 6), "a", key=(3, 4)),
    Found(Member("README", 7), "b", state=State.NO_IMAGE, reason="no image by its name"),
    Found(Member("b/id.jpg", 8, 2048), "b", id="00000000-0000-4000-8000-000000000000"),
]


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "listing.parquet"
    write_listing(path, collect_listing(FOUND, EOL.columns, lambda _: None))
    return path


def test_files_are_numbered_within_their_partition(listing: Path) -> None:
    rows = [row for batch in read_listing(listing) for row in batch]

    assert [(row["partition"], row["position"], row["member"]) for row in rows] == [
        ("a", 0, "a/3_4_eol.jpg"),
        ("b", 0, "b/1_2_eol.jpg"),
        ("b", 1, "README"),
        ("b", 2, "b/id.jpg"),
    ]


def test_what_is_listed_of_a_file(listing: Path) -> None:
    _, image, litter, by_id = (row for batch in read_listing(listing) for row in batch)

    assert (image["content_id"], image["page_id"], image["id"], image["state"]) == (1, 2, "", "")
    assert (image["size"], image["offset"]) == (5, 512)
    assert (litter["content_id"], litter["state"], litter["reason"]) == (
        None,
        "no_image",
        "no image by its name",
    )
    assert (by_id["content_id"], by_id["id"]) == (None, "00000000-0000-4000-8000-000000000000")


def test_files_are_found_by_their_positions(listing: Path) -> None:
    assert members_at(listing, "b", [0, 2]) == [Member("b/1_2_eol.jpg", 5, 512), Member("b/id.jpg", 8, 2048)]
    assert members_at(listing, "a", [0]) == [Member("a/3_4_eol.jpg", 6, None)]
    assert members_at(listing, "b", []) == []


def test_states_are_counted() -> None:
    assert count_states(collect_listing(FOUND, EOL.columns, lambda _: None)) == {"": 3, "no_image": 1}


def test_an_archive_that_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "listing.parquet"
    write_listing(path, collect_listing([], BIOSCAN.columns, lambda _: None))

    assert [row for batch in read_listing(path) for row in batch] == []
    assert members_at(path, "part1", []) == []


def test_progress_ends_with_the_number_of_files() -> None:
    told: list[int] = []
    collect_listing(FOUND, EOL.columns, told.append)

    assert told[-1] == len(FOUND)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(st.characters(codec="utf-8"), min_size=1))))
def test_any_name_is_found_again(tmp_path: Path, files: list[tuple[str, str]]) -> None:
    path = tmp_path / "listing.parquet"
    found = [Found(Member(name, 1), partition, key=(1, name)) for partition, name in files]
    write_listing(path, collect_listing(found, BIOSCAN.columns, lambda _: None))

    for partition in "ab":
        names = [name for place, name in files if place == partition]
        members = members_at(path, partition, range(len(names)))
        assert [member.name for member in members] == names
