"""Rows in parts: each part has its rows in the order in which they were added, whatever is in memory."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.store.spools import leading_numbers, number_of_parts, parts_of_ids, spooled

if TYPE_CHECKING:
    import uuid

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])
PIECES = st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=6)


@given(PIECES, st.sampled_from([1, 4, 1000]))
def test_a_part_has_its_rows_in_the_order_of_adding(pieces: list[list[int]], held: int) -> None:
    expected: dict[int, list[int]] = {}
    with tempfile.TemporaryDirectory() as name:
        with spooled(Path(name) / "table", SCHEMA, held) as spool:
            number = 0
            for parts in pieces:
                numbers = range(number, number + len(parts))
                texts = [str(one) for one in numbers]
                rows = pa.table([pa.array(numbers, pa.int64()), pa.array(texts, pa.string())], schema=SCHEMA)
                spool.add(rows, np.array(parts, np.int64))
                for part, one in zip(parts, numbers, strict=True):
                    expected.setdefault(part, []).append(one)
                number += len(parts)
            for part in (3, 0, 1, 2, 4, 5):
                rows = spool.part(part)
                assert rows["number"].to_pylist() == expected.get(part, [])
                assert rows["text"].to_pylist() == [str(one) for one in expected.get(part, [])]
            assert (len(list(Path(name).iterdir())) > 0) == (number >= held)
        assert list(Path(name).iterdir()) == []


def test_the_scratch_file_is_removed_after_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with contextlib.suppress(RuntimeError), spooled(folder / "table", SCHEMA, 1) as spool:
        spool.add(pa.table([[1], ["a"]], schema=SCHEMA), np.zeros(1, np.int64))
        assert len(list(folder.iterdir())) == 1
        raise RuntimeError

    assert list(folder.iterdir()) == []


@given(st.lists(st.uuids(), min_size=1, max_size=20), st.integers(1, 40))
def test_parts_of_ids_are_ranges_of_ids(ids: list[uuid.UUID], count: int) -> None:
    texts = sorted(map(str, ids))
    parts = parts_of_ids(pa.array(texts), count).tolist()

    assert parts == sorted(parts)
    assert parts == [int(text[:8], 16) * count // 2**32 for text in texts]


def test_leading_numbers() -> None:
    texts = pa.chunked_array([["0123456789abcdef0", "ffffffffffffffff"], []], pa.string())

    assert leading_numbers(texts).tolist() == [0x0123456789ABCDEF, 2**64 - 1]
    assert leading_numbers(texts, 8).tolist() == [0x01234567, 2**32 - 1]


@pytest.mark.parametrize(("rows", "parts"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_the_number_of_parts(rows: int, parts: int) -> None:
    assert number_of_parts(rows, 10) == parts
