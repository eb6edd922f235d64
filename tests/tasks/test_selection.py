"""Selection, near-duplicates and index as stages of a build."""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tol_luigi import Dataset, settings_from
from tol_luigi.command.select import remove, select
from tol_luigi.command.status import build_status
from tol_luigi.core.copying import SampleRef, copy_samples
from tol_luigi.core.errors import DamagedError, DatasetError, SettingsError
from tol_luigi.core.layout import Layout
from tol_luigi.core.shards import ShardReader
from tol_luigi.dataset.exports.run import export
from tol_luigi.dataset.report_data import catalog_data
from tol_luigi.features.coresets import rounded, spread_out
from tol_luigi.features.near_duplicates import (
    described_clusters,
    find_clusters,
    read_hashes,
    write_near_duplicates,
)
from tol_luigi.tasks.selection import SelectSamples
from tol_luigi.tasks.selection_settings import other_selections

Build = Callable[..., Any]

GRID = """
import numpy as np
from tol_luigi.features.extractor import Extractor, Vector
from tol_luigi.features.registry import register

@register("grid")
class Grid(Extractor):
    vectors = (Vector("colours", 48),)

    def prepare(self, sample):
        return np.asarray(sample.image.resize((4, 4)), np.float32).ravel()

    def run(self, batch, before):
        return {"colours": np.stack(batch)}
"""

SETTINGS = {
    "dataset": {"root": "out", "tag": "sample", "val_percent": 10, "train_small_percent": 15},
    "features": {"extractors": "hash\n grid", "files": "grid.py"},
    "filter": {"rules": "odd = dhash64 & 1 = 1"},
    "select": {
        "name": "balanced",
        "most_per_species": 2,
        "method": "diverse",
        "vector": "grid/colours",
    },
}
SPECIES = {"Apis_mellifera": 12, "Rosa_canina": 12, "Bombus_terrestris": 2}

STAGES = ["CatalogSelection", "SelectSamples", "WriteManifest", "WriteSelection"]


def draw(folder: Path) -> None:
    """Draw a few images of each species."""
    rng = np.random.default_rng(0)
    for name, count in SPECIES.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
            image = Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST)
            image.save(folder / name / f"{number}.png")


@pytest.fixture
def configure(once: Callable[..., Path], settings_file: Callable[..., Path]) -> Callable[..., Path]:
    """Write the settings; keyword arguments replace keys of ``[select]``, ``rights`` those of ``[rights]``."""
    # One file for all tests: a process registers the extractors of a file once.
    extractors = once("selection-extractors", lambda folder: (folder / "grid.py").write_text(GRID, "utf-8"))
    images = {"imagefolder": {"images": once("selection-images", draw), "partitions": 2}}

    def written(rights: dict[str, str] | None = None, **select: Any) -> Path:
        given = {"select": SETTINGS["select"] | select, "rights": rights or {}}
        given["features"] = SETTINGS["features"] | {"files": extractors / "grid.py"}
        return settings_file(SETTINGS | images | given)

    return written


@pytest.fixture
def attempt(configure: Callable[..., Path], build: Build) -> Build:
    """Build, or run another task, with a selection; keyword arguments replace keys of ``[select]``."""
    return lambda task="BuildCatalog", **select: build(configure(**select), task=task)


@pytest.fixture
def built(copy_of_build: Callable[..., Path], attempt: Build) -> Path:
    """A dataset with a selection, in the test's folder."""
    return copy_of_build("selection-build", attempt)


def states(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "224x224/selections/balanced/selection.parquet").to_pylist()
    return {row["id"]: row["state"] for row in rows}


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


def test_its_attributions_and_indexes_are_those_of_a_split(
    built: Path, samples: Callable[[Path, str], dict[str, dict[str, bytes]]]
) -> None:
    shards = built / "224x224"
    ids = list(samples(built, "balanced"))
    of_train = csv_rows(shards / "attribution/train.csv")
    found = csv_rows(shards / "attribution/balanced.csv")
    assert [row["id"] for row in found] == ids
    assert found == [row for row in of_train if row["id"] in ids]
    sizes = json.loads((shards / "balanced/sizes.json").read_text())
    parts = [shards / f"attribution/balanced/{name.removesuffix('.tar')}.csv" for name in sizes]
    assert sorted(sizes) == sorted(path.name for path in (shards / "balanced").glob("*.tar"))
    assert [row for part in parts for row in csv_rows(part)] == found
    assert list(sizes.values()) == [len(csv_rows(part)) for part in parts]
    wids = json.loads((shards / "balanced/wids.json").read_text())
    assert [(one["url"], one["nsamples"], one["filesize"]) for one in wids["shardlist"]] == [
        (name, count, (shards / "balanced" / name).stat().st_size) for name, count in sizes.items()
    ]
    listed = json.loads((built / "manifest.json").read_text())["files"]
    assert {"224x224/attribution/balanced.csv", "224x224/balanced/wids.json"} <= set(listed)


