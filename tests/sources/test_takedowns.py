from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.errors import TableError
from tol_luigi.core.takedowns import Takedown, comparable, merge_takedowns
from tol_luigi.sources.takedowns import read_takedowns
from tol_luigi.store.withheld import write_takedowns

if TYPE_CHECKING:
    import random
    from pathlib import Path

WORDS = (
    st.text(st.sampled_from(list('aBé=",; \x1b')), min_size=1, max_size=4)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
TAKEDOWNS = st.lists(
    st.builds(
        Takedown,
        st.sampled_from(["id", "url", "owner"]),
        WORDS,
        st.sampled_from(["", "2026-01-02", "2026-03-01"]),
        WORDS,
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("kind", "value", "same"),
    [
        ("owner", "Jane  Doe", "JANE DOE "),
        ("owner", "Zoe\u0308 Straße", "Zoë STRASSE"),
        ("url", "http://Example.org/a/B?c=1", "https://example.org/a/B?c=1"),
        ("url", "https://example.org/a/", "https://example.org/a"),
        ("id", " eol/1/2", "eol/1/2"),
    ],
)
def test_values_that_are_the_same(kind: str, value: str, same: str) -> None:
    assert comparable(kind, value) == comparable(kind, same)


@pytest.mark.parametrize(
    ("kind", "value", "other"),
    [
        ("owner", "Jane Doe", "Jane Doe Jr."),
        ("owner", "Jane", "Jane Doe"),
        ("url", "https://example.org/a", "https://example.org/A"),
        ("url", "https://example.org/a", "https://example.org/a/b"),
        ("id", "eol/1/2", "EOL/1/2"),
    ],
)
def test_values_that_are_not_the_same(kind: str, value: str, other: str) -> None:
    assert comparable(kind, value) != comparable(kind, other)


@given(TAKEDOWNS, st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_matter_and_none_is_lost(
    takedowns: list[Takedown], chance: random.Random
) -> None:
    merged = merge_takedowns(takedowns)
    shuffled = chance.sample(takedowns * 2, 2 * len(takedowns))

    assert merge_takedowns(shuffled) == merged == merge_takedowns([*merged, *shuffled])
    assert {one.key for one in merged} == {one.key for one in takedowns}


@given(takedowns=TAKEDOWNS)
def test_the_record_is_a_list_again(
    tmp_path_factory: pytest.TempPathFactory, takedowns: list[Takedown]
) -> None:
    path = tmp_path_factory.getbasetemp() / "takedowns.csv"
    merged = merge_takedowns(takedowns)
    write_takedowns(path, merged)
    read = merge_takedowns(one for _, one in read_takedowns(path))

    assert [one.key for one in read] == [one.key for one in merged]
    assert [one.date for one in read] == [one.date for one in merged]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "line 1 has none of the columns id, url, owner"),
        ("image\n7\n", "line 1 has none of the columns id, url, owner"),
        ("id,owner\n1,\n2,Ann\n", "line 3 must have one of id, url, owner (it has 2)"),
        ("id,reason\n1,\n,why\n", "line 3 must have one of id, url, owner (it has 0)"),
        ("id,date\n1,1.2.2026\n", "line 2 has the date '1.2.2026', which is not YYYY-MM-DD"),
        ("id,date\n1,2026-02-30\n", "line 2 has the date '2026-02-30', which is not YYYY-MM-DD"),
        ("id,date\n1\n", "line 2 has too few cells (1; the header has 2)"),
        ('owner\n"Ann\n', "line 2 opens a quote that is not closed at the end of its cell"),
    ],
)
def test_a_wrong_list_is_one_clear_line(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        read_takedowns(path, "[rights] takedowns")

    assert str(caught.value).startswith(f"[rights] takedowns = {path}: {error}")
    assert "\n" not in str(caught.value)
