"""Shards and catalogs, read by the programs that users read them with: all find what the catalog says."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
import webdataset as wds

from tol_luigi.core.samples import MEMBERS
from tol_luigi.core.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# webdataset leaves it to the garbage collector to close its shards.
UNCLOSED = "ignore:unclosed file:ResourceWarning"

pytestmark = pytest.mark.filterwarnings(UNCLOSED)

SAMPLE = {
    "eol": {"images": "eol-original", "taxon_tab": "metadata/eol/dh21/taxon.tab"},
    "inat21": {"images": "inat21"},
    "bioscan": {
        "images": "bioscan",
        "metadata": "metadata/bioscan/BIOSCAN_Insect_Dataset_metadata.jsonld",
    },
    "itis": {"chains": "metadata/itis/species_level_taxonomy_chains.csv"},
    "published": {"mapping": "metadata/mapping.sqlite"},
}
"""Where the settings find their files in the sample."""

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")

TEXTS = tuple(member.lower() for member in MEMBERS if member != "jpg")
"""The text members as readers name them: in lower case."""

CAPTIONS = tuple(text for text in TEXTS if not text.endswith("_name.txt"))
"""Those that a model is trained on."""


@dataclass(frozen=True)
class Dataset:
    """A dataset that was built, and what its catalog says."""

    folder: Path

    @property
    def csv(self) -> Path:
        return self.folder / "catalog.csv"

    @property
    def parquet(self) -> Path:
        return self.folder / "catalog.parquet"

    def shards(self, split: str) -> list[str]:
        return sorted(str(path) for path in (self.folder / split).glob("*.tar"))

    def rows(self, split: str) -> dict[str, dict[str, str]]:
        """Give the rows of a split by id, as the csv module of Python reads them."""
        with self.csv.open(encoding="utf-8", newline="") as file:
            return {row["treeoflife_id"]: row for row in csv.DictReader(file) if row["split"] == split}


def built(folder: Path, settings: str = "") -> Dataset:
    """Build a dataset in a folder: of a settings file there, or else the demonstration."""
    given = {"LUIGI_CONFIG_PATH": settings} if settings else {}
    done = subprocess.run(
        [
            Path(sys.executable).with_name("luigi"),
            "--module",
            "tol_luigi",
            "BuildCatalog",
            "--local-scheduler",
        ],
        cwd=folder,
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    [shards] = folder.glob("*/*/224x224")
    return Dataset(shards)


@pytest.fixture(scope="module")
def dataset(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Give the sample, built once, in shards so small that every split has several."""
    folder = tmp_path_factory.mktemp("readers")
    settings = ConfigParser(interpolation=None)
    settings["dataset"] = {"root": "built", "tag": "sample"}
    settings["shards"] = {"max_samples": "20"}
    for section, places in SAMPLE.items():
        settings[section] = {key: str(shared / "sample" / place) for key, place in places.items()}
    with (folder / "sample.cfg").open("w", encoding="utf-8") as file:
        settings.write(file)
    return built(folder, "sample.cfg")


def test_every_split_has_samples_to_read(dataset: Dataset) -> None:
    assert all(dataset.rows(split) for split in SPLITS)
    assert all(len(dataset.shards(split)) > 1 for split in SPLITS)


@pytest.mark.parametrize("split", SPLITS)
def test_webdataset(dataset: Dataset, split: str) -> None:
    rows = dataset.rows(split)
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(dataset.shards(split)), wds.tarfile_to_samples(), wds.decode("pil")
    )
    samples = list(pipeline)
    assert sorted(sample["__key__"] for sample in samples) == sorted(rows)
    for sample in samples:
        row = rows[sample["__key__"]]
        assert (sample["jpg"].mode, sample["jpg"].size) == ("RGB", (224, 224))
        assert sample["taxonomic_name.txt"] == " ".join(row[rank] for rank in RANKS if row[rank])
        assert sample["common_name.txt"] == row["common"]
        assert {member for member in sample if not member.startswith("__")} == {"jpg", *TEXTS}


