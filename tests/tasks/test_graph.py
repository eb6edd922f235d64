"""The graph of a dataset is drawn up with few looks at its files, and with none that is out of date."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sections = dict[str, dict[str, Any]]

FEW, MANY = 4, 8
IMAGES = 5
"""For each partition, on the average."""

DRAW_UP = """
import json, os, sys
from collections import Counter
from luigi.scheduler import Scheduler
from luigi.worker import Worker
from tol_luigi import BuildCatalog

looks = {"open": Counter(), "os.stat": Counter()}

def note(event, arguments):
    if event in {"open", "sqlite3.connect", "os.listdir", "os.scandir"}:
        looks["open"][str(arguments[0])] += 1

def noting(stat):
    def noted(path, *arguments, **options):
        looks["os.stat"][str(path)] += 1
        return stat(path, *arguments, **options)
    return noted

root = BuildCatalog()
sys.addaudithook(note)
os.stat = noting(os.stat)
Worker(scheduler=Scheduler()).add(root)
json.dump(looks, sys.stdout)
"""
"""Draws up the graph as luigi does, and tells how often each path was opened and asked for."""

MISS = """
import json, sys
from pathlib import Path
from tol_luigi import BuildCatalog
from tol_luigi.tasks.stage import clear_completion_cache

root, missed = BuildCatalog(), []
assert root.complete()
for path in map(Path, sys.argv[1:]):
    aside = path.rename(path.with_name("aside"))
    clear_completion_cache()  # as happens by itself within seconds
    if not root.complete():
        missed.append(str(path))
    aside.rename(path)
    assert root.complete()
json.dump(missed, sys.stdout)
"""
"""Takes one file after the other away and puts it back, in one process; tells which of them were missed."""

CHANGE = """
import sys
from pathlib import Path
from tol_luigi import BuildCatalog
from tol_luigi.tasks.stage import clear_completion_cache

root = BuildCatalog()
shard, receipt = map(Path, sys.argv[1:])
for path, before, after in ((shard, b"", b"0"), (receipt, b"planned", b"plannec")):
    content = path.read_bytes()
    assert root.complete()
    path.write_bytes(content.replace(before, after, 1))
    clear_completion_cache()
    assert not root.complete()
    path.write_bytes(content)
    assert root.complete()