def test_of_each_species_those_are_chosen_whose_vectors_are_farthest_from_each_other(built: Path) -> None:
    shards = built / "224x224"
    vectors = {}
    for table in sorted((shards / "features/grid/train").glob("*.parquet")):
        keys = pq.read_table(table, columns=["key"])["key"].to_pylist()
        vectors |= dict(zip(keys, np.load(table.with_suffix(".colours.npy")), strict=True))
    ranks = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
    found, species = states(built), dict[tuple[str, ...], list[str]]()
    for row in pq.read_table(shards / "catalog.parquet").to_pylist():
        if row["split"] == "train" and not found[row["treeoflife_id"]].startswith("filtered:"):
            species.setdefault(tuple(row[rank] for rank in ranks), []).append(row["treeoflife_id"])
    assert max(map(len, species.values())) > 3
    for ids in map(sorted, species.values()):
        chosen = spread_out(rounded(np.stack([vectors[id_] for id_ in ids])), 2).chosen
        expected = {ids[row] for row in chosen} if len(ids) > 2 else set(ids)
        assert {id_ for id_ in ids if found[id_] == "selected"} == expected


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


def test_it_is_exported_by_its_name(built: Path, tmp_path: Path) -> None:
    done = export(Dataset.open(built), "parquet", tmp_path / "exported", splits=["balanced"])
    rows = pq.read_table(tmp_path / "exported" / "data").to_pylist()
    catalog = pq.read_table(built / "224x224/selections/balanced/catalog.parquet").to_pylist()

    assert done.samples == len(rows) == len(catalog) > 0
    assert [(row["treeoflife_id"], row["species"]) for row in rows] == [
        (row["treeoflife_id"], row["species"] or "") for row in catalog
    ]


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
    (built / "224x224/selections/old").mkdir()
    finished = attempt("VerifyDataset")
    assert finished.returncode != 0
    assert f"{shard}: " in finished.stderr
    report = json.loads((built / "224x224/verification-report.json").read_text(encoding="utf-8"))
    (note,) = report["notes"]
    assert note.startswith("The selection old is not that of [select] name")
    assert "tol select --remove old" in note


def test_the_report_shows_a_pair_of_each_cluster_of_near_duplicates(built: Path, tmp_path: Path) -> None:
    layout, table = Layout.of(built, 224, 224), tmp_path / "near.parquet"
    read = read_hashes((path, None) for path in sorted((built / "224x224/features").glob("hash/*/*.parquet")))
    looks = read.looks.copy()
    looks[1:10:2] = looks[0:10:2] ^ np.uint64(3)  # no two drawings look alike, so some are given such hashes
    hashed = replace(read, looks=looks, is_plain=np.zeros(len(looks), bool))
    rows = described_clusters(hashed, find_clusters(hashed, 2), layout.catalog)
    write_near_duplicates(table, rows)
    data = catalog_data(layout, ["imagefolder"], [], 100, lambda _: None, near_duplicates=table)

    clusters = {row["id"]: row["cluster"] for row in rows.to_pylist()}
    kept = {row["id"] for row in rows.to_pylist() if row["keep"]}
    pairs = [group.thumbnails for group in data.groups if group.kind == "near"]
    shown = [[data.thumbnails[number].fields["id"] for number in pair] for pair in pairs]
    assert sorted(clusters[one] for one, _ in shown) == sorted(set(clusters.values()))
    assert all(one in kept and other not in kept and clusters[one] == clusters[other] for one, other in shown)
    assert len(shown) == 5
    assert all(group.name.startswith("2 bits apart; ") for group in data.groups if group.kind == "near")


def test_an_image_has_its_state_in_each_selection(built: Path) -> None:
    dataset = Dataset.open(built)
    rows = pq.read_table(built / "224x224/selections/balanced/selection.parquet").to_pylist()
    by_state = {row["state"]: row for row in rows}
    assert set(by_state) == {"selected", "filtered:odd", "surplus"}
    for state, row in by_state.items():
        (trace,) = dataset.explain(row["id"])
        (found,) = trace.selections
        kind, _, rule = state.partition(":")
        expected = {"name": "balanced", "state": kind, "rule": rule, "score": row["score"]}
        assert {key: value for key, value in found.items() if key != "shard"} == expected
        if shard := found["shard"]:
            assert (shard["split"], shard["is_there"]) == ("balanced", True)
            assert row["id"] in {key for key, _ in ShardReader(Path(shard["path"]))}
        assert (found["shard"] is None) == (state != "selected")
    texts = {state: " ".join(str(dataset.explain(row["id"])[0]).split()) for state, row in by_state.items()}
    assert "selection balanced: selected" in texts["selected"]
    assert "selection balanced: dropped by the rule odd" in texts["filtered:odd"]
    assert "more samples than [select] most_per_species" in texts["surplus"]
    val = next(iter(dataset.catalog.batches(["treeoflife_id"], split="val")))["treeoflife_id"][0].as_py()
    assert dataset.explain(val)[0].selections == []
    table = built / "224x224/selections/balanced/selection.parquet"
    table.write_bytes(table.read_bytes()[:1000])
    with pytest.raises(DamagedError, match=r"selections: it cannot be read"):
        dataset.explain(rows[0]["id"])