OFFLINE = """
import json, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise PermissionError(f"{event} {arguments}")

sys.addaudithook(refuse)
from datasets import load_dataset
"""
"""Begins a program that cannot reach any other."""

LOAD_FILES = """
kind, cache, *files = sys.argv[1:]
loaded = load_dataset(kind, data_files=files, split="train", cache_dir=cache)
"""
"""Loads files as Hugging Face's documentation says."""

SHOW_FOLDER = """
cache, folder = sys.argv[1:]
loaded = load_dataset(folder, cache_dir=cache)
streamed = {split: load_dataset(folder, split=split, streaming=True) for split in loaded}
json.dump({
    "loaded": {split: samples["__key__"][:] for split, samples in loaded.items()},
    "streamed": {split: [sample["__key__"] for sample in samples] for split, samples in streamed.items()},
}, sys.stdout)
"""

SHOW_SHARDS = """
json.dump({
    "ids": loaded["__key__"][:],
    "columns": {name: str(kind.dtype) for name, kind in loaded.features.items()},
    "images": [[image.mode, *image.size] for image in loaded["jpg"]],
    "texts": loaded["taxonTag_com.txt"][:],
}, sys.stdout)
"""

SHOW_CATALOG = """
json.dump({
    "columns": {name: str(getattr(kind, "dtype", kind)) for name, kind in loaded.features.items()},
    "rows": [[row[name] for name in ("split", "treeoflife_id", "species", "common")] for row in loaded],
}, sys.stdout)
"""


def run(program: str, folder: Path, *arguments: str | Path) -> Any:
    """Run a program that uses Hugging Face's datasets, with warnings as errors, and give what it shows."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", UNCLOSED, "-c", OFFLINE + program, *arguments],
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "home"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def load(kind: str, show: str, folder: Path, files: Sequence[str | Path]) -> Any:
    """Load files with Hugging Face's datasets, and give what is shown of them."""
    return run(LOAD_FILES + show, folder, kind, folder / "cache", *files)


@pytest.mark.parametrize("split", SPLITS)
def test_hugging_face_datasets(dataset: Dataset, split: str, tmp_path: Path) -> None:
    rows = dataset.rows(split)
    loaded = load("webdataset", SHOW_SHARDS, tmp_path, dataset.shards(split))
    assert sorted(loaded["ids"]) == sorted(rows)
    assert set(loaded["columns"]) == {*MEMBERS, "__key__", "__url__"}
    assert loaded["images"] == [["RGB", 224, 224]] * len(rows)
    for sample, text in zip(loaded["ids"], loaded["texts"], strict=True):
        assert text.endswith(f" with common name {rows[sample]['common']}.")


def test_hugging_face_datasets_load_the_folder_as_it_is(dataset: Dataset, tmp_path: Path) -> None:
    shown = run(SHOW_FOLDER, tmp_path, tmp_path / "cache", dataset.folder)
    rows = {split: sorted(dataset.rows(split)) for split in SPLITS}
    assert {split: sorted(ids) for split, ids in shown["loaded"].items()} == rows
    assert shown["streamed"] == shown["loaded"]


def test_each_dataset_is_read_and_not_another_from_the_cache(dataset: Dataset, tmp_path: Path) -> None:
    other = built(tmp_path)
    assert other.folder.name == dataset.folder.name  # all that the cache would know of them
    assert other.rows("val") != dataset.rows("val")
    for each in (dataset, other):
        shown = run(SHOW_FOLDER, tmp_path, tmp_path / "cache", each.folder)
        assert sorted(shown["loaded"]["val"]) == sorted(each.rows("val"))


def test_the_card_loads_the_samples_as_it_says(dataset: Dataset, tmp_path: Path) -> None:
    card = (dataset.folder / "README.md").read_text(encoding="utf-8")
    programs = re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
    assert len(programs) == 2
    program = "".join(f"{program}first = next(iter(samples))\n" for program in programs)
    program = program.replace("path/to/this/folder", str(dataset.folder))
    assert run(f"{program}json.dump(first[1], sys.stdout)", tmp_path).startswith("a photo of ")


