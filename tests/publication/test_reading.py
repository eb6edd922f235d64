"""A published dataset, in a folder and on S3, read by the programs of users: all count what the catalog says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from optional import python_with

if TYPE_CHECKING:
    from conftest import Publisher, Server


@pytest.fixture(scope="module")
def counts(small_build: Path) -> dict[str, int]:
    """The number of samples of each split, as the catalog says."""
    splits = pq.read_table(small_build / "224x224/catalog.parquet", columns=["split"])["split"]
    return dict(Counter(splits.to_pylist()))


@pytest.fixture(scope="module")
def folder(small_build: Path, publishes: Publisher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, published to a folder."""
    there = tmp_path_factory.mktemp("published") / "small"
    assert publishes(small_build, str(there)) == (0, "")
    return there


def run(python: str | Path, program: str, *arguments: str | Path, **environment: str) -> Any:
    """Run a program, and return what it prints as JSON on its last line."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", program, *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CROISSANT = """
import json, logging, sys
import mlcroissant
logging.disable()
dataset = mlcroissant.Dataset(sys.argv[1])
issues = dataset.metadata.ctx.issues
sets = {one.uuid: list(dataset.records(one.uuid)) for one in dataset.metadata.record_sets}
catalog = [(row["catalog/split"].decode(), row["catalog/treeoflife_id"].decode()) for row in sets["catalog"]]
print(json.dumps({
    "errors": list(issues.errors),
    "catalog": catalog,
    "shards": {row["shards/path"].decode(): row["shards/samples"] for row in sets["shards"]},
    "images": [(split, row[f"{split}/id"].decode()) for split in dict(catalog) for row in sets[split]],
    "sizes": sorted({row[f"{split}/image"].size for split in dict(catalog) for row in sets[split]}),
}))
"""


DESCRIBED = """
import hashlib, json, logging, sys
import mlcroissant, requests
logging.disable()
url = sys.argv[1]
metadata = mlcroissant.Dataset(f"{url}/croissant.json").metadata
files = [one for one in metadata.distribution if isinstance(one, mlcroissant.FileObject)]
content = {one.content_url: requests.get(f"{url}/{one.content_url}", timeout=60).content for one in files}
print(json.dumps({
    "errors": list(metadata.ctx.issues.errors),
    "sets": sorted(one.uuid for one in metadata.record_sets),
    "wrong": [one.content_url for one in files if hashlib.sha256(content[one.content_url]).hexdigest() != one.sha256],
    "files": len(files),
}))
"""


def test_mlcroissant_reads_the_description_on_s3_whose_files_are_next_to_it(
    s3: Server, publishes: Publisher, small_build: Path, counts: dict[str, int]
) -> None:
    # It resolves relative addresses in a folder only, so the records are loaded from there.
    assert publishes(small_build, "s3://datasets/read", **s3.environment) == (0, "")
    found = run(sys.executable, DESCRIBED, f"{s3.url}/datasets/read")
    assert (found["errors"], found["wrong"]) == ([], [])
    assert found["files"] > sum(
        1 for split in counts for _ in (small_build / "224x224" / split).glob("*.tar")
    )
    assert {"catalog", "shards", *counts} <= set(found["sets"])


def test_mlcroissant_validates_and_loads_records(
    folder: Path, counts: dict[str, int], tmp_path: Path
) -> None:
    # It caches what it unpacks by the path in the metadata.
    found = run(sys.executable, CROISSANT, folder / "croissant.json", HOME=str(tmp_path))
    assert found["errors"] == []
    table = pq.read_table(folder / "224x224/catalog.parquet", columns=["split", "treeoflife_id"])
    rows = [[row["split"], row["treeoflife_id"]] for row in table.to_pylist()]
    assert sorted(found["catalog"]) == sorted(found["images"]) == sorted(rows)
    assert found["sizes"] == [[224, 224]]
    assert sum(found["shards"].values()) == sum(counts.values())


OPERATORS = Path(__file__).parents[1] / "dataset" / "torchvision_operators"
"""A folder of modules with which open_clip can be imported where PyTorch has no CUDA."""

INDEXES = """
import contextlib, glob, json, os, sys
import wids
from open_clip_train.data import expand_urls, get_dataset_size
os.chdir(sys.argv[1])
patterns, found = sys.argv[2:], {}
for pattern in patterns:
    samples, shards = get_dataset_size(pattern)
    split = os.path.basename(os.path.dirname(pattern))
    assert all(map(os.path.exists, expand_urls(pattern)[0]))
    index = wids.ShardListDataset(f"{os.getcwd()}/224x224/{split}/wids.json", keep=True)
    ids = {index[place]["__key__"] for place in range(len(index))}
    length = int(open(f"224x224/{split}/__len__").read())
    found[split] = [samples, shards, len(index), len(ids), length]
