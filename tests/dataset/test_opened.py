"""A finished dataset, read from Python: what it gives is what is in its files."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from tol_luigi import Dataset
from tol_luigi.core.errors import DatasetError, UnknownImageError

Samples = Callable[[Path, str], dict[str, dict[str, bytes]]]


def lines(dataset: Dataset, name: str) -> list[dict[str, str]]:
    with (dataset.path / "224x224" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_is_found_by_its_id_and_is_what_the_shards_hold(
    dataset: Dataset, samples: Samples
) -> None:
    held = {split: samples(dataset.path, split) for split in ("train", "val")}
    expected = held["train"] | held["val"]
    assert {image: dataset[image].members for image in dataset} == expected
    assert len(dataset) == len(expected)
    assert {dataset[image.upper()].split for image in held["val"]} == {"val"}
    assert all(image in dataset for image in expected)


def test_a_sample_tells_what_catalog_and_licences_tell(dataset: Dataset) -> None:
    licenses = {row["treeoflife_id"]: row for row in lines(dataset, "licenses.csv")}
    assert licenses
    for row in lines(dataset, "catalog.csv"):
        if row["split"] == "train_small":
            continue
        sample = dataset[row["treeoflife_id"]]
        assert sample.split == row["split"]
        assert sample.taxon == {rank: row[rank] for rank in sample.taxon}
        assert " ".join(sample.taxon.values()) == sample.texts["taxonomic_name.txt"]
        assert sample.common_name == row["common"]
        with Image.open(io.BytesIO(sample.image_file)) as image:
            assert sample.image.tobytes() == image.tobytes()
        expected = licenses.get(sample.id)
        assert (sample.license is None) == (sample.source != "eol")
        assert expected
        if sample.license and expected:
            assert (sample.license.name, sample.license.owner) == (
                expected["license_name"],
                expected["copyright_owner"],
            )


@pytest.mark.parametrize("split", ["train", "val", "train_small"])
def test_samples_come_in_the_order_of_the_shards(dataset: Dataset, split: str, samples: Samples) -> None:
    found = list(dataset.samples(split))
    expected = samples(dataset.path, split)
    assert [(sample.id, sample.members) for sample in found] == list(expected.items())
    assert {sample.split for sample in found} == {split}
    assert len(found) == dataset.splits[split]


@pytest.mark.parametrize(
    "where",
    ["class = 'Aves' and \"order\" <> ''", (pc.field("class") == "Aves") & (pc.field("order") != "")],
    ids=["sql", "arrow"],
)
def test_a_query_gives_the_samples_that_it_asks_for(dataset: Dataset, where: Any) -> None:
    birds = [
        row["treeoflife_id"]
        for row in lines(dataset, "catalog.csv")
        if row["class"] == "Aves" and row["order"] and row["split"] == "train"
    ]
    assert [sample.id for sample in dataset.samples("train", where)] == birds
    assert dataset.catalog.to_arrow(["class"], where)["class"].unique().to_pylist() == ["Aves"]


def test_the_catalog_is_the_same_in_every_form(dataset: Dataset) -> None:
    expected = pq.read_table(dataset.catalog.path)
    assert dataset.catalog.to_arrow().equals(expected)
    assert dataset.catalog.to_arrow(where="true").equals(expected)
    assert dataset.catalog.to_pandas().equals(expected.to_pandas())
    assert dataset.catalog.to_duckdb().count("*").fetchall() == [(len(expected),)]
    assert len(dataset.catalog) == len(expected)


def test_an_image_that_was_left_out_is_told_with_the_reason(dataset: Dataset) -> None:
    excluded = [
        row
        for row in pq.read_table(dataset.path / "predicted-catalog.parquet").to_pylist()
        if row["excluded"]
    ]
    assert excluded
    for row in excluded:
        assert row["treeoflife_id"] not in dataset
        with pytest.raises(UnknownImageError) as caught:
            dataset[row["treeoflife_id"]]
        assert f"{row['excluded']}, {row['exclusion']}" in str(caught.value)
        assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("image", ["00000000-0000-5000-8000-000000000000", "Alcedo atthis", "", 0])
def test_an_unknown_image_is_told_in_one_line(dataset: Dataset, image: Any) -> None:
    assert image not in dataset
    with pytest.raises(UnknownImageError, match="no image has this id") as caught:
        dataset[image]
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownImageError, match="the image is unknown"):
        dataset.explain("no-such-file.jpg")


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (
            lambda dataset: dataset.samples("trian"),
            "split 'trian': is unknown. Use one of train, val",
        ),
        (lambda dataset: dataset.webdataset("test"), "split 'test': is unknown"),
        (
            lambda dataset: list(dataset.samples("train", "clas = 'Aves'")),
            "where = clas = 'Aves': is not a condition",
        ),
        (lambda dataset: list(dataset.samples("train", "class =")), "where = class =: is not a condition"),
        (
            lambda dataset: list(dataset.samples("train", pc.field("clas") == "")),
            "is not a condition on the catalog",
        ),
        (lambda dataset: dataset.catalog.to_arrow(["clas"]), "unknown column (clas)"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_in_one_line(
    dataset: Dataset, ask: Any, what: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        ask(dataset)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_duckdb_only_sql_is_missing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)  # as if it were not installed
    with pytest.raises(
        DatasetError, match=r"^duckdb: the package is not installed\. Install it \(pip install"
    ):
        list(dataset.samples("train", "class = 'Aves'"))
    assert next(dataset.samples("train", pc.field("class") == "Aves")).taxon["class"] == "Aves"


def test_a_copy_elsewhere_gives_the_same_and_stays_as_it_is(
    dataset: Dataset, copied: Path, digests: Any, tmp_path: Path
) -> None:
    before = digests(tmp_path)
    moved = Dataset.open(copied)
    assert list(moved.samples(where="class = 'Aves'")) == list(dataset.samples(where="class = 'Aves'"))
    assert [sample["__key__"] for sample in moved.webdataset("val")] == [
        sample.id for sample in dataset.samples("val")
    ]
    image = next(iter(moved))
    assert moved[image].members == dataset[image].members
    assert moved[image].license == dataset[image].license
    assert moved.explain(image)[0].shards[0]["path"].startswith(str(copied))
    assert digests(tmp_path) == before


def read_everywhere(dataset: Dataset, image: str) -> tuple[bytes, str, int]:
    sample = dataset[image]
    return sample.image_file, sample.row["sha256"], sum(1 for _ in dataset.samples("val"))


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_other_processes_read_the_same(dataset: Dataset, method: str) -> None:
    images = list(dataset)[::30]
    here = [read_everywhere(dataset, image) for image in images]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(read_everywhere, [(dataset, image) for image in images]) == here


def test_many_threads_read_the_same(dataset: Dataset) -> None:
    images = list(dataset)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: (dataset[image].id, dataset[image].license), images))
    assert found == [(image, dataset[image].license) for image in images]


def test_a_sample_can_be_pickled(dataset: Dataset) -> None:
    sample = next(dataset.samples("val"))
    again = pickle.loads(pickle.dumps(sample))  # noqa: S301 (its own)
    assert again == sample
    assert again.row == sample.row


@pytest.mark.parametrize("shuffle", [0, 100])
def test_the_pipeline_gives_every_sample_once(dataset: Dataset, shuffle: int, samples: Samples) -> None:
    expected = samples(dataset.path, "train")
    pipeline = dataset.webdataset("train", shuffle=shuffle, decode=None)
    found = list(pickle.loads(pickle.dumps(pipeline)))  # noqa: S301 (its own)
    assert sorted(sample["__key__"] for sample in found) == sorted(expected)
    assert ([sample["__key__"] for sample in found] == list(expected)) == (not shuffle)
    for sample in found:
        members = {name.lower(): content for name, content in expected[sample["__key__"]].items()}
        assert {name: content for name, content in sample.items() if name[0] != "_"} == members


def test_nodes_and_workers_share_the_shards_also_when_they_are_shuffled(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    for rank in ("0", "1"):
        for worker in ("0", "1", "2"):
            for name, value in {
                "RANK": rank,
                "WORLD_SIZE": "2",
                "WORKER": worker,
                "NUM_WORKERS": "3",
            }.items():
                monkeypatch.setenv(name, value)
            found += [sample["__key__"] for sample in dataset.webdataset("train", shuffle=50, decode=None)]
    assert sorted(found) == sorted(sample.id for sample in dataset.samples("train"))


def test_the_pipeline_decodes_and_takes_more_steps(dataset: Dataset) -> None:
    pipeline = dataset.webdataset("val").to_tuple("jpg", "sci.txt").map(lambda pair: (pair[0].size, pair[1]))
    assert list(pipeline) == [((224, 224), sample.texts["sci.txt"]) for sample in dataset.samples("val")]


def tol_why(dataset: Path, *images: str) -> list[Any]:
    """Ask ``tol why`` for images, each in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    answers = []
    for image in images:
        command = [sys.executable, "-m", "tol_luigi", "why", image, "--json", "--config", "settings.cfg"]
        done = subprocess.run(
            command, cwd=dataset.parents[1], env=kept, capture_output=True, text=True, check=True
        )
        answers.append(json.loads(done.stdout)["images"])
    return answers


