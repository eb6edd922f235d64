from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.split_groups import ImageHint, choose_val, first_with_sum, nearest_sum
from tol_luigi.core.splits import assign, assign_with_hints

if TYPE_CHECKING:
    import random

PERCENT = st.integers(0, 100)
SIZES = st.lists(st.integers(1, 9), max_size=9)
HINTS = st.dictionaries(
    st.uuids().map(str),
    st.builds(
        ImageHint,
        st.sampled_from(["", "", "train", "val"]),
        st.sampled_from(["", "A", "B", "C", "D", "E"]),
        st.sampled_from(["", "", "", "1", "2", "3"]),
    ),
    max_size=40,
)
"""Images, of which each may have a given split, a group and a hash; splits may differ within a group."""


def consistent(images: dict[str, ImageHint]) -> dict[str, ImageHint]:
    """Give all images of a group the split of the first one that has any."""
    splits: dict[str, str] = {}
    for hint in images.values():
        if hint.group and hint.split:
            splits.setdefault(hint.group, hint.split)
    return {
        image: hint._replace(split=splits[hint.group]) if hint.split and hint.group else hint
        for image, hint in images.items()
    }


HINTED = HINTS.map(consistent)


def chosen(images: dict[str, ImageHint], val: int, seed: int = 17) -> dict[str, bool]:
    made = choose_val(list(images), list(images.values()), seed=seed, count=len(images) * val // 100)
    return dict(zip(images, made.tolist(), strict=True))


@given(HINTED, PERCENT)
def test_given_splits_are_obeyed(images: dict[str, ImageHint], val: int) -> None:
    is_val = chosen(images, val)

    assert all(is_val[image] == (hint.split == "val") for image, hint in images.items() if hint.split)


@given(HINTED, PERCENT)
def test_groups_are_never_divided(images: dict[str, ImageHint], val: int) -> None:
    is_val = chosen(images, val)
    sides = {(hint.group, is_val[image]) for image, hint in images.items() if hint.group}

    assert len(sides) == len({group for group, _ in sides})


@given(HINTED, PERCENT)
def test_no_duplicates_on_both_sides_unless_splits_are_given(images: dict[str, ImageHint], val: int) -> None:
    images = {image: hint._replace(split="") for image, hint in images.items()}
    is_val = chosen(images, val)
    sides = {(hint.sha256, is_val[image]) for image, hint in images.items() if hint.sha256}

    assert len(sides) == len({sha256 for sha256, _ in sides})


@given(HINTED.flatmap(lambda images: st.tuples(st.just(images), st.permutations(list(images)))), PERCENT)
def test_the_order_of_rows_does_not_count(given_: tuple[dict[str, ImageHint], list[str]], val: int) -> None:
    images, order = given_

    assert chosen({image: images[image] for image in order}, val) == chosen(images, val)


@given(st.lists(st.uuids().map(str), unique=True, max_size=60), st.integers(0, 10**9), PERCENT, PERCENT)
def test_without_hints_the_splits_are_the_ordinary_ones(
    ids: list[str], seed: int, val: int, small: int
) -> None:
    made = assign_with_hints(
        ids, [ImageHint()] * len(ids), seed=seed, val_percent=val, train_small_percent=small
    )
    ordinary = assign(ids, seed=seed, val_percent=val, train_small_percent=small)

    assert made.is_val.tolist() == ordinary.is_val.tolist()
    assert made.is_train_small.tolist() == ordinary.is_train_small.tolist()


@given(HINTED, PERCENT, PERCENT)
def test_train_small_is_an_exact_part_of_train(images: dict[str, ImageHint], val: int, small: int) -> None:
    made = assign_with_hints(
        list(images), list(images.values()), seed=17, val_percent=val, train_small_percent=small
    )

    assert not (made.is_val & made.is_train_small).any()
    assert made.is_train_small.sum() == (~made.is_val).sum() * small // 100


@given(SIZES, PERCENT, st.integers(0, 99))
def test_the_share_of_val_is_as_near_as_groups_allow(sizes: list[int], val: int, seed: int) -> None:
    images = {
        f"{group}-{place}": ImageHint(group=str(group))
        for group, size in enumerate(sizes)
        for place in range(size)
    }
    wanted = len(images) * val // 100
    sums = {sum(some) for count in range(len(sizes) + 1) for some in itertools.combinations(sizes, count)}

    made = sum(chosen(images, val, seed).values())
    assert abs(made - wanted) == min(abs(one - wanted) for one in sums)


@given(SIZES, st.integers(0, 60))
def test_the_nearest_sum_is_the_smaller_one_of_two(sizes: list[int], wanted: int) -> None:
    sums = {sum(some) for count in range(len(sizes) + 1) for some in itertools.combinations(sizes, count)}

    assert nearest_sum(sizes, wanted) == min(sums, key=lambda one: (abs(one - wanted), one))


@given(SIZES, st.randoms())
def test_of_the_sizes_with_a_sum_the_first_ones_are_taken(sizes: list[int], chance: random.Random) -> None:
    total = sum(size for size in sizes if chance.random() < 0.5)
    ways = itertools.product([True, False], repeat=len(sizes))  # from the first to the last

    first = next(way for way in ways if sum(itertools.compress(sizes, way)) == total)
    assert first_with_sum(sizes, total) == list(first)


def test_many_groups_of_one_size_take_no_time() -> None:
    sizes = [2] + [3] * 20_000
    total = nearest_sum(sizes, 30_000)

    assert total == 30_000
    assert first_with_sum(sizes, total) == [False] + [True] * 10_000 + [False] * 10_000


def test_what_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sizes have the sum 4"):
        first_with_sum([3, 5], 4)


def test_val_counts_what_is_given() -> None:
    images = {str(number): ImageHint("val" if number < 7 else "") for number in range(100)}

    assert sum(chosen(images, 10).values()) == 10
    assert {image for image, is_val in chosen(images, 5).items() if is_val} == {str(n) for n in range(7)}


def test_a_group_follows_the_split_that_one_of_its_images_has() -> None:
    images = {
        "a": ImageHint("val", "owl"),
        "b": ImageHint("", "owl"),
        "c": ImageHint("train", "jay"),
        "d": ImageHint("", "jay"),
    }

    assert [chosen(images, val)["b"] for val in (0, 100)] == [True, True]
    assert [chosen(images, val)["d"] for val in (0, 100)] == [False, False]


def test_a_group_follows_the_val_image_that_it_repeats() -> None:
    images = {
        "a": ImageHint("val", "owl", "same"),
        "b": ImageHint("train", "jay", "same"),
        "c": ImageHint("", "kea", "same"),
        "d": ImageHint("", "kea"),
    }

    assert chosen(images, 0) == {"a": True, "b": False, "c": True, "d": True}


def test_a_split_of_groups_never_changes() -> None:
    images = {str(number): ImageHint(group=f"camera {number % 20}") for number in range(100)}

    assert sorted({hint.group for image, hint in images.items() if chosen(images, 20)[image]}) == [
        "camera 13",
        "camera 15",
        "camera 17",
        "camera 2",
    ]