def test_a_selection_of_another_name_stays_until_it_is_removed(
    built: Path, attempt: Build, configure: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert attempt(name="other").returncode == 0
    files = json.loads((built / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert {name.split("/")[2] for name in files if name.startswith("224x224/selections/")} == {"other"}
    assert len(list((built / "224x224/balanced").glob("*.tar"))) == 2
    for strange in ("\x1b[31mred", "..hidden", "A name"):  # not of ours, and not to be shown in a terminal
        (built / "224x224/selections" / strange).mkdir()
    with settings_from(configure(name="other")) as settings:
        (note,) = (note for note in build_status(settings.layout)[0].notes if "selection balanced" in note)
        assert "tol select --remove balanced" in note
        for name, reason in (
            ("other", "which tol build would write again"),
            ("../train", "Name one of these"),
        ):
            with pytest.raises(SettingsError, match=reason):
                remove(Namespace(remove=name))
        assert remove(Namespace(remove="balanced")) == 0
        assert capsys.readouterr().out == "The selection balanced is removed.\n"
        assert other_selections(settings) == []
    assert list(built.rglob("balanced*")) == []
    assert {path.name for path in (built / "224x224/records").iterdir()} >= {"train", "other"}


def test_a_dry_run_needs_what_tol_features_builds(
    built: Path, attempt: Build, configure: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run = Namespace(dry_run=True, json=True)
    (built / "224x224/features/near-duplicates.parquet").unlink()
    with (
        settings_from(configure()),
        pytest.raises(DatasetError, match=r"FindNearDuplicates is not complete.* Run tol features first"),
    ):
        select(dry_run)
    assert attempt("BuildFeatures").ran == ["FindNearDuplicates", "BuildFeatures"]
    with settings_from(configure()):
        assert select(dry_run) == 0
    figures = json.loads(capsys.readouterr().out)
    report = json.loads((built / "224x224/selections/balanced/report.json").read_text(encoding="utf-8"))
    assert {key: value for key, value in figures.items() if key != "true"} == report
    assert report["compared"]["method"] == "diverse"


def test_a_selection_without_samples_is_one_line(built: Path, configure: Callable[..., Path]) -> None:
    nothing = {"name": "nothing", "least_per_species": 100, "most_per_species": 200}
    with (
        settings_from(configure(**nothing)),
        pytest.raises(
            SettingsError, match=r"^\[filter\], \[select\]: no sample of train is selected\. Change"
        ),
    ):
        SelectSamples().make()
    assert not (built / "224x224/nothing").exists()


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
        (
            {"method": "order_by", "vector": "", "order_by": "sharpness"},
            "[select] order_by = sharpness: there is no column sharpness",
        ),
        ({"vector": "grid/tones"}, "[select] vector = grid/tones: no extractor computes this vector"),
        ({"vector": ""}, "[select] method = diverse: it compares vectors, but [select] vector is empty"),
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


def test_an_image_that_is_taken_down_leaves_features_and_selections(
    built: Path,
    configure: Callable[..., Path],
    build: Build,
    samples: Callable[[Path, str], dict[str, dict[str, bytes]]],
    tmp_path: Path,
) -> None:
    gone = min(id_ for id_, state in states(built).items() if state == "selected")
    (tmp_path / "list.csv").write_text(f"id\n{gone}\n", encoding="utf-8")

    # the selection "balanced" is one of earlier settings now, which no stage writes again
    ended = build(configure({"takedowns": "list.csv"}, name="next"))

    assert ended.returncode == 0, ended.stderr
    shards = built / "224x224"
    assert not any("balanced" in path.name for path in (*shards.iterdir(), *shards.glob("selections/*")))
    assert samples(built, "next")
    assert all(gone not in samples(built, split) for split in ("train", "val", "train_small", "next"))
    tables = sorted(shards.glob("features/**/*.parquet"))
    named = [path for path in tables if gone in pq.read_table(path).to_pandas().to_numpy(str)]
    assert (len(tables) > 4, named) == (True, [])
    for path in shards.glob("features/**/*.npy"):
        table = path.with_name(f"{path.name.partition('.')[0]}.parquet")
        assert len(np.load(path)) == pq.read_metadata(table).num_rows
