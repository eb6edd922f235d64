"""Same inputs and settings give the same bytes, however and wherever they are built."""

from __future__ import annotations

import csv
import shutil
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]
Read = Callable[[Path, str], dict[str, dict[str, bytes]]]

SOURCES = ("eol", "bioscan", "inat21")


@pytest.fixture
def own_settings(sample_settings: Sections) -> Sections:
    """The sample with ids and splits of our own making, and with the page, as ``own_build``."""
    del sample_settings["published"]
    return {**sample_settings, "report": {"page": True}}


@pytest.fixture
def build_here(settings_file: Any, build: Any) -> Callable[..., Path]:
    """Build sections in the test's folder, and give the folder of the dataset."""

    def run(sections: Sections, *arguments: str, **options: Any) -> Path:
        settings: Path = settings_file(sections)
        finished = build(settings, *arguments, **options)
        assert finished.returncode == 0, finished.stderr
        return settings.parent / str(sections["dataset"]["root"]) / str(sections["dataset"]["tag"])

    return run


def copied(place: Path, target: Path) -> Path:
    """Copy a file, or a folder with its files made in reversed order, with other times."""
    if place.is_file():
        shutil.copyfile(place, target)
        return target
    target.mkdir(parents=True)
    for entry in sorted(place.iterdir(), reverse=True):
        copied(entry, target / entry.name)
    return target


@pytest.mark.parametrize(
    ("arguments", "threads", "hash_seed"),
    [
        pytest.param([], 3, "1", id="three threads, and another hash seed of Python"),
        pytest.param(
            ["--workers", "3"], 1, "4294967295", id="three workers, and a third hash seed of Python"
        ),
    ],
)
def test_every_file_is_the_same_with(
    *,
    arguments: list[str],
    threads: int,
    hash_seed: str,
    own_build: Path,
    own_settings: Sections,
    build_here: Any,
    digests: Digests,
) -> None:
    with_threads = {**own_settings, "images": {**own_settings.get("images", {}), "threads": threads}}
    directory = build_here(with_threads, *arguments, env={"PYTHONHASHSEED": hash_seed})
    assert digests(directory) == digests(own_build)


def test_every_file_is_the_same_when_the_sources_lie_elsewhere_in_another_order(
    own_build: Path, own_settings: Sections, build_here: Any, digests: Digests, tmp_path: Path
) -> None:
    for source in SOURCES:
        own_settings[source]["images"] = copied(
            own_settings[source]["images"], tmp_path / "elsewhere" / source
        )
    own_settings["dataset"]["root"] = tmp_path / "another" / "root"
    assert digests(build_here(own_settings)) == digests(own_build)


def count_splits(directory: Path, source: str) -> tuple[int, int, int]:
    with closing(sqlite3.connect(directory / "mapping.sqlite")) as mapping:
        images, val, small, both = mapping.execute(
            "SELECT count(*), sum(is_val), sum(is_train_small), sum(is_val AND is_train_small) "  # noqa: S608 (our own name)
            f"FROM {source} JOIN split USING (evobio10m_id)"
        ).fetchone()
    assert both == 0
    return images, val, small


@pytest.mark.parametrize("source", SOURCES)
def test_the_splits_of_a_source_have_the_counts_of_the_formula(source: str, own_build: Path) -> None:
    images, val, small = count_splits(own_build, source)
    assert images == {"eol": 151, "bioscan": 18, "inat21": 114}[source]
    assert val == images * 5 // 100
    assert small == (images - val) * 10 // 100


@pytest.mark.parametrize(
    ("val_percent", "train_small_percent", "counts"),
    [
        pytest.param(10, 15, (18, 1, 2), id="18 images, 10 percent val, 15 percent of the rest small"),
        pytest.param(100, 100, (18, 18, 0), id="everything val"),
        pytest.param(0, 100, (18, 0, 18), id="nothing val, everything small"),
    ],
)
def test_the_splits_have_the_counts_of_the_formula_with(
    *,
    val_percent: int,
    train_small_percent: int,
    counts: tuple[int, int, int],
    bioscan_settings: Sections,
    build_here: Any,
    samples: Read,
) -> None:
    bioscan_settings["dataset"] |= {"val_percent": val_percent, "train_small_percent": train_small_percent}
    directory = build_here(bioscan_settings)
    assert count_splits(directory, "bioscan") == counts
    written = {split: len(samples(directory, split)) for split in ("train", "val", "train_small")}
    images, val, small = counts
    assert written == {"train": images - val, "val": val, "train_small": small}


