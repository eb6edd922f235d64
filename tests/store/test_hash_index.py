"""Rows found by their values, whatever their hashes are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.store.hash_index import RowIndex, hash_rows

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = st.lists(
    st.tuples(st.integers(0, 5) | st.none(), st.sampled_from(["", "a", "b", "\u00e4\n"]) | st.none()),
    max_size=20,
)


def one_of_three(rows: pa.Table) -> Any:
    """Give many rows the same hash."""
    return hash_rows(rows) % 3


def the_same(rows: pa.Table) -> Any:
    return np.full(len(rows), np.iinfo(np.uint64).max)


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    numbers, names = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({"number": pa.array(numbers, pa.int64()), "name": pa.array(names, pa.string())})


@given(ROWS, ROWS, st.sampled_from([hash_rows, one_of_three, the_same]))
def test_each_row_finds_the_first_that_is_equal(
    rows: list[tuple[Any, ...]], known: list[tuple[Any, ...]], hashed: Callable[[pa.Table], Any]
) -> None:
    found = RowIndex(table(known), hashed=hashed).first(table(rows))

    assert found.tolist() == [known.index(row) if row in known and None not in row else -1 for row in rows]


@pytest.mark.parametrize("beside", [None, 0])
def test_a_large_integer_is_found_beside_a_null(beside: int | None) -> None:
    large = 2**53 + 1
    known = table([(beside, "a"), (large - 1, "b"), (large, "b")])

    assert RowIndex(known).first(table([(large, "b")])).tolist() == [2]
