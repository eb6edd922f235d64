"""What is extrapolated from parts of a source, and how far it may be off."""

from __future__ import annotations

import numpy as np
import pytest

from tol_luigi.report.extrapolation import Part, extrapolate


def test_the_truth_is_nearly_always_within_the_error() -> None:
    random = np.random.default_rng(17)
    hits = 0
    for _ in range(200):
        folders = [
            Part(1, images, int(random.integers(100, 3000, images).sum()))
            for images in map(int, random.integers(1, 41, 300))
        ]
        images, size = sum(part.images for part in folders), sum(part.bytes for part in folders)
        found = extrapolate([folders[at] for at in random.choice(300, 30, replace=False)], 300)
        assert found.error is not None
        is_near = abs(found.images / images - 1) <= found.error and abs(found.bytes / size - 1) <= found.error
        hits += is_near
    assert hits >= 180


def test_archives_count_by_their_size() -> None:
    parts = [Part(size, size // 100, size) for size in (1000, 2000, 4000, 8000, 16_000)]
    assert extrapolate(parts, 62_000) == pytest.approx((620, 62_000, 0.01))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([], id="nothing"),
        pytest.param([Part(1, 0, 0)] * 9, id="no image"),
        pytest.param([Part(1, 3, 9)] * 4, id="too few parts"),
        pytest.param([*[Part(1, 0, 0)] * 9, Part(1, 1000, 10)], id="parts that differ too much"),
    ],
)
def test_an_error_that_cannot_be_known_is_not_made_up(parts: list[Part]) -> None:
    assert extrapolate(parts, 100).error is None