def test_hugging_face_datasets_read_the_catalog(dataset: Dataset, tmp_path: Path) -> None:
    loaded = load("parquet", SHOW_CATALOG, tmp_path, [dataset.parquet])
    assert loaded["columns"]["species"] == loaded["columns"]["treeoflife_id"] == "string"
    assert loaded["columns"]["eol_content_id"] == "int64"
    assert loaded["rows"] == [
        [row[name] for name in ("split", "treeoflife_id", "species", "common")]
        for split in SPLITS
        for row in dataset.rows(split).values()
    ]


SOURCE = """
    CASE WHEN eol_content_id IS NOT NULL THEN 'eol'
         WHEN bioscan_part IS NOT NULL THEN 'bioscan'
         WHEN inat21_filename IS NOT NULL THEN 'inat21' END
"""
"""How a catalog in CSV tells the source of a row: by the columns that are filled."""


def test_duckdb_counts_the_same_in_both_catalogs(dataset: Dataset) -> None:
    with duckdb.connect() as database:

        def counts(source: str, catalog: Path) -> list[tuple[Any, ...]]:
            query = f"SELECT split, {source}, count(*) FROM '{catalog}' GROUP BY ALL ORDER BY ALL"  # noqa: S608
            return database.sql(query).fetchall()

        from_parquet = counts("source", dataset.parquet)
        assert from_parquet == counts(SOURCE, dataset.csv)
    assert {source for _, source, _ in from_parquet} == {"eol", "bioscan", "inat21"}
    by_split: Counter[str] = Counter()
    for split, _, count in from_parquet:
        by_split[split] += count
    assert by_split == {split: len(dataset.rows(split)) for split in SPLITS}


def test_duckdb_finds_the_same_rows_in_both_catalogs(dataset: Dataset) -> None:
    with duckdb.connect() as database:
        shown = [name for name, *_ in database.sql(f"DESCRIBE FROM '{dataset.csv}'").fetchall()]
        cells = ", ".join(f"""nullif(CAST("{name}" AS VARCHAR), '')""" for name in shown)

        def missing(here: Path, there: Path) -> list[tuple[Any, ...]]:
            query = f"SELECT {cells} FROM '{here}' EXCEPT ALL SELECT {cells} FROM '{there}'"  # noqa: S608
            return database.sql(query).fetchall()

        assert missing(dataset.csv, dataset.parquet) == []
        assert missing(dataset.parquet, dataset.csv) == []


def test_duckdb_finds_an_image_by_its_id(dataset: Dataset) -> None:
    for split in SPLITS:
        for image, row in list(dataset.rows(split).items())[:3]:
            with duckdb.connect() as database:
                query = f"SELECT species, split FROM '{dataset.parquet}' WHERE treeoflife_id = ?"  # noqa: S608
                found = database.execute(query, [image]).fetchall()
            assert (row["species"], split) in found


def test_pandas_reads_the_csv(dataset: Dataset) -> None:
    catalog = pd.read_csv(dataset.csv)
    columnar = pd.read_parquet(dataset.parquet)
    assert catalog["split"].value_counts().to_dict() == {split: len(dataset.rows(split)) for split in SPLITS}
    assert list(catalog["treeoflife_id"]) == list(columnar["treeoflife_id"])
    assert list(catalog["common"]) == list(columnar["common"])
    assert not catalog.duplicated(["split", "treeoflife_id"]).any()


def test_pandas_reads_texts_that_repeat_as_categories(dataset: Dataset) -> None:
    columnar = pd.read_parquet(dataset.parquet)
    categories = {name for name, kind in columnar.dtypes.items() if kind == "category"}
    assert {"split", *RANKS, "common", "source", "partition", "mode", "format"} <= categories
    assert not {"treeoflife_id", "inat21_filename", "sha256", "md5"} & categories
    text = pd.read_csv(dataset.csv, keep_default_na=False)
    counts = columnar.groupby(["species", "split"], observed=True).size()
    assert counts.to_dict() == text.groupby(["species", "split"]).size().to_dict()


