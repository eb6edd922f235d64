"""Labels that are corrected after a failed build need no other tag; those of a dataset with shards do."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forked import Ended, Forks

COMPLETE, TASK_FAILED, WRONG_SETTINGS = 0, 30, 40

WRONG = "file,genus,species\nb.jpg,Corvus,corax\n"
RIGHT = "file,genus,species\na.jpg,Corvus,corax\n"
LONGER = f"{RIGHT}c.jpg,Pica,pica\n"


@pytest.fixture
def built(forks: Forks, tmp_path: Path, settings_file: Any) -> Callable[[str], Ended]:
    """Build a collection of one image with some labels, each time under the same tag."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "images" / "a.jpg")
    settings = settings_file(
        {
            "dataset": {"root": tmp_path / "out", "tag": "t"},
            "folder": {"images": tmp_path / "images", "labels": tmp_path / "labels.csv"},
            "images": {"width": 32, "height": 32},
        }
    )

    def build(labels: str) -> Ended:
        path = tmp_path / "labels.csv"
        path.write_text(labels, encoding="utf-8")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + len(list(tmp_path.iterdir()))))
        (
            tmp_path / f"build-{len(list(tmp_path.iterdir()))}"
        ).touch()  # so that each table has a time of its own
        return forks.build(settings, "BuildCatalog")

    return build


@pytest.mark.parametrize("corrected", [RIGHT, LONGER], ids=["the same length", "another length"])
def test_corrected_labels_are_built_by_the_same_command(
    *, corrected: str, built: Callable[[str], Ended], tmp_path: Path, digests: Callable[..., dict[str, str]]
) -> None:
    dataset = tmp_path / "out" / "t"
    failed = built(WRONG)
    assert failed.code == TASK_FAILED, failed.output
    assert failed.messages[0].startswith("CheckMatches: "), failed.output

    ended = built(corrected)
    assert ended.code == COMPLETE, ended.output
    after_correction = digests(dataset)
    [row] = pq.read_table(dataset / "32x32" / "catalog.parquet").to_pylist()
    assert (row["genus"], row["species"]) == ("Corvus", "corax")

    shutil.rmtree(dataset)
    assert built(corrected).code == COMPLETE
    assert digests(dataset) == after_correction


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        pytest.param(WRONG, "has changed since it was read", id="the same length"),
        pytest.param(LONGER, "this dataset was started with other settings", id="another length"),
    ],
)
@pytest.mark.parametrize("is_complete", [True, False], ids=["complete", "incomplete"])
def test_labels_of_a_dataset_with_shards_stop_the_build(
    *, changed: str, what: str, is_complete: bool, built: Callable[[str], Ended], tmp_path: Path
) -> None:
    assert built(RIGHT).code == COMPLETE
    dataset = tmp_path / "out" / "t"
    if not is_complete:
        (dataset / "manifest.json").unlink()
        (dataset / "32x32" / "catalog.parquet").unlink()

    ended = built(changed)
    assert ended.code == WRONG_SETTINGS, ended.output
    assert what in ended.messages[0]
