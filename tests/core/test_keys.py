from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.keys import image_id, keyed_order


@pytest.mark.parametrize(
    ("source", "key", "expected"),
    [
        pytest.param(
            "eol", "12784812/51655800", "224c7fd4-9afc-56a4-83a6-db011b566d34", id="content and page"
        ),
        pytest.param(
            "inat21",
            "02912_Animalia/a.jpg",
            "e393e7e3-c381-5138-88c7-4e88aea2392b",
            id="class folder and file",
        ),
        pytest.param("bioscan", "1/BIOUG.jpg", "408bd469-1980-5ac7-a555-b9ff97b8110f", id="part and file"),
    ],
)
def test_an_id_never_changes(source: str, key: str, expected: str) -> None:
    assert image_id(source, key) == expected


@given(st.text(), st.sampled_from(["eol", "bioscan", "inat21", "own"]), st.sampled_from(["eol", "inat21"]))
def test_sources_share_no_id(key: str, one: str, other: str) -> None:
    assert (image_id(one, key) == image_id(other, key)) == (one == other)


@given(st.sets(st.text(max_size=20), max_size=20))
def test_keys_of_a_source_share_no_id(keys: set[str]) -> None:
    ids = {image_id("eol", key) for key in keys}

    assert len(ids) == len(keys)
    assert all("." not in image for image in ids)


@pytest.mark.parametrize(
    ("seed", "purpose", "image", "expected"),
    [
        pytest.param(17, "val", "a", 12003642541325504117, id="one place is pinned"),
        pytest.param(17, "order", "a", 17374388927992922464, id="another purpose gives another place"),
        pytest.param(18, "val", "a", 9841036960392572115, id="another seed gives another place"),
        pytest.param(17, "val", "b", 2653034639943057773, id="another image has another place"),
    ],
)
def test_a_place_in_an_order_never_changes(seed: int, purpose: str, image: str, expected: int) -> None:
    assert keyed_order(seed, purpose, image) == expected


@given(st.integers(0, 10**9), st.text(alphabet="abc_", max_size=16), st.text())
def test_a_place_fits_into_64_bits(seed: int, purpose: str, image: str) -> None:
    assert 0 <= keyed_order(seed, purpose, image) < 2**64


@pytest.mark.parametrize(
    ("seed", "purpose"),
    [
        pytest.param(18, "val", id="another seed shuffles anew"),
        pytest.param(17, "train_small", id="another purpose shuffles anew"),
    ],
)
def test_orders_are_unrelated(seed: int, purpose: str) -> None:
    images = [str(number) for number in range(400)]
    first = sorted(images, key=lambda image: keyed_order(17, "val", image))[:200]
    second = sorted(images, key=lambda image: keyed_order(seed, purpose, image))[:200]

    assert 60 < len(set(first) & set(second)) < 140