def test_pandas_finds_train_small_in_train(dataset: Dataset) -> None:
    catalog = pd.read_csv(dataset.csv)
    by_split = {split: rows.drop(columns="split") for split, rows in catalog.groupby("split")}
    small = by_split["train_small"]
    assert len(small.merge(by_split["train"], how="inner")) == len(small)
    assert by_split["val"].merge(by_split["train"], on="treeoflife_id").empty


def words(text: str) -> list[list[str]]:
    """Stand in for a tokenizer: give a batch of one, as those of open_clip do."""
    return [text.lower().split()]


def has_picture_and(text: str) -> Callable[[dict[str, Any]], bool]:
    return lambda sample: text in sample and any(kind in sample for kind in ("png", "jpg", "jpeg", "webp"))


def like_open_clip(shards: list[str], text: str) -> Iterator[tuple[Any, list[str]]]:
    """Stand in for the part of open_clip that reads shards and needs no torch.

    What it is published to do: members belong together by their names up to the first dot; the rest of
    the name counts in lower case; samples without a picture or the chosen text are passed over; picture
    and text go on under these names, the text through the tokenizer. The functions are webdataset's own,
    as they are there. The choice of the text member is that of the fork that BioCLIP was trained with;
    open_clip itself takes ``txt`` only.
    """
    return iter(
        wds.DataPipeline(
            wds.SimpleShardList(shards),
            wds.tarfile_to_samples(),
            wds.select(has_picture_and(text)),
            wds.decode("pilrgb"),
            wds.rename(image="jpg;png;jpeg;webp", text=text),
            wds.map_dict(text=lambda content: words(content)[0]),
            wds.to_tuple("image", "text"),
        )
    )


@pytest.mark.parametrize("text", CAPTIONS)
def test_pipeline_like_that_of_open_clip(dataset: Dataset, text: str) -> None:
    for split in SPLITS:
        pairs = list(like_open_clip(dataset.shards(split), text))
        assert len(pairs) == len(dataset.rows(split))
        assert all(image.size == (224, 224) and tokens[:3] == ["a", "photo", "of"] for image, tokens in pairs)


def test_pipeline_like_that_of_open_clip_needs_the_names_in_lower_case(dataset: Dataset) -> None:
    assert list(like_open_clip(dataset.shards("val"), "taxonTag_com.txt")) == []


@pytest.mark.parametrize("text", ["sci.txt", "taxontag_com.txt"])
def test_open_clip_itself(dataset: Dataset, text: str) -> None:
    """Read with open_clip's own functions, once the chosen text has the name that it looks for."""
    reason = "open_clip and torch are not installed"
    pytest.importorskip("torch", reason=reason)
    data = pytest.importorskip("open_clip_train.data", reason=reason)
    tokenizer = pytest.importorskip("open_clip", reason=reason).get_tokenizer("ViT-B-32")
    # Newer webdatasets mark the end of a shard with an empty dictionary, which open_clip does not know.
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(dataset.shards("val")),
        lambda shards: filter(None, data.tar_file_expander(data.url_opener(shards))),
        data.group_by_keys_nothrow,
        wds.map(lambda sample: {**sample, "txt": sample[text]}),
        wds.select(data.filter_no_caption_or_no_image),
        wds.decode("pilrgb"),
        wds.rename(image="jpg;png;jpeg;webp", text="txt"),
        wds.map_dict(text=lambda content: tokenizer(content)[0]),
        wds.to_tuple("image", "text"),
    )
    pairs = list(pipeline)
    assert len(pairs) == len(dataset.rows("val"))
    assert all(image.size == (224, 224) and tokens.any() for image, tokens in pairs)
