"""Ids from release to release, on numbers alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.taxonomy.identities import Keys, forwarded
from tol_luigi.taxonomy.ids import Assignment, PreviousIds, assign_ids, resolved


def keys(*pairs: tuple[str, int]) -> Keys:
    return Keys(
        pa.array([key for key, _ in pairs], pa.string()), np.array([one for _, one in pairs], np.int64)
    )


def previous(ids: list[int], records: Keys, **others: object) -> PreviousIds:
    values = {
        "forwards": {},
        "deprecated": np.empty(0, np.int64),
        "given_up": keys(),
        "sources": keys(),
        **others,
    }
    return PreviousIds(np.array(ids), records, **values)  # type: ignore[arg-type]


def assigned(count: int, records: Keys, release: PreviousIds | None, **names: int) -> Assignment:
    """Assign ids; ``names`` are rows by id, as in ``tol7=0``, that an alignment finds."""
    rows = {int(name.removeprefix("tol")): row for name, row in names.items()}

    def aligned(ids: np.ndarray) -> np.ndarray:
        return np.array([rows.get(one, -1) for one in ids.tolist()], np.int64)

    return assign_ids(count, records, keys(), release, aligned)


def test_the_first_release_has_ids_in_order() -> None:
    assert assigned(3, keys(("a:1", 0)), None).tol_ids.tolist() == [1, 2, 3]


def test_the_smaller_id_wins_and_the_other_is_forwarded() -> None:
    found = assigned(
        2, keys(("a:1", 0), ("a:2", 0), ("a:3", 1)), previous([4, 9], keys(("a:2", 0), ("a:1", 1)))
    )
    assert found.tol_ids.tolist() == [4, 10]
    assert found.forwards == {9: 4}
    assert found.merged.tolist() == [9]


def test_a_taxon_keeps_its_id_though_the_alignment_finds_a_smaller_one() -> None:
    found = assigned(1, keys(("a:1", 0)), previous([2, 5], keys(("gone:1", 0), ("a:1", 1))), tol2=0)
    assert found.tol_ids.tolist() == [5]
    assert found.forwards == {2: 5}
    assert found.lumped.tolist() == [2]


def test_new_ids_follow_every_id_that_was_ever_used() -> None:
    release = previous(
        [3], keys(("a:1", 0)), forwards={20: 3}, deprecated=np.array([30]), given_up=keys(("a:9", 0))
    )
    assert assigned(2, keys(("a:1", 0), ("a:2", 1)), release).tol_ids.tolist() == [3, 31]


def test_an_id_that_was_given_up_comes_back_with_its_record() -> None:
    release = previous(
        [3], keys(("a:1", 0)), forwards={7: 3}, deprecated=np.array([7]), given_up=keys(("a:9", 0))
    )
    found = assigned(2, keys(("a:1", 0), ("a:9", 1)), release)
    assert found.tol_ids.tolist() == [3, 7]
    assert found.forwards == {}
    assert found.revived.tolist() == [7]


def test_forwards_lead_to_live_ids() -> None:
    release = previous([3, 5], keys(("a:1", 0), ("a:2", 1)), forwards={8: 5, 9: 8})
    found = assigned(1, keys(("a:1", 0), ("a:2", 0)), release)
    assert found.forwards == {5: 3, 8: 3, 9: 3}
    assert assigned(1, keys(("a:1", 0)), release).forwards == {}


def test_an_id_whose_records_part_is_reported() -> None:
    release = previous([3], keys(("a:1", 0), ("b:1", 0)))
    found = assigned(2, keys(("a:1", 0), ("b:1", 1)), release)
    assert found.tol_ids.tolist() == [3, 4]
    assert found.split == ((3, 0, 1),)


def test_what_a_source_forwards_is_followed_to_the_end() -> None:
    table = pa.table(
        {"source": ["a"] * 4, "source_id": ["1", "2", "8", "9"], "replacement": ["2", "3", "9", "8"]}
    )
    found = forwarded(keys(("a:3", 5)), table)
    assert dict(zip(found.keys.to_pylist(), found.owners.tolist(), strict=True)) == {"a:1": 5, "a:2": 5}


@given(st.dictionaries(st.integers(1, 9), st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_resolved_forwards_end_at_live_ids(forwards: dict[int, int], live: set[int]) -> None:
    ends = resolved(forwards, live)
    assert {*ends.values()} <= live
    for old, end in ends.items():
        seen = old
        while seen != end:
            seen = forwards[seen]
    assert list(ends) == sorted(ends)


@pytest.mark.parametrize("count", [0, 1])
def test_a_release_may_be_empty(count: int) -> None:
    empty = previous([], keys())
    assert assigned(count, keys(), empty).tol_ids.tolist() == list(range(1, count + 1))
