"""Two small datasets of drawn images, with hostile names, and images that are in none of their shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browsed_images import fill

from tol_luigi.browse.opened import BrowsedDataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tol_luigi.browse.index import Index


@pytest.fixture(scope="session")
def folders(once: Callable[..., Path], build_once: Callable[..., Path]) -> tuple[Path, Path]:
    """The folders of both datasets; tests only read them."""
    drawn = once("browse-images", fill)

    def built(tag: str) -> Path:
        sections: dict[str, dict[str, Any]] = {
            "dataset": {"root": "out", "tag": tag, "val_percent": 10, "train_small_percent": 20},
            "folder": {"images": drawn / tag, "labels": drawn / "labels.csv"},
            "images": {"width": 32, "height": 32, "duplicates": "drop"},
            "shards": {"max_samples": 10},
            "checks": {"max_bad_percent": 50, "min_matched_percent": 0},
        }
        return build_once(f"browse-{tag}", sections)

    return built("first"), built("second")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the indexes."""
    return tmp_path_factory.mktemp("indexes")


@pytest.fixture(scope="session")
def first(folders: tuple[Path, Path], cache: Path) -> BrowsedDataset:
    """The first dataset, opened."""
    return BrowsedDataset(folders[0], cache)


@pytest.fixture(scope="session")
def second(folders: tuple[Path, Path], cache: Path) -> BrowsedDataset:
    """The second dataset, opened."""
    return BrowsedDataset(folders[1], cache)


@pytest.fixture(scope="session")
def index(first: BrowsedDataset) -> Index:
    """The index of the first dataset."""
    return first.index