def test_another_seed_gives_other_splits(bioscan_settings: Sections, build_here: Any, samples: Read) -> None:
    bioscan_settings["dataset"] |= {"val_percent": 50}
    first = build_here(bioscan_settings)
    bioscan_settings["dataset"] |= {"tag": "other", "seed": 18}
    second = build_here(bioscan_settings)
    assert set(samples(first, "val")) != set(samples(second, "val"))
    assert count_splits(first, "bioscan") == count_splits(second, "bioscan")


def shipped_files(directory: Path) -> list[str]:
    with (directory / "224x224" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    return [f"part{row['bioscan_part']}/{row['bioscan_filename']}" for row in rows]


def test_the_order_of_the_source_holds_the_same_samples_as_the_shuffled_one(
    bioscan_settings: Sections, build_here: Any, samples: Read, digests: Digests
) -> None:
    bioscan_settings["bioscan"]["partitions"] = 1
    shuffled = build_here(bioscan_settings)
    bioscan_settings["dataset"]["tag"] = "in-order"
    bioscan_settings["shards"] = {"order": "source"}
    in_order = build_here(bioscan_settings)
    for split in ("train", "val", "train_small"):
        assert samples(in_order, split) == samples(shuffled, split)
    assert digests(in_order, "224x224/train/*") != digests(shuffled, "224x224/train/*")
    assert sorted(shipped_files(shuffled)) == sorted(shipped_files(in_order))
    assert shipped_files(shuffled) != shipped_files(in_order)
    assert shipped_files(in_order) == sorted(shipped_files(in_order))


def test_small_shards_hold_equal_counts_and_the_same_samples(
    bioscan_settings: Sections, build_here: Any, samples: Read
) -> None:
    bioscan_settings["bioscan"]["partitions"] = 1
    large = build_here(bioscan_settings)
    bioscan_settings["dataset"]["tag"] = "small"
    bioscan_settings["shards"] = {"max_samples": 5}
    small = build_here(bioscan_settings)
    assert samples(small, "train") == samples(large, "train")
    shards = sorted((small / "224x224" / "train").glob("*.tar"))
    assert [path.name for path in shards] == [f"shard-{number:06d}.tar" for number in range(4)]
    counts = []
    for path in shards:
        with tarfile.open(path) as tar:
            counts.append(sum(name.endswith(".jpg") for name in tar.getnames()))
    assert sum(counts) == 17
    assert set(counts) == {4, 5}


@pytest.fixture
def folders_settings(own_settings: Sections) -> Sections:
    """The two sources that come as folders, dealt to as many partitions as an archive of them would be."""
    del own_settings["eol"], own_settings["rare_species"]
    own_settings["bioscan"]["partitions"] = 3
    return own_settings


@pytest.fixture
def folders_build(build_once: Any, folders_settings: Sections) -> Path:
    directory: Path = build_once("folders-build", folders_settings)
    return directory


def files_below(folder: Path) -> list[Path]:
    """Give files in an order that is not that of their names, as archives have them."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name[::-1])


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_archives_give_the_same_shards_as_folders_when_inat21_is_a(
    *,
    ending: str,
    folders_build: Path,
    folders_settings: Sections,
    build_here: Any,
    digests: Digests,
    tmp_path: Path,
) -> None:
    train, parts = folders_settings["inat21"]["images"] / "train", folders_settings["bioscan"]["images"]
    inat21, bioscan = tmp_path / f"train{ending}", tmp_path / "cropped_256.zip"
    with tarfile.open(inat21, "w:gz" if ending == ".tar.gz" else "w") as tar:
        for path in files_below(train):
            tar.add(path, f"train/{path.relative_to(train)}")
    with zipfile.ZipFile(bioscan, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_below(parts):
            archive.write(path, f"bioscan/images/cropped_256/{path.relative_to(parts)}")
    folders_settings["inat21"]["images"] = inat21
    folders_settings["bioscan"]["images"] = bioscan
    directory = build_here(folders_settings)
    for pattern in ("224x224/*/*.tar", "224x224/catalog.*[tv]", "predicted-catalog.csv", "metadata/*.json"):
        found = digests(directory, pattern)
        assert found
        assert found == digests(folders_build, pattern)
