"""Splits and groups in columns of a table of labels, from the settings to the shards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from forked import Forks

BIRDS = {f"{number:02d}": f"bird {number // 4}" for number in range(24)}
GIVEN = {"bird 0": "train", "bird 1": "test "}


@pytest.fixture
def settings(settings_file: Any, tmp_path: Path) -> Path:
    """Write 24 photographs of 6 birds, two birds with a given split, and settings."""
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(BIRDS):
        Image.new("RGB", (8, 8), (number * 10, 90, 7)).save(tmp_path / "photos" / f"{name}.png")
    write_labels(tmp_path, GIVEN)
    sections = {
        "dataset": {"root": "out", "tag": "birds", "val_percent": 50, "train_small_percent": 50},
        "folder": {
            "images": "photos",
            "labels": "labels.csv",
            "split_column": "split",
            "group_column": "individual",
            "partitions": 1,
        },
        "checks": {"changed_sources": "rebuild"},
    }
    path: Path = settings_file(sections)
    return path


def write_labels(folder: Path, given: dict[str, str]) -> None:
    rows = [
        f"{name}.png,Corvus corax,{given.get(bird, '     ')},{bird}\n"
        for name, bird in reversed(BIRDS.items())
    ]
    (folder / "labels.csv").write_text("".join(["file,name,Split,Individual\n", *rows]))


def splits(directory: Path) -> dict[str, set[str]]:
    """Return the splits of the samples in the catalog, by bird."""
    rows = pq.read_table(directory / "224x224" / "catalog.parquet").to_pylist()
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(BIRDS[row["folder_file"].removesuffix(".png")], set()).add(row["split"])
    return found


def test_the_shards_obey_the_table_and_follow_its_changes(
    *, forks: Forks, settings: Path, tmp_path: Path, digests: Any
) -> None:
    ended = forks.build(settings, "BuildCatalog")
    directory = tmp_path / "out" / "birds"
    assert ended.code == 0, ended.output
    assert (
        "val of folder: 12 of 24 images, 50 % ([dataset] val_percent = 50); splits given: 4 train, 4 val, 16 "
        "without one; 6 groups of 4 images, none divided" in ended.output
    )
    first = splits(directory)
    assert first["bird 0"] <= {"train", "train_small"}
    assert first["bird 1"] == {"val"}
    assert all("val" not in sides or sides == {"val"} for sides in first.values())

    write_labels(tmp_path, {"bird 0": "test ", "bird 1": "train"})
    os.utime(tmp_path / "labels.csv", (2e9, 2e9))
    assert forks.build(settings, "BuildCatalog").code == 0
    second = splits(directory)
    assert second["bird 0"] == {"val"}
    assert second["bird 1"] <= {"train", "train_small"}

    again = settings.with_name("again.cfg")
    again.write_text(settings.read_text().replace("tag = birds", "tag = again"))
    assert forks.build(again, "BuildCatalog").code == 0
    assert digests(tmp_path / "out" / "again") == digests(directory)
