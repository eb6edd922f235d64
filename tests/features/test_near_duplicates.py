"""Clusters of images that look alike, and what they say about splits and labels."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from drawn_samples import image_id, write_catalog, write_family
from PIL import Image

from tol_luigi.features.hashes import dhash64, phash64
from tol_luigi.features.near_duplicates import (
    NEAR_DUPLICATES,
    described_clusters,
    find_clusters,
    near_duplicates_figures,
    read_hashes,
    write_near_duplicates,
)
from tol_luigi.report.near_duplicates import near_duplicates_text, pair_text
from tol_luigi.store.near_pairs import near_pairs

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 40
DETAILED = 0x0F0F0F0F0F0F0F0F


def columns(looks: dict[int, int], same: dict[int, int], plain: set[int]) -> dict[str, Any]:
    """Return hashes of 40 unrelated images, but for some perceptual hashes, equal pixels, and plain images."""
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, 2**64, COUNT, np.uint64).tolist()
    return {
        "pixel_sha256": [hashlib.sha256(b"%d" % same.get(one, one)).hexdigest() for one in range(COUNT)],
        "phash64": pa.array([looks.get(one, drawn[one]) for one in range(COUNT)], pa.uint64()),
        "dhash64": pa.array([0 if one in plain else DETAILED for one in range(COUNT)], pa.uint64()),
    }


@pytest.fixture
def found(tmp_path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The rows by id, and the figures. 0, 5 and 10 look alike in a chain, 1 and 9 have equal pixels, 2 and 3 are plain
    and have equal hashes, and 7 and 12 would look alike if 12 had been usable.
    """
    looks = {0: 0xFFFF, 5: 0xFFF0, 10: 0xFF00, 2: 1, 3: 1, 7: 0xAAAA << 32, 12: 0xAAAA << 32}
    write_catalog(tmp_path / "catalog.parquet", COUNT)
    status = ["decode_error" if one == 12 else "ok" for one in range(COUNT)]
    table = write_family(tmp_path / "hash.parquet", columns(looks, {9: 1}, {2, 3}), status)
    hashed = read_hashes([(table, None)])
    rows = described_clusters(hashed, find_clusters(hashed, 4), tmp_path / "catalog.parquet")
    return {row["id"]: row for row in rows.to_pylist()}, near_duplicates_figures(hashed, rows, 4)


def test_chains_and_equal_pixels_are_clusters_and_plain_or_unusable_images_are_not(found: Any) -> None:
    rows, figures = found
    assert list(rows) == [image_id(number) for number in (0, 5, 10, 1, 9)]
    assert [row["cluster"] for row in rows.values()] == [0, 0, 0, 1, 1]
    assert (figures["images"], figures["plain"], figures["clusters"]) == (39, 2, 2)


def test_one_image_of_each_cluster_is_to_be_kept_the_largest(found: Any) -> None:
    rows, _ = found
    assert [id_ for id_, row in rows.items() if row["keep"]] == [image_id(10), image_id(9)]


def test_a_page_shows_a_pair_of_each_cluster_those_that_differ_in_labels_or_splits_first(
    found: Any, tmp_path: Path
) -> None:
    rows, _ = found
    assert [row["distance"] for row in rows.values()][:3] == [8, 4, 0]
    write_near_duplicates(
        tmp_path / "near.parquet", pa.Table.from_pylist(list(rows.values()), NEAR_DUPLICATES)
    )
    pairs = near_pairs(tmp_path / "near.parquet", 5)
    assert [[one["id"] for one in pair] for pair in pairs] == [
        [image_id(9), image_id(1)],
        [image_id(10), image_id(0)],
    ]
    assert pair_text(*pairs[0]).endswith("bits apart; labels differ in the genus; one in train, one in val")
    assert pair_text(*pairs[1]) == "8 bits apart; labels agree; both in train"
    assert near_pairs(tmp_path / "near.parquet", 1) == pairs[:1]


def test_clusters_across_splits_and_labels_are_reported(found: Any) -> None:
    rows, figures = found
    assert [row["crosses_splits"] for row in rows.values()] == [False] * 3 + [True] * 2
    assert [row["label_conflict"] for row in rows.values()] == [None] * 3 + ["genus"] * 2
    text = near_duplicates_text(figures)
    assert "39 images, 5 of them in 2 clusters of near-duplicates\n" in text
    assert "clusters by number of images: 1 of 2, 1 of 3\n" in text
    assert "clusters in several splits: 1\n  cluster 1\n" in text
    assert "clusters whose labels differ (genus 1): 1\n" in text


def test_a_dataset_without_near_duplicates_has_an_empty_table(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog.parquet", COUNT)
    hashed = read_hashes([(write_family(tmp_path / "hash.parquet", columns({}, {}, set())), None)])
    rows = described_clusters(hashed, find_clusters(hashed, 4), tmp_path / "catalog.parquet")
    assert len(rows) == 0
    assert near_duplicates_figures(hashed, rows, 4)["label_conflicts"] == {}


def test_sharpness_and_entropy_are_used_if_quality_is_computed(tmp_path: Path) -> None:
    write_catalog(tmp_path / "catalog.parquet", COUNT, width=[100] * COUNT)
    looks = {0: 0xFFFF, 1: 0xFFFF, 2: 0xFF0000, 3: 0xFF0000}
    table = write_family(tmp_path / "hash.parquet", columns(looks, {}, set()))
    blur = {"blur_lapvar": [float(one) for one in range(COUNT)]}
    quality = write_family(
        tmp_path / "quality.parquet", {**blur, "entropy": [0.5 if one == 2 else 7.0 for one in range(COUNT)]}
    )
    hashed = read_hashes([(table, quality)])
    rows = described_clusters(hashed, find_clusters(hashed, 4), tmp_path / "catalog.parquet").to_pylist()
    assert [(row["id"], row["keep"]) for row in rows] == [(image_id(0), False), (image_id(1), True)]


def test_a_recompressed_image_is_found_and_another_one_is_not() -> None:
    rng = np.random.default_rng(1)
    first, other = (
        Image.fromarray(rng.integers(0, 255, (12, 12), np.uint8)).resize((200, 200), Image.Resampling.BICUBIC)
        for _ in range(2)
    )
    smaller = first.resize((150, 150))
    assert (
        (phash64(first) ^ phash64(smaller)).bit_count() <= 4 < (phash64(first) ^ phash64(other)).bit_count()
    )
    assert dhash64(Image.new("L", (200, 200), 77)) == 0
