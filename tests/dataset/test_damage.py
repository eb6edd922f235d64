"""What is missing or damaged is told in one line, by the name of the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi import Dataset
from tol_luigi.core.errors import DatasetError, TolError

if TYPE_CHECKING:
    from pathlib import Path

Ask = Callable[[Dataset], Any]


def last(dataset: Dataset) -> str:
    """Return the id of the last sample of the first shard of train."""
    ids = dataset.catalog.to_pandas(["treeoflife_id"], "split = 'train' AND shard = 0")
    return str(ids["treeoflife_id"].iloc[-1])


def one(dataset: Dataset) -> None:
    """Read one image in every way."""
    sample = dataset[last(dataset)]
    sample.image.load()
    assert sample.row
    sample.license  # noqa: B018 (it reads)


def all_of_train(dataset: Dataset) -> None:
    for sample in dataset.samples("train"):
        sample.image.load()


def by_query(dataset: Dataset) -> None:
    list(dataset.samples("train", "split = 'train'"))


def pipeline(dataset: Dataset) -> None:
    list(dataset.webdataset("train"))


SHARD, CATALOG = "224x224/train/shard-000000.tar", "224x224/catalog.parquet"
LICENSES = "224x224/licenses.csv"
LEDGER = "224x224/records/train/eol/image_set_01.ledger.parquet"
RECEIPT = "224x224/records/train/eol/image_set_01.receipt.json"

READERS: list[tuple[str, Ask]] = [
    (SHARD, one),
    (SHARD, all_of_train),
    (SHARD, by_query),
    (SHARD, pipeline),
    (LEDGER, one),
    (LEDGER, all_of_train),
    (CATALOG, all_of_train),
    (CATALOG, by_query),
    ("mapping.sqlite", one),
    (LICENSES, one),
    (RECEIPT, pipeline),
]

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut off": lambda content: content[: len(content) // 2 + 100],
    "overwritten": lambda content: b"\xff" * len(content),
}


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # it is a hard link
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "ask", "damage"),
    [
        pytest.param(name, ask, damage, id=f"{name}, {ask.__name__}, {damage}")
        for name, ask in READERS
        for damage in DAMAGES
        if (name, damage) != (LICENSES, "cut off")  # what is left of it is read
    ],
)
def test_a_damaged_file_is_told_in_one_line(name: str, ask: Ask, damage: str, copied: Path) -> None:
    dataset = Dataset.open(copied)
    path = copied / name
    replace(path, DAMAGES[damage](path.read_bytes()))
    with pytest.raises(TolError) as caught:
        ask(dataset)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "VerifyDataset --repair" in str(caught.value)


@pytest.mark.parametrize(("name", "ask"), [pair for pair in READERS if pair[0] != RECEIPT])
def test_a_missing_file_is_told_in_one_line(name: str, ask: Ask, copied: Path) -> None:
    dataset = Dataset.open(copied)
    (copied / name).unlink()
    with pytest.raises(TolError, match=r"it is missing|it cannot be read") as caught:
        ask(dataset)
    assert str(caught.value).startswith(f"{copied / name}: ")


@pytest.mark.parametrize("ask", [one, all_of_train, pipeline])
def test_a_damaged_image_is_told_with_its_shard(ask: Ask, copied: Path) -> None:
    dataset = Dataset.open(copied)
    sample = dataset[last(dataset)]
    shard = copied / SHARD
    content = shard.read_bytes()
    replace(shard, content.replace(sample.image_file, bytes(len(sample.image_file)), 1))
    with pytest.raises(TolError) as caught:
        ask(dataset)
    assert str(caught.value).startswith(f"{shard}: ")
    assert sample.id in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("dataset.json", "is not a dataset (dataset.json is missing)"),
        ("manifest.json", "the dataset is not finished (manifest.json is missing)"),
        (CATALOG, f"the dataset is not finished ({CATALOG} is missing)"),
    ],
)
def test_what_is_no_finished_dataset_is_not_opened(missing: str, what: str, copied: Path) -> None:
    (copied / missing).unlink()
    with pytest.raises(DatasetError) as caught:
        Dataset.open(copied)
    assert str(caught.value).startswith(f"{copied}: {what}. ")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"images.width": 224}'])
def test_settings_that_cannot_be_read_are_told_in_one_line(content: str, copied: Path) -> None:
    replace(copied / "dataset.json", content.encode())
    with pytest.raises(TolError) as caught:
        Dataset.open(copied)
    assert str(caught.value).startswith(f"{copied}/dataset.json: it cannot be read (")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_missing_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a dataset"):
        Dataset.open(tmp_path / "no such folder")


def test_without_the_record_of_places_it_explains_the_rest(copied: Path) -> None:
    shutil.rmtree(copied / "sightings")
    dataset = Dataset.open(copied)
    life = dataset.explain(last(dataset))[0]
    assert (life.state, life.place) == ("written", "")
    assert "\n  source      eol, partition image_set_01\n" in str(life)
