"""Tests of the calls of models for blocks of rows."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.features.blocks import Blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(40, 300)).astype(np.float32)


def product(block: NDArray[Any]) -> list[NDArray[Any]]:
    return list(block @ WEIGHTS)


@given(st.sets(st.integers(1, 39)), st.integers(1, 4))
def test_no_byte_depends_on_how_rows_are_cut_or_on_threads(cuts: set[int], threads: int) -> None:
    whole = np.stack(Blocks(8)(product, ROWS))
    blocks = Blocks(8, threads)
    parts = [np.stack(blocks(product, part)) for part in np.split(ROWS, sorted(cuts))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_all_calls_have_the_same_size_and_results_keep_their_order() -> None:
    sizes = []

    def model(block: NDArray[Any]) -> list[int]:
        sizes.append(len(block))
        return [int(row) for row in block]

    assert Blocks(8)(model, np.arange(1, 20)) == list(range(1, 20))
    assert sizes == [8, 8, 8]
    assert Blocks(8)(model, np.arange(0)) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory."),
        RuntimeError("Failed to allocate memory for buffer"),
    ],
)
def test_a_block_that_does_not_fit_is_halved_once_and_for_all(error: Exception) -> None:
    sizes = []

    def model(block: NDArray[Any]) -> list[Any]:
        sizes.append(len(block))
        if len(block) > 2:
            raise error
        return list(block)

    blocks = Blocks(8)
    assert blocks(model, np.arange(5)) == list(range(5))
    assert sizes == [8, 4, 2, 2, 2]
    blocks(model, np.arange(2))
    assert sizes[5:] == [2]


def test_other_errors_and_a_row_that_does_not_fit_are_raised() -> None:
    def model(block: NDArray[Any]) -> list[Any]:
        raise (ValueError("shape") if block[0] else MemoryError)

    with pytest.raises(ValueError, match="shape"):
        Blocks(8)(model, np.ones(3))
    with pytest.raises(MemoryError):
        Blocks(8)(model, np.zeros(3))


def test_blocks_are_computed_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)

    def model(block: NDArray[Any]) -> list[Any]:
        both.wait()
        return list(block)

    assert Blocks(4, threads=2)(model, np.arange(8)) == list(range(8))
