"""Images with the same bytes are told of, or left out, whatever source they come from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Sections = dict[str, dict[str, Any]]
Rows = list[dict[str, Any]]
Digests = Callable[..., dict[str, str]]

CROW = "10998_Animalia_Chordata_Aves_Passeriformes_Corvidae_Corvus_corax"
INSECT, ROSE = "Animalia,Arthropoda,Insecta,,,,", "Plantae,,,,Rosaceae,Rosa,"
ORDER = ["bioscan", "inat21", "folder"]
BENCHMARK = "BIOUG99000-A01.jpg"


def fill(folder: Path, sample: Path) -> None:
    """Put all photographs of one source into two others as well; some are broken, or there thrice."""
    photographs = sorted((sample / "bioscan").glob("*/*.jpg"))
    inat21, mine = folder / "inat21" / CROW, folder / "mine"
    for made in (inat21, mine):
        made.mkdir(parents=True)
    lines = ["file,kingdom,phylum,class,order,family,genus,species"]
    for number, photograph in enumerate(photographs):
        shutil.copyfile(photograph, mine / f"{number}.jpg")
        lines.append(f"{number}.jpg,{ROSE if number % 2 else INSECT}")
    for number, photograph in enumerate(photographs[::3]):
        shutil.copyfile(photograph, inat21 / f"{number}.jpg")
    for name in ("broken-1.jpg", "broken-2.jpg"):
        (mine / name).write_bytes(b"no picture")
        lines.append(f"{name},{ROSE}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "seen.json").write_text(json.dumps({"An insect": [BENCHMARK]}), encoding="utf-8")


@pytest.fixture
def doubled(bioscan_settings: Sections, light_sample: Path, once: Any) -> Callable[[str], Sections]:
    """Three sources that share photographs; an exclusion list names one of them in the first."""
    folder: Path = once("doubled-sources", lambda folder: fill(folder, light_sample))

    def sections(setting: str) -> Sections:
        more: Sections = {
            "dataset": {**bioscan_settings["dataset"], "val_percent": 40, "train_small_percent": 50},
            "inat21": {"images": folder / "inat21", "partitions": 1},
            "folder": {"images": folder / "mine", "labels": folder / "labels.csv", "partitions": 2},
            "rare_species": {"seen": folder / "seen.json"},
            "checks": {"max_bad_percent": 50},
            "images": {"duplicates": setting},
        }
        return {**bioscan_settings, **more}

    return sections


@pytest.fixture
def built(doubled: Any, build_once: Any) -> Callable[[str], Path]:
    """Build them with a setting; tests only read what comes out."""
    return lambda setting: build_once(f"duplicates-{setting}", doubled(setting))


def catalog(directory: Path) -> Rows:
    rows: Rows = pq.read_table(directory / "224x224" / "catalog.parquet").to_pylist()
    return rows


def precedence(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["split"] != "val", ORDER.index(row["source"]), row["treeoflife_id"]


def groups(rows: Rows) -> dict[str, Rows]:
    """Put the images of train and val that share their bytes together, in the order of the rule."""
    found: dict[str, Rows] = defaultdict(list)
    for row in sorted(rows, key=precedence):
        if row["split"] != "train_small":
            found[row["sha256"]].append(row)
    return {sha256: group for sha256, group in found.items() if len(group) > 1}


def report(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((directory / "224x224" / "duplicates-report.json").read_text())
    return read


def test_flagged_duplicates_are_all_there_and_name_the_first_of_theirs(built: Any) -> None:
    rows = catalog(built("flag"))
    first = {
        row["treeoflife_id"]: group[0]["treeoflife_id"] for group in groups(rows).values() for row in group
    }
    assert len(first) > 30
    for row in rows:
        expected = first.get(row["treeoflife_id"])
        assert row["duplicate_of"] == (None if expected == row["treeoflife_id"] else expected)
    assert {row["split"] for row in rows if row["duplicate_of"]} == {"train", "val", "train_small"}


def test_the_table_of_duplicates_has_each_image_that_shares_its_bytes_once(built: Any) -> None:
    directory = built("flag")
    table = pq.read_table(directory / "224x224" / "duplicates.parquet").to_pylist()
    expected = [
        (
            sha256,
            group[0]["treeoflife_id"],
            row["treeoflife_id"],
            row["split"],
            row["source"],
            row["partition"],
        )
        for sha256, group in sorted(groups(catalog(directory)).items())
        for row in group
    ]
    columns = ("sha256", "first", "id", "split", "source", "partition")
    assert [tuple(row[name] for name in columns) for row in table] == expected


def test_the_report_counts_what_the_catalog_shows(built: Any) -> None:
    directory = built("flag")
    found, told = list(groups(catalog(directory)).values()), report(directory)
    crossing = [group for group in found if len({row["split"] for row in group}) > 1]
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    differing = [group for group in found if len({tuple(row[rank] for rank in ranks) for row in group}) > 1]
    pairs = Counter[str]()
    for group in found:
        counts = Counter(row["source"] for row in group)
        pairs.update(
            f"{one} and {other}"
            for index, one in enumerate(ORDER)
            for other in ORDER[index:]
            if counts[one] > (one == other) and counts[other]
        )
    assert crossing
    assert told["groups"] == len(found)
    assert told["images"] == sum(map(len, found))
    assert told["groups_with_different_labels"] == len(differing) > 0
    assert told["groups_by_sources"] == dict(pairs)
    assert told["in_val_and_train"]["groups"] == len(crossing)
    val = sum(row["split"] == "val" for group in crossing for row in group)
    assert told["in_val_and_train"]["images_of_val"] == val
    text = (directory / "224x224" / "duplicates-report.txt").read_text(encoding="utf-8")
    assert f"groups in both val and train: {len(crossing)}\n" in text


def test_of_dropped_duplicates_one_stays_by_the_rule_and_the_others_say_which(
    built: Any, ledger: Callable[[Path], Rows]
) -> None:
    flagged, directory = catalog(built("flag")), built("drop")
    written = {row["treeoflife_id"] for row in catalog(directory)}
    rows = {row["id"]: row for row in ledger(directory)}
    for group in groups(flagged).values():
        stays, *others = [row["treeoflife_id"] for row in group]
        assert stays in written
        assert not written & set(others)
        reason = f"exact duplicate of {stays}, which is kept"
        assert {(rows[image]["state"], rows[image]["reason"]) for image in others} == {("duplicate", reason)}
    singles = {row["treeoflife_id"] for row in flagged if row["sha256"] not in groups(flagged)}
    assert singles <= written
    assert groups(catalog(directory)) == {}
    assert not any(row["duplicate_of"] for row in catalog(directory))


def test_no_image_of_val_is_in_train_where_duplicates_are_dropped(built: Any) -> None:
    before, after = catalog(built("flag")), catalog(built("drop"))
    contents = {
        split: {row["sha256"] for row in after if row["split"] == split} for split in ("val", "train")
    }
    assert not contents["val"] & contents["train"]
    assert contents["val"] == {row["sha256"] for row in before if row["split"] == "val"}


def test_the_copy_of_a_benchmark_image_stays_as_that_image_takes_no_part(
    built: Any, light_sample: Path
) -> None:
    (benchmark,) = (light_sample / "bioscan").glob(f"*/{BENCHMARK}")
    sha256 = hashlib.sha256(benchmark.read_bytes()).hexdigest()
    rows = [
        row for row in catalog(built("drop")) if row["sha256"] == sha256 and row["split"] != "train_small"
    ]
    assert [row["source"] != "bioscan" for row in rows] == [True]


def test_of_broken_files_one_is_told_of_as_broken(built: Any, ledger: Callable[[Path], Rows]) -> None:
    ends = {
        setting: sorted(row["state"] for row in ledger(built(setting)) if row["name"].startswith("broken"))
        for setting in ("flag", "drop")
    }
    assert ends == {"flag": ["unreadable", "unreadable"], "drop": ["duplicate", "unreadable"]}


def test_the_samples_that_stay_are_the_same_bytes_as_with_the_others_beside_them(
    built: Any, samples: Any
) -> None:
    for split in ("train", "val", "train_small"):
        flagged, dropped = samples(built("flag"), split), samples(built("drop"), split)
        assert dropped == {image: flagged[image] for image in dropped}
        assert dropped


def test_where_duplicates_are_kept_nothing_is_said_of_them(built: Any, digests: Digests) -> None:
    kept, flagged = built("keep"), built("flag")
    assert not any(row["duplicate_of"] for row in catalog(kept))
    assert list(kept.rglob("*duplicates*")) == []
    for pattern in ("224x224/*/*.tar", "224x224/catalog.csv", "predicted-catalog.parquet"):
        assert digests(kept, pattern) == digests(flagged, pattern)


@pytest.mark.parametrize("setting", ["flag", "drop"])
def test_every_file_is_the_same_with_more_workers_and_sources_in_another_order(
    *,
    setting: str,
    built: Any,
    doubled: Any,
    settings_file: Any,
    build: Any,
    digests: Digests,
    tmp_path: Path,
) -> None:
    sections = doubled(setting)
    for source in ("inat21", "folder", "bioscan"):
        place, target = sections[source]["images"], tmp_path / "elsewhere" / source
        for path in sorted(place.rglob("*.jpg"), reverse=True):
            copy = target / path.relative_to(place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        sections[source]["images"] = target
    settings = settings_file(sections)
    finished = build(settings, "--workers", "3")
    assert finished.returncode == 0, finished.stderr
    directory = settings.parent / "out" / "sample"
    assert digests(directory) == digests(built(setting))
    leak = [line for line in finished.stdout.splitlines() if "also in train (exact duplicates" in line]
    assert len(leak) == (setting == "flag")
    if leak:
        assert leak[0].startswith(
            f"{report(directory)['in_val_and_train']['images_of_val']} images of val are"
        )
        assert str(directory / "224x224" / "duplicates-report.txt") in leak[0]
    again = build(settings)
    assert (again.returncode, again.ran) == (0, [])
    sections["images"]["duplicates"] = "keep"
    refused = build(settings_file(sections))
    assert refused.returncode == 40
    assert f"images.duplicates was {setting}, is keep" in refused.messages[0]


def test_a_dataset_without_duplicates_verifies_and_is_repaired(
    *, built: Any, doubled: Any, settings_file: Any, build: Any, digests: Digests
) -> None:
    settings = settings_file(doubled("drop"))
    directory = settings.parent / "out" / "sample"
    shutil.copytree(built("drop"), directory)
    shards = [directory / "224x224" / split / "shard-000000.tar" for split in ("train", "train_small")]
    for shard in shards:
        shard.write_bytes(shard.read_bytes()[:-1])
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    # What is copied out of the shard of train is looked at again, too.
    assert sum(task.startswith("WriteShards") for task in finished.ran) in {len(shards), len(shards) + 1}
    assert digests(directory) == digests(built("drop"))
    luigi = Path(sys.executable).with_name("luigi")
    verified = subprocess.run(
        [luigi, "--module", "tol_luigi", "VerifyDataset", "--local-scheduler"],
        cwd=settings.parent,
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert verified.returncode == 0, verified.stderr
    assert "no findings" in verified.stdout


@pytest.mark.parametrize(
    ("setting", "name", "first"),
    [
        ("flag", "224x224/duplicates.parquet", "FindDuplicates"),
        ("flag", "224x224/duplicates-report.txt", "FindDuplicates"),
        ("drop", "224x224/duplicates-report.json", "FindDuplicates"),
        ("drop", "hashes/inat21/000.parquet", "HashPartition"),
        ("drop", "predicted-catalog.parquet", "PredictCatalog"),
    ],
)
def test_a_file_that_was_deleted_is_made_again(
    *,
    setting: str,
    name: str,
    first: str,
    built: Any,
    doubled: Any,
    settings_file: Any,
    build: Any,
    digests: Digests,
) -> None:
    settings = settings_file(doubled(setting))
    directory = settings.parent / "out" / "sample"
    shutil.copytree(built(setting), directory)
    for path in (name, "224x224/train/shard-000000.tar"):
        (directory / path).unlink()
    finished = build(settings)
    assert finished.returncode == 0, finished.stderr
    assert first in {task.split()[0] for task in finished.ran}
    assert digests(directory) == digests(built(setting))
