"""A build run again, interrupted, damaged, or run twice at once, ends with the bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]

KILLS = 8
TAIL = [
    "BuildCatalog",
    "CheckTaxa",
    "FindDuplicates",
    "ReportLeaks",
    "WriteAttribution",
    "WriteCard",
    "WriteCatalog",
    "WriteManifest",
]


class Dataset:
    """A copy of the sample's dataset, to be damaged and built again."""

    def __init__(self, settings: Path, build: Callable[..., Any]) -> None:
        self.settings = settings
        self.directory = settings.parent / "out" / "sample"
        self._build = build

    def build(self, *arguments: str) -> Any:
        return self._build(self.settings, *arguments)

    def shard(self, split: str, number: int) -> Path:
        return self.directory / "224x224" / split / f"shard-{number:06d}.tar"

    def verdict(self, split: str, source: str, partition: str) -> Path:
        return self.directory / "224x224" / "records" / split / source / f"{partition}.verdict.json"

    @property
    def bad_shards(self) -> list[str]:
        return (self.directory / "224x224" / "bad-shards.txt").read_text(encoding="utf-8").splitlines()

    def times(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in self.directory.rglob("*")}


@pytest.fixture
def dataset(sample_build: Path, sample_settings: Sections, settings_file: Any, build: Any) -> Dataset:
    copy = Dataset(settings_file(sample_settings), build)
    shutil.copytree(sample_build, copy.directory)
    return copy


def test_a_second_run_has_nothing_to_do(dataset: Dataset) -> None:
    before = dataset.times()
    finished = dataset.build()
    assert finished.returncode == 0
    assert finished.ran == []
    assert dataset.times() == before


@pytest.mark.parametrize(
    ("split", "number", "share"),
    [
        pytest.param("val", 0, "source=eol partition=image_set_01", id="a shard of val"),
        pytest.param(
            "train", 3, "source=bioscan partition=part1", id="a shard of train, parts of which are repeated"
        ),
        pytest.param("train_small", 0, "source=eol partition=image_set_01", id="a shard of train_small"),
    ],
)
def test_what_is_made_again_is_only(
    *, split: str, number: int, share: str, dataset: Dataset, sample_build: Path, digests: Digests
) -> None:
    dataset.shard(split, number).unlink()
    before = dataset.times()
    finished = dataset.build()
    assert finished.returncode == 0, finished.stderr
    about = f"split={split} {share}"
    assert finished.ran[:2] == [f"WriteShards {about}", f"CheckShards {about}"]
    # What was copied out of the shard is looked at again, and found to be as it should be.
    copied = {f"{stage} split=train_small {share}" for stage in ("WriteShards", "CheckShards")}
    assert sorted({*finished.ran[2:]} - (copied if split == "train" else set())) == TAIL
    assert digests(dataset.directory) == digests(sample_build)
    after = dataset.times()
    assert {path.name for path in after if path.suffix == ".tar" and after[path] != before.get(path)} == {
        dataset.shard(split, number).name
    }


def test_a_shard_of_train_and_its_repetition_are_both_made_again(
    dataset: Dataset, sample_build: Path, digests: Digests
) -> None:
    for split in ("train_small", "train"):
        dataset.shard(split, 0).unlink()
    finished = dataset.build()
    assert finished.returncode == 0, finished.stderr
    written = [task.split()[1] for task in finished.ran if task.startswith("WriteShards")]
    assert written == ["split=train", "split=train_small"]
    assert digests(dataset.directory) == digests(sample_build)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        pytest.param("mapping.sqlite", "MakeMapping", id="the mapping"),
        pytest.param("ledger/mapping.parquet", "MakeMapping", id="the ledger of the mapping"),
        pytest.param("ledger/names.parquet", "PredictCatalog", id="the ledger of the names"),
        pytest.param("listings/eol/image_set_01.parquet", "ScanPartition", id="the listing"),
        pytest.param("plan.json", "PlanShards", id="the plan"),
        pytest.param("predicted-catalog.parquet", "PredictCatalog", id="the predicted catalog"),
        pytest.param("224x224/catalog.csv", "WriteCatalog", id="the catalog"),
        pytest.param("224x224/README.md", "WriteCard", id="the card"),
        pytest.param("224x224/records/val/eol/image_set_01.ledger.parquet", "WriteShards", id="a ledger"),
    ],
)
def test_whoever_deletes_a_file_and_a_shard_gets_both_back(
    name: str, first: str, dataset: Dataset, sample_build: Path, digests: Digests
) -> None:
    (dataset.directory / name).unlink()
    dataset.shard("val", 0).unlink()
    finished = dataset.build()
    assert finished.returncode == 0, finished.stderr
    assert first in {task.split()[0] for task in finished.ran}
    assert digests(dataset.directory) == digests(sample_build)


@pytest.fixture
def damaged(dataset: Dataset) -> Path:
    """A shard with one byte other than it was, and no verdict on it any more."""
    shard = dataset.shard("val", 0)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    dataset.verdict("val", "eol", "image_set_01").unlink()
    return shard


def test_a_damaged_shard_is_repaired(
    damaged: Path, dataset: Dataset, sample_build: Path, digests: Digests
) -> None:
    finished = dataset.build()
    assert finished.returncode == 0, finished.stderr
    assert damaged.exists()
    assert dataset.bad_shards == []
    assert digests(dataset.directory) == digests(sample_build)


def test_a_damaged_shard_is_listed_until_it_is_deleted_where_repair_is_off(
    *,
    damaged: Path,
    dataset: Dataset,
    sample_build: Path,
    sample_settings: Sections,
    settings_file: Any,
    digests: Digests,
) -> None:
    settings_file({**sample_settings, "checks": {"repair": "false"}})
    for _ in range(2):
        finished = dataset.build()
        assert finished.returncode == 30
        (message,) = finished.messages
        assert str(damaged) in message
        assert "delete" in message
        assert dataset.bad_shards == [str(damaged)]
    damaged.unlink()
    finished = dataset.build()
    assert finished.returncode == 0, finished.stderr
    assert digests(dataset.directory) == digests(sample_build)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_build_killed_at_any_moment_goes_on_to_the_same_bytes(
    *,
    threads: int,
    settings_file: Any,
    sample_settings: Sections,
    start: Callable[..., subprocess.Popen[str]],
    build: Any,
    sample_build: Path,
    digests: Digests,
) -> None:
    settings = settings_file(
        {**sample_settings, "images": {**sample_settings.get("images", {}), "threads": threads}}
    )
    moments = random.Random(20)  # noqa: S311 (moments, not secrets)
    killed = 0
    for _ in range(KILLS):
        with start(settings) as process:
            try:
                process.communicate(timeout=moments.uniform(0.5, 1.7))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                killed += 1
    assert killed >= KILLS // 2
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert digests(settings.parent / "out" / "sample") == digests(sample_build)


def test_two_builds_of_one_dataset_at_once_both_end_well(
    *,
    settings_file: Any,
    sample_settings: Sections,
    start: Callable[..., subprocess.Popen[str]],
    finish: Any,
    sample_build: Path,
    digests: Digests,
) -> None:
    settings = settings_file(sample_settings)
    with start(settings) as first, start(settings) as second:
        ends = [finish(process) for process in (first, second)]
    assert [end.returncode for end in ends] == [0, 0], [end.messages for end in ends]
    assert digests(settings.parent / "out" / "sample") == digests(sample_build)