print("null")
"""
"""Makes a shard longer by a byte, and changes one of a receipt, in a process that goes on."""


class Dataset:
    """A dataset, and programs about it, each in a process of its own."""

    def __init__(self, directory: Path, settings: Path) -> None:
        self.directory, self.settings = directory, settings

    def told(self, program: str, *arguments: object) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=self.settings.parent,
            env={**os.environ, "LUIGI_CONFIG_PATH": str(self.settings)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def looks(self, how: str) -> Counter[str]:
        """Count the looks at each path of the dataset while its graph is drawn up."""
        told, inside = self.told(DRAW_UP)[how].items(), f"{self.directory}/"
        return Counter({path.removeprefix(inside): count for path, count in told if path.startswith(inside)})


@pytest.fixture(scope="session")
def sections(once: Callable[..., Path]) -> Callable[[int], Sections]:
    """Give the settings of a dataset with so many partitions."""

    def given(partitions: int) -> Sections:
        def draw(folder: Path) -> None:
            (folder / "images").mkdir()
            lines = ["file,kingdom,phylum,class,order,family,genus,species"]
            for number in range(IMAGES * partitions):
                name = f"{number}.png"
                Image.new("RGB", (8, 8), (7 * number, 5, number)).save(folder / "images" / name)
                lines.append(f"{name},Animalia,Arthropoda,Insecta,Hymenoptera,Apidae,Apis,mellifera")
            (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")

        folder = once(f"graph-of-{partitions}-partitions", draw)
        return {
            "dataset": {"root": "out", "tag": "sample", "val_percent": 20, "train_small_percent": 20},
            "folder": {
                "images": folder / "images",
                "labels": folder / "labels.csv",
                "partitions": partitions,
            },
            "images": {"width": 16, "height": 16},
        }

    return given


@pytest.fixture(scope="session")
def finished(
    sections: Callable[[int], Sections], build_once: Callable[[str, Sections], Path]
) -> Callable[[int], Dataset]:
    """Give a finished dataset with so many partitions, which tests only look at."""

    def given(partitions: int) -> Dataset:
        directory = build_once(f"finished-with-{partitions}-partitions", sections(partitions))
        return Dataset(directory, directory.parents[1] / "settings.cfg")

    return given


@pytest.fixture
def begun(sections: Callable[[int], Sections], settings_file: Any) -> Callable[[int], Dataset]:
    """Give a dataset with so many partitions of which nothing is there."""

    def given(partitions: int) -> Dataset:
        settings = settings_file(sections(partitions), f"{partitions}/settings.cfg")
        return Dataset(settings.parent / "out" / "sample", settings)

    return given


@pytest.fixture
def copied(finished: Callable[[int], Dataset], begun: Callable[[int], Dataset]) -> Callable[[int], Dataset]:
    """Give a finished dataset with so many partitions, to be damaged."""

    def given(partitions: int) -> Dataset:
        copy = begun(partitions)
        shutil.copytree(finished(partitions).directory, copy.directory)
        return copy

    return given


@pytest.fixture
def lacking(copied: Callable[[int], Dataset]) -> Callable[[int], Dataset]:
    """Give a dataset with so many partitions, finished but for a shard."""

    def given(partitions: int) -> Dataset:
        dataset = copied(partitions)
        (dataset.directory / "16x16" / "train" / "shard-000000.tar").unlink()
        return dataset

    return given


def test_a_finished_dataset_is_drawn_up_with_a_look_at_each_file(finished: Callable[[int], Dataset]) -> None:
    dataset = finished(MANY)
    opened, asked = dataset.looks("open"), dataset.looks("os.stat")
    receipts = {
        path: opened.pop(path)
        for path in list(opened)
        if path.startswith("16x16/records") and "receipt" in path
    }
    shards = {str(path.relative_to(dataset.directory)) for path in dataset.directory.rglob("*.tar")}

    assert len(receipts) == 3 * MANY
    assert set(receipts.values()) == {1}
    assert max(opened.values()) <= 2  # the settings stored, which are held against those of the process
    assert {path: asked[path] for path in shards} == dict.fromkeys(shards, 1)


@pytest.mark.parametrize("how", ["open", "os.stat"])
@pytest.mark.parametrize("state", ["finished", "lacking", "begun"])
def test_twice_the_partitions_take_at_most_twice_the_looks(
    state: str, how: str, request: pytest.FixtureRequest
) -> None:
    dataset: Callable[[int], Dataset] = request.getfixturevalue(state)
    few, many = (
        # How many shards there are depends on chance as well.
        sum(count for path, count in dataset(partitions).looks(how).items() if not path.endswith(".tar"))
        for partitions in (FEW, MANY)
    )
    assert many <= 2 * few


@pytest.mark.parametrize("state", ["finished", "begun"])
def test_no_source_is_looked_into_for_that(
    state: str, sections: Callable[[int], Sections], request: pytest.FixtureRequest
) -> None:
    dataset: Callable[[int], Dataset] = request.getfixturevalue(state)
    images = str(sections(FEW)["folder"]["images"])
    told = dataset(FEW).told(DRAW_UP)
    assert [path for path in told["open"] if path.startswith(images)] == []
    # Whether it has changed shows from outside, once for each folder.
    assert {path: count for path, count in told["os.stat"].items() if path.startswith(images)} in (
        {},
        {images: 1},
        {images: 2},
    )


def test_a_process_misses_whatever_is_deleted_while_it_goes_on(copied: Callable[[int], Dataset]) -> None:
    dataset = copied(FEW)
    files = {
        name
        for path in dataset.directory.rglob("*")
        if path.is_file() and not (name := str(path.relative_to(dataset.directory))).startswith("logs/")
    }
    missed = dataset.told(MISS, *(dataset.directory / name for name in sorted(files)))
    # Of the sources, which may have thousands of folders, what was seen is believed for longer.
    assert files - {name.removeprefix(f"{dataset.directory}/") for name in missed} == {
        name for name in files if name.startswith("sightings/") and name != "sightings/inputs.json"
    }


def test_a_process_notices_whatever_is_changed_while_it_goes_on(copied: Callable[[int], Dataset]) -> None:
    dataset = copied(FEW)
    folder = dataset.directory / "16x16"
    shard, receipt = folder / "train" / "shard-000000.tar", folder / "records/train/folder/000.receipt.json"
    dataset.told(CHANGE, shard, receipt)
