from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core import splits
from tol_luigi.core.keys import keyed_order
from tol_luigi.core.splits import SPLITS, assign

if TYPE_CHECKING:
    from pathlib import Path

IDS = st.lists(st.uuids().map(str), unique=True, max_size=60)
PERCENT = st.integers(0, 100)

PROGRAM = """
import json
from tol_luigi.core.splits import assign
ids = sorted({str(number) for number in range(300)})
chosen = assign(ids, seed=17, val_percent=5, train_small_percent=10)
print(json.dumps([chosen.is_val.tolist(), chosen.is_train_small.tolist()]))
"""


def chosen(ids: list[str], seed: int, val: int, small: int) -> dict[str, tuple[bool, bool]]:
    made = assign(ids, seed=seed, val_percent=val, train_small_percent=small)
    flags = zip(made.is_val.tolist(), made.is_train_small.tolist(), strict=True)
    return dict(zip(ids, flags, strict=True))


def test_the_splits_in_the_order_of_the_catalog() -> None:
    assert SPLITS == ("train", "val", "train_small")


@given(IDS, st.integers(0, 10**9), PERCENT, PERCENT)
def test_counts_are_exact(ids: list[str], seed: int, val: int, small: int) -> None:
    made = assign(ids, seed=seed, val_percent=val, train_small_percent=small)
    held_out = len(ids) * val // 100

    assert len(made.is_val) == len(made.is_train_small) == len(ids)
    assert made.is_val.sum() == held_out
    assert made.is_train_small.sum() == (len(ids) - held_out) * small // 100


@given(IDS, PERCENT, PERCENT)
def test_train_small_is_part_of_train(ids: list[str], val: int, small: int) -> None:
    made = assign(ids, seed=17, val_percent=val, train_small_percent=small)

    assert not (made.is_val & made.is_train_small).any()


@given(IDS.flatmap(lambda ids: st.tuples(st.just(ids), st.permutations(ids))), PERCENT, PERCENT)
def test_the_order_of_rows_does_not_count(orders: tuple[list[str], list[str]], val: int, small: int) -> None:
    one, other = orders
    assert chosen(one, 17, val, small) == chosen(other, 17, val, small)


@given(IDS, st.integers(0, 99), PERCENT)
def test_more_percent_only_add_images(ids: list[str], val: int, small: int) -> None:
    fewer, more = chosen(ids, 17, val, small), chosen(ids, 17, val + 1, small)

    assert {image for image in ids if fewer[image][0]} <= {image for image in ids if more[image][0]}


@pytest.mark.parametrize(
    ("count", "val", "small", "expected"),
    [
        pytest.param(0, 5, 10, (0, 0), id="no images, no splits"),
        pytest.param(1, 99, 99, (0, 0), id="a single image is train only"),
        pytest.param(10, 0, 0, (0, 0), id="nought percent takes none"),
        pytest.param(10, 100, 100, (10, 0), id="all val leaves no train_small"),
        pytest.param(10, 0, 100, (0, 10), id="all of train is train_small"),
        pytest.param(283, 5, 10, (14, 26), id="fractions are cut off"),
    ],
)
def test_counts(count: int, val: int, small: int, expected: tuple[int, int]) -> None:
    made = assign(map(str, range(count)), seed=17, val_percent=val, train_small_percent=small)

    assert (made.is_val.sum(), made.is_train_small.sum()) == expected


def test_another_seed_gives_another_split() -> None:
    ids = [str(number) for number in range(300)]

    assert chosen(ids, 17, 50, 50) != chosen(ids, 18, 50, 50)


def test_a_split_never_changes() -> None:
    ids = [str(number) for number in range(100)]
    flags = chosen(ids, 17, 5, 5)

    assert [image for image in ids if flags[image][0]] == ["29", "67", "68", "86", "98"]
    assert [image for image in ids if flags[image][1]] == ["4", "8", "14", "46"]


def test_the_hash_seed_of_python_does_not_count() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }

    assert len(answers) == 1
    assert sum(json.loads(answers.pop())[0]) == 15


@given(IDS, PERCENT, PERCENT)
def test_the_images_with_the_smallest_keys_are_chosen(ids: list[str], val: int, small: int) -> None:
    made = chosen(ids, 17, val, small)

    def first(purpose: str, among: list[str], percent: int) -> set[str]:
        ordered = sorted(among, key=lambda image: keyed_order(17, purpose, image))
        return set(ordered[: len(among) * percent // 100])

    held_out = first("val", ids, val)
    assert {image for image in ids if made[image][0]} == held_out
    train = [image for image in ids if image not in held_out]
    assert {image for image in ids if made[image][1]} == first("train_small", train, small)


def test_many_keys_are_read_from_a_scratch_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ids = [str(number) for number in range(3000)]
    expected = chosen(ids, 17, 5, 10)
    monkeypatch.setattr(splits, "_IN_MEMORY", 100)
    monkeypatch.setattr(splits, "_READ", 7)
    shares = {"seed": 17, "val_percent": 5, "train_small_percent": 10}
    made = assign(ids, **shares, scratch=tmp_path)

    flags = zip(made.is_val.tolist(), made.is_train_small.tolist(), strict=True)
    assert dict(zip(ids, flags, strict=True)) == expected
    assert list(tmp_path.iterdir()) == []