print(json.dumps(found))
"""


def patterns_of(card: str) -> list[str]:
    """Return the braces in a card."""
    return re.findall(r"`(\S+/shard-\{\d+\.\.\d+\}\.tar)`", card)


REMOTE = """
import json, os, sys
import wids
from open_clip_train.data import expand_urls, get_dataset_size
url, cache, *patterns = sys.argv[1:]
found = {}
for pattern in patterns:
    split = pattern.split("/")[-2]
    index = wids.ShardListDataset(f"{url}/224x224/{split}/wids.json", cache_dir=f"{cache}/{split}")
    ids = {index[place]["__key__"] for place in range(len(index))}
    shards = expand_urls(f"{url}/{pattern}")[0]
    found[split] = [len(index), len(ids), get_dataset_size(f"{url}/{pattern}")[1], [shard.removeprefix(url) for shard in shards]]
print(json.dumps(found))
"""


def test_wids_and_open_clip_read_the_copy_on_s3_by_its_address(
    s3: Server, publishes: Publisher, small_build: Path, counts: dict[str, int], tmp_path: Path
) -> None:
    assert publishes(small_build, "s3://datasets/read", **s3.environment) == (0, "")
    python = python_with("wids", "open_clip_train", "torch")
    patterns = patterns_of((small_build / "README.md").read_text(encoding="utf-8"))
    found = run(python, REMOTE, f"{s3.url}/datasets/read", tmp_path, *patterns, PYTHONPATH=str(OPERATORS))
    shards = {
        split: [
            f"/{path.relative_to(small_build)}"
            for path in sorted((small_build / "224x224" / split).glob("*.tar"))
        ]
        for split in counts
    }
    assert found == {
        split: [count, count, len(shards[split]), shards[split]] for split, count in counts.items()
    }


def test_open_clip_and_wids_count_what_the_catalog_says(
    folder: Path, counts: dict[str, int], tmp_path: Path
) -> None:
    python = python_with("wids", "open_clip_train", "torch")
    patterns = patterns_of((folder / "README.md").read_text(encoding="utf-8"))
    found = run(python, INDEXES, folder, *patterns, WIDS_CACHE=str(tmp_path), PYTHONPATH=str(OPERATORS))
    shards = {split: len(list((folder / "224x224" / split).glob("*.tar"))) for split in counts}
    assert found == {split: [count, shards[split], count, count, count] for split, count in counts.items()}


READERS = """
import json, sys
import webdataset
from braceexpand import braceexpand
from datasets import load_dataset
folder, cache, http, bucket, *patterns = sys.argv[1:]
loaded = load_dataset(folder, cache_dir=cache)
found = {split: [len(set(samples["__key__"][:]))] for split, samples in loaded.items()}
for pattern in patterns:
    remote = [f"{bucket}/{name}" for name in braceexpand(pattern)]
    for samples in (
        webdataset.WebDataset(f"{folder}/{pattern}", shardshuffle=False),
        webdataset.WebDataset(f"pipe:curl -sf {http}/{pattern}", shardshuffle=False),
        load_dataset("webdataset", data_files=remote, split="train", cache_dir=f"{cache}/s3"),
    ):
        found[pattern.split("/")[1]].append(len({sample["__key__"] for sample in samples}))
print(json.dumps(found))
"""


def test_datasets_and_webdataset_read_the_folder_and_the_copy_on_s3(  # noqa: PLR0917 (fixtures)
    folder: Path, s3: Server, publishes: Publisher, small_build: Path, counts: dict[str, int], tmp_path: Path
) -> None:
    assert publishes(small_build, "s3://datasets/read", **s3.environment) == (0, "")
    patterns = patterns_of((small_build / "README.md").read_text(encoding="utf-8"))
    given = [folder, tmp_path, f"{s3.url}/datasets/read", "s3://datasets/read", *patterns]
    found = run(sys.executable, READERS, *given, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", **s3.environment)
    assert found == {split: [count] * 4 for split, count in counts.items()}
