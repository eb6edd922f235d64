from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.taxonomy.preorder import Preorder, depths, levels


@st.composite
def forests(draw: st.DrawFn) -> list[int]:
    """Draw the parents of the rows of a forest, in any order of rows."""
    parents = [draw(st.integers(-1, row - 1)) for row in range(draw(st.integers(1, 12)))]
    places = draw(st.permutations(range(len(parents))))
    shuffled = [0] * len(parents)
    for row, parent in enumerate(parents):
        shuffled[places[row]] = places[parent] if parent >= 0 else -1
    return shuffled


def walked(parents: list[int], key: list[int]) -> list[int]:
    children = {
        row: sorted((r for r, p in enumerate(parents) if p == row), key=key.__getitem__)
        for row in range(-1, len(parents))
    }

    def walk(row: int) -> list[int]:
        return [row, *(below for child in children[row] for below in walk(child))]

    return walk(-1)[1:]


@given(forests(), st.randoms())
def test_the_preorder_is_the_one_of_a_walk(parents: list[int], random: object) -> None:
    key = list(range(len(parents)))
    random.shuffle(key)  # type: ignore[attr-defined]
    order = Preorder.of(np.array(parents), np.array(key))

    rows = walked(parents, key)
    assert order.rows.tolist() == rows
    assert order.position[order.rows].tolist() == list(range(len(rows)))


@given(forests())
def test_clades_are_what_parents_say(parents: list[int]) -> None:
    order = Preorder.of(np.array(parents), np.arange(len(parents)))
    for row in range(len(parents)):
        above = [row]
        while parents[above[-1]] >= 0:
            above.append(parents[above[-1]])
        every = np.arange(len(parents))
        assert np.flatnonzero(order.are_below(np.full(len(parents), row), every)).tolist() == sorted(above)
        assert order.depth[row] == len(above) - 1
    assert depths(np.array(parents)).tolist() == order.depth.tolist()
    assert sorted(np.concatenate(levels(np.array(parents))).tolist()) == list(range(len(parents)))


@given(forests())
def test_rows_in_preorder_are_the_same_forest(parents: list[int]) -> None:
    order = Preorder.of(np.array(parents), np.arange(len(parents)))
    again = order.reordered()
    assert Preorder.of(again.parent, np.arange(len(parents))).rows.tolist() == list(range(len(parents)))
    assert again.size.tolist() == order.size[order.rows].tolist()


def test_a_cycle_is_an_error() -> None:
    with pytest.raises(ValueError, match="its own ancestor"):
        Preorder.of(np.array([-1, 2, 1]), np.arange(3))


def test_no_rows_have_an_order() -> None:
    assert Preorder.of(np.empty(0, np.int64), np.empty(0, np.int64)).rows.tolist() == []
