"""Shards of several image sizes, written in one pass: each is what a build with this size alone writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from killed import attempts

from tol_luigi.core.shards import ShardReader

if TYPE_CHECKING:
    from forked import Forks

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]

OWN, FURTHER = {"width": 40, "height": 30}, "64x48"
BOTH = {**OWN, "further_sizes": f"{FURTHER}, 20x20"}


@pytest.fixture
def sections(bioscan_settings: Sections) -> Sections:
    dataset = {**bioscan_settings["dataset"], "root": "out", "tag": "sample"}
    return {**bioscan_settings, "dataset": dataset, "images": BOTH, "shards": {"max_samples": 6}}


@pytest.fixture
def make(forks: Forks, settings_file: Any, sections: Sections) -> Callable[..., Path]:
    """Build the sections with some changes in a folder, and give the folder of the dataset."""

    def build(place: str, *arguments: str, **changes: dict[str, Any]) -> Path:
        changed = {**sections, **{name: {**sections.get(name, {}), **new} for name, new in changes.items()}}
        settings = settings_file({**changed, "images": changes.get("images", BOTH)}, f"{place}/luigi.cfg")
        ended = forks.build(settings, *(arguments or ["BuildCatalog"]))
        assert ended.code == 0, ended.output
        return Path(settings.parent, "out", changed["dataset"]["tag"])

    return build


@pytest.fixture
def dataset(make: Callable[..., Path], once: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of the dataset with two further sizes, in the folder ``copy``, built once."""
    built = once("further-sizes", lambda folder: shutil.copytree(make("first"), folder / "built")) / "built"
    return Path(shutil.copytree(built, tmp_path / "copy" / "out" / "sample"))


def test_each_size_is_what_a_build_with_this_size_alone_writes(
    dataset: Path, make: Callable[..., Path], digests: Digests
) -> None:
    own = make("own", images=OWN)
    alone = make("alone", images={"width": 64, "height": 48})

    for pattern in ("*/*.tar", "**/*.parquet", "**/*.csv", "*/wids.json", "*/__len__"):
        assert digests(dataset, f"40x30/{pattern}") == digests(own, f"40x30/{pattern}")
    assert "further_sizes" not in (own / "dataset.json").read_text(encoding="utf-8")
    for pattern in ("*.tar", "__len__", "sizes.json", "wids.json"):
        assert digests(dataset, f"{FURTHER}/*/{pattern}") == digests(alone, f"{FURTHER}/*/{pattern}")
    assert digests(dataset, "20x20/*/*.tar").keys() == {
        name.replace("40x30", "20x20") for name in digests(own, "40x30/*/*.tar")
    }
    sums = (dataset / "SHA256SUMS").read_text(encoding="utf-8")
    assert all(f"{digest}  {name}" in sums for name, digest in digests(dataset, f"{FURTHER}/**/*").items())
    assert f"`../{FURTHER}/<split>/shard-<number>.tar`" in (dataset / "40x30/README.md").read_text("utf-8")
    assert f"`{FURTHER}/<split>/shard-<number>.tar`" in (dataset / "README.md").read_text("utf-8")


def test_a_lost_or_damaged_shard_of_a_further_size_is_written_again(
    dataset: Path, make: Callable[..., Path], digests: Digests
) -> None:
    before = digests(dataset, "**/*.tar")
    for split in ("train", "train_small"):
        (dataset / FURTHER / split / "shard-000000.tar").unlink()
    make("copy")
    assert digests(dataset, "**/*.tar") == before

    for path in (
        dataset / FURTHER / "train/shard-000001.tar",
        dataset / "20x20/train_small/shard-000000.tar",
    ):
        content = path.read_bytes()
        path.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    (dataset / "20x20/train/shard-000099.tar").touch()
    make("copy", "VerifyDataset", "--repair")
    assert digests(dataset, "**/*.tar") == before


def test_images_that_are_taken_down_leave_the_shards_of_every_size(
    dataset: Path, make: Callable[..., Path], digests: Digests, tmp_path: Path
) -> None:
    catalog = pq.read_table(dataset / "40x30/catalog.parquet").to_pylist()
    image = min(row["treeoflife_id"] for row in catalog if row["split"] == "train_small")
    before = digests(dataset, "*x*/*/*.tar")
    (tmp_path / "copy/list.csv").write_text(f"id\n{image}\n", encoding="utf-8")
    make("copy", rights={"takedowns": "list.csv"})

    for folder in ("40x30", FURTHER, "20x20"):
        found = {key for shard in dataset.glob(f"{folder}/*/*.tar") for key, _ in ShardReader(shard)}
        assert found == {row["treeoflife_id"] for row in catalog} - {image}
    after = digests(dataset, "*x*/*/*.tar")
    changed = {name.partition("/")[2] for name in before if before[name] != after[name]}
    assert len(changed) == 2
    assert all(
        before[f"{size}/{one}"] != after[f"{size}/{one}"] for one in changed for size in ("40x30", FURTHER)
    )


def test_a_dataset_that_reuses_another_reads_the_images_for_its_further_sizes(
    dataset: Path, make: Callable[..., Path], digests: Digests
) -> None:
    relabelled = make("copy", dataset={"tag": "relabelled", "reuse": "out/sample"})
    assert digests(relabelled, "*x*/*/*.tar") == digests(dataset, "*x*/*/*.tar")


def test_killed_at_any_moment_all_sizes_end_the_same(
    dataset: Path, settings_file: Any, sections: Sections, digests: Digests
) -> None:
    before = digests(dataset, "**/*.tar")
    settings_file(sections, "copy/luigi.cfg")
    receipts = [
        json.loads(path.read_bytes()) for path in dataset.glob("40x30/records/train_small/*/*.receipt.json")
    ]
    partition = next(receipt["partition"] for receipt in receipts if receipt["samples"])
    kills = {}
    for attempt in attempts(dataset.parents[1]):
        for split in ("train", "train_small"):
            receipt = dataset / f"40x30/records/{split}/bioscan/{partition}.receipt.json"
            shards = [
                dataset / name for name in json.loads(receipt.read_bytes())["files"] if name.endswith("tar")
            ]
            for path in [receipt, *shards[:2]] if split == "train_small" else shards:
                path.unlink()
            stage, moment = f"WriteShards split={split} source=bioscan partition={partition}", 1
            while attempt(moment, stage) == -9:
                moment += 4
            assert attempt(0, stage) == 0
            kills[split] = moment // 4
    assert min(kills.values()) > 2, kills
    assert digests(dataset, "**/*.tar") == before


@pytest.mark.parametrize(
    ("sizes", "changed", "words"),
    [
        pytest.param("9x9, 40x30", {}, ["further_sizes", "40x30 is the size in"], id="the own size"),
        pytest.param("9x9", {"tag": "other", "reuse": "out/sample"}, ["requires the images"], id="reuse"),
    ],
)
def test_other_sizes_are_refused_in_one_line(
    *,
    sizes: str,
    changed: dict[str, Any],
    words: list[str],
    request: Any,
    forks: Forks,
    settings_file: Any,
    sections: Sections,
) -> None:
    if changed:
        request.getfixturevalue("dataset")
        del sections["bioscan"]["images"]
    changes = {"dataset": {**sections["dataset"], **changed}, "images": {**OWN, "further_sizes": sizes}}
    ended = forks.build(settings_file({**sections, **changes}, "copy/luigi.cfg"), "BuildCatalog")
    assert ended.code != 0
    [message] = ended.messages
    assert all(word in message for word in words), message