def test_explain_answers_as_tol_why_does(
    sample_build: Path, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    by_state = {row["state"]: row for row in ledger(sample_build) if row["id"] or row["name"]}
    assert {"written", "unreadable", "no_taxon"} <= set(by_state)
    asked = [row["id"] or row["name"] for row in by_state.values()]
    asked += ["180d231d-d556-4f86-9ec6-a751b4b8803d", "90000068_328070_eol-full-size-copy.jpg"]
    dataset = Dataset.open(sample_build)
    answers = [[json.loads(json.dumps(vars(life))) for life in dataset.explain(image)] for image in asked]
    assert answers == tol_why(sample_build, *asked)


def test_damaged_is_not_taken_for_the_end_of_a_shard(copied: Path) -> None:
    dataset = Dataset.open(copied)
    shard = dataset.shards("train")[0]
    content = bytearray(shard.read_bytes())
    end = dataset.explain(next(dataset.samples("train")).id)[0].shards[0]["bytes"]
    content[end : end + 8] = b"\xff" * 8  # the header of the second sample
    shard.unlink()
    shard.write_bytes(content)
    with pytest.raises(Exception, match="it is damaged") as caught:
        list(dataset.webdataset("train"))
    assert str(caught.value).startswith(f"{shard}: it is damaged (1 of ")
    kept = list(dataset.webdataset("train", handler=webdataset.ignore_and_continue))
    assert 0 < len(kept) < dataset.splits["train"]
