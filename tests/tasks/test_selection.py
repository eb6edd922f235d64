"""Selection, near-duplicates and index as stages of a build."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tol_luigi import Dataset
from tol_luigi.core.packing import SampleRef, copy_samples
from tol_luigi.core.shards import ShardReader

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., Any]

SETTINGS = {
    "features": {"extractors": "hash"},
    "filter": {"rules": "odd = dhash64 & 1 = 1"},
    "select": {"name": "balanced", "most_per_species": 2, "order_by": "width * height"},
}
STAGES = ["CatalogSelection", "SelectSamples", "WriteManifest", "WriteSelection"]


@pytest.fixture
def attempt(bioscan_settings: dict[str, Any], settings_file: Callable[..., Path], build: Build) -> Build:
    """Build, or run another task, with a selection; keyword arguments replace keys of ``[select]``."""

    def run(task: str = "BuildCatalog", **select: Any) -> Any:
        sections = bioscan_settings | SETTINGS | {"select": SETTINGS["select"] | select}
        return build(settings_file(sections), task=task)

    return run


@pytest.fixture
def built(copy_of_build: Callable[..., Path], attempt: Build) -> Path:
    """A dataset with a selection, in the test's folder."""
    return copy_of_build("selection-build", attempt)


def states(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "224x224/selections/balanced/selection.parquet").to_pylist()
    return {row["id"]: row["state"] for row in rows}


def test_the_shards_are_copies_of_the_selected_samples_and_all_sums_agree(
    built: Path, samples: Callable[[Path, str], dict[str, dict[str, bytes]]]
) -> None:
    found, shards = states(built), built / "224x224"
    selected = [id_ for id_, state in found.items() if state == "selected"]
    train = samples(built, "train")
    assert list(found) == list(train)
    assert 0 < len(selected) < len(train)
    assert samples(built, "balanced") == {id_: train[id_] for id_ in selected}

    ledgers = [
        pq.read_table(path).to_pylist() for path in sorted(shards.glob("records/balanced/*/*.parquet"))
    ]
    rows = [row for ledger in ledgers for row in ledger]
    expected = {id_: "written" if state == "selected" else state for id_, state in found.items()}
    assert {row["id"]: row["state"] for row in rows} == expected
    report = json.loads((shards / "selections/balanced/report.json").read_text(encoding="utf-8"))
    counts = Counter(found.values())
    assert report["selected"] == counts["selected"] == len(selected)
    assert report["filtered"] == {"odd": counts["filtered:odd"]}
    assert sum(counts.values()) == report["samples"] == len(train)

    catalog = pq.read_table(shards / "selections/balanced/catalog.parquet").to_pylist()
    assert [row["treeoflife_id"] for row in catalog] == selected
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    assert max(Counter(tuple(row[rank] for rank in ranks) for row in catalog).values()) <= 2
    places = {row["id"]: row for row in rows if row["state"] == "written"}
    for row in catalog:
        assert (row["split"], row["shard"], row["position"]) == (
            "balanced",
            places[row["treeoflife_id"]]["shard"],
            places[row["treeoflife_id"]]["position"],
        )


def test_the_bytes_are_those_of_a_straightforward_copy(built: Path, tmp_path: Path) -> None:
    shards, found = built / "224x224", states(built)
    for ledger in sorted(shards.glob("records/train/*/*.ledger.parquet")):
        rows = pq.read_table(ledger).to_pylist()
        receipt = json.loads(
            (
                shards
                / "records/balanced"
                / ledger.parent.name
                / ledger.name.replace("ledger.parquet", "receipt.json")
            ).read_text(encoding="utf-8")
        )
        chosen = sorted(
            (row for row in rows if found.get(row["id"]) == "selected"),
            key=lambda row: (row["shard"], row["position"]),
        )
        copies = [
            SampleRef(row["id"], shards / f"train/shard-{row['shard']:06}.tar", row["offset"], row["bytes"])
            for row in chosen
        ]
        names = [shard["name"] for shard in receipt["shards"]]
        copy_samples(copies, [tmp_path / "copied" / name for name in names])
        for name in names:
            assert (tmp_path / "copied" / name).read_bytes() == (shards / "balanced" / name).read_bytes()


def test_it_is_read_with_webdataset_and_checked_by_a_verification(built: Path, attempt: Build) -> None:
    dataset = Dataset.open(built)
    assert dataset.selections == ["balanced"]
    keys = [sample["__key__"] for sample in dataset.webdataset("balanced")]
    assert keys == [id_ for id_, state in states(built).items() if state == "selected"]
    manifest = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    shard = dataset.shards("balanced")[0]
    assert manifest["files"][shard.relative_to(built).as_posix()]["task"].startswith("WriteSelection")
    assert "224x224/features/near-duplicates.parquet" in manifest["files"]

    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    finished = attempt("VerifyDataset")
    assert finished.returncode != 0
    assert f"{shard}: " in finished.stderr


def test_a_second_build_does_nothing_and_other_limits_only_select_again(
    built: Path, attempt: Build, digests: Callable[..., dict[str, str]]
) -> None:
    before = digests(built)
    again = attempt()
    assert (again.returncode, again.ran) == (0, []), again.stderr
    assert digests(built) == before

    fewer = attempt(most_per_species=1)
    assert fewer.returncode == 0, fewer.stderr
    assert sorted({task.split()[0] for task in fewer.ran} - {"BuildCatalog"}) == STAGES
    keys = [
        key for path in sorted((built / "224x224/balanced").glob("*.tar")) for key, _ in ShardReader(path)
    ]
    assert keys == [id_ for id_, state in states(built).items() if state == "selected"]
    assert attempt().returncode == 0
    assert digests(built) == before


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ({"name": "train"}, "[select] name = train: the dataset has a folder of this name"),
        ({"order_by": "sharpness"}, "[select] order_by = sharpness: there is no column sharpness"),
        ({"name": ""}, "[filter] rules = odd = dhash64 & 1 = 1: rules drop samples from a selection, but"),
    ],
)
def test_wrong_settings_are_one_line_before_anything_runs(
    attempt: Build, tmp_path: Path, select: dict[str, Any], reason: str
) -> None:
    finished = attempt(**select)
    assert finished.returncode == 40
    (message,) = finished.messages
    assert reason in message
    assert not (tmp_path / "out").exists()
