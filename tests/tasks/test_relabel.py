"""A dataset built with the pictures of an older one is the dataset that is built from scratch, byte for byte."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.core.layout import Layout
from tol_luigi.tasks.previous import PreviousDataset

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
REAL = ("eol", "bioscan", "inat21")
REPORT = ("relabel-report.json", "relabel-report.txt")


class Relabelled:
    """Builds datasets of some settings, from scratch and out of an older dataset, in the test's folder."""

    def __init__(self, folder: Path, sections: Sections, write: Callable[..., Path], build: Any) -> None:
        self.folder, self.sections, self.write, self.build = folder, sections, write, build

    def settings(self, tag: str, older: Path | None = None, *, pictures: bool = True) -> Path:
        sections = {name: dict(values) for name, values in self.sections.items()}
        sections["dataset"] |= {"tag": tag} | ({"reuse": older} if older else {})
        if not pictures:
            for source in REAL:
                sections.get(source, {}).pop("images", None)
        return self.write(sections, f"{tag}.cfg")

    def directory(self, tag: str) -> Path:
        return self.folder / "out" / tag

    def scratch(self) -> Path:
        finished = self.build(self.settings("scratch"))
        assert finished.returncode == 0, finished.stderr
        return self.directory("scratch")

    def relabel(self, older: Path, *arguments: str, pictures: bool = True) -> Any:
        settings = self.settings("relabelled", older, pictures=pictures)
        return self.build(settings, *arguments, task="RelabelShards")


@pytest.fixture
def relabelled(tmp_path: Path, sample_settings: Sections, settings_file: Any, build: Any) -> Relabelled:
    return Relabelled(tmp_path, sample_settings, settings_file, build)


@pytest.fixture
def own(relabelled: Relabelled) -> Relabelled:
    """The same with ids and splits of their own."""
    del relabelled.sections["published"]
    return relabelled


def of_the_dataset(digests: dict[str, str]) -> dict[str, str]:
    """Leave out what is no part of the dataset."""
    return {name: digest for name, digest in digests.items() if name not in REPORT and "verif" not in name}


def labels(directory: Path) -> dict[str, dict[str, str]]:
    """Read the labels out of the catalog, by image id."""
    with (directory / "224x224" / "catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "train_small"]
    return {row["treeoflife_id"]: row for row in rows}


def renamed(table: Path, target: Path) -> Path:
    """Copy EOL's table of common names, with every name another."""
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    column = header.index("vernacular_string")
    for row in rows:
        row[column] = f"so-called {row[column]}"
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return target


def other_genera(metadata: Path, target: Path) -> Path:
    """Copy name lookups, with the family and genus of every third name another."""
    target.mkdir()
    for path in metadata.glob("*_name_lookup.json"):
        names = json.loads(path.read_text(encoding="utf-8"))
        for key in list(names)[::3]:
            names[key][0][4:6] = ["Testidae", "Testus"]
        (target / path.name).write_text(json.dumps(names), encoding="utf-8")
    return target


@pytest.mark.parametrize("pictures", [True, False], ids=["with the sources", "without the sources' pictures"])
def test_other_common_names(
    *, pictures: bool, relabelled: Relabelled, sample_build: Path, digests: Digests
) -> None:
    eol = relabelled.sections["eol"]
    eol["vernacular_names"] = renamed(eol["vernacular_names"], relabelled.folder / "names.csv")
    finished = relabelled.relabel(sample_build, pictures=pictures)
    assert finished.returncode == 0, finished.stderr
    made = relabelled.directory("relabelled")

    assert of_the_dataset(digests(made)) == digests(relabelled.scratch())
    before, after = labels(sample_build), labels(made)
    changed = sum(before[image]["common"] != after[image]["common"] for image in before)
    figures = json.loads((made / "relabel-report.json").read_text(encoding="utf-8"))["all"]
    assert changed > 0
    assert figures["compared"] == len(before)
    assert (figures["relabelled"], figures["common"], figures["species"]) == (changed, changed, 0)
    assert (made / "relabel-report.txt").read_text(encoding="utf-8") in finished.stdout


def test_other_published_names_are_reported_by_rank(
    relabelled: Relabelled, sample_build: Path, digests: Digests
) -> None:
    folder = other_genera(sample_build / "metadata", relabelled.folder / "names")
    relabelled.sections["published"]["names"] = folder
    finished = relabelled.relabel(sample_build, "--workers", "2", pictures=False)
    assert finished.returncode == 0, finished.stderr
    made = relabelled.directory("relabelled")

    assert of_the_dataset(digests(made)) == digests(relabelled.scratch())
    before, after = labels(sample_build), labels(made)
    both = before.keys() & after.keys()
    changed = Counter(rank for rank in RANKS for image in both if before[image][rank] != after[image][rank])
    figures = json.loads((made / "relabel-report.json").read_text(encoding="utf-8"))
    assert changed["genus"] > 0
    assert {rank: figures["all"][rank] for rank in RANKS} == {rank: changed[rank] for rank in RANKS}
    assert figures["all"]["genus"] == sum(counts["genus"] for counts in figures["sources"].values())


@pytest.mark.parametrize(
    ("section", "values"),
    [
        pytest.param("dataset", {"seed": 18}, id="another seed"),
        pytest.param("dataset", {"val_percent": 30, "train_small_percent": 50}, id="other percentages"),
        pytest.param("shards", {"max_samples": 7}, id="smaller shards"),
        pytest.param("shards", {"order": "source"}, id="another order"),
    ],
)
def test_samples_are_dealt_anew_without_a_picture(
    *, section: str, values: dict[str, Any], own: Relabelled, own_build: Path, digests: Digests
) -> None:
    own.sections[section] = {**own.sections.get(section, {}), **values}
    own.sections["checks"] = {"max_bad_percent": 10}  # the broken ones may come together in a small share
    finished = own.relabel(own_build, "--workers", "2", pictures=False)
    assert finished.returncode == 0, finished.stderr
    made = own.directory("relabelled")

    assert of_the_dataset(digests(made)) == digests(own.scratch())
    before, after = labels(own_build), labels(made)
    moved = Counter(
        f"{before[image]['split']} to {after[image]['split']}"
        for image in before
        if before[image]["split"] != after[image]["split"]
    )
    figures = json.loads((made / "relabel-report.json").read_text(encoding="utf-8"))["all"]
    assert figures["relabelled"] == 0
    assert {what: count for what, count in figures.items() if " to " in what} == moved


def test_ids_and_splits_of_our_own_in_place_of_published_ones(
    own: Relabelled, sample_build: Path, digests: Digests
) -> None:
    finished = own.relabel(sample_build)
    assert finished.returncode == 0, finished.stderr
    assert of_the_dataset(digests(own.directory("relabelled"))) == digests(own.scratch())


def damage(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


@pytest.fixture
def older(sample_build: Path, tmp_path: Path) -> Path:
    """The sample's dataset, to be damaged."""
    return Path(shutil.copytree(sample_build, tmp_path / "older"))


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(damage, id="damaged"),
        pytest.param(Path.unlink, id="lost"),
        pytest.param(lambda shard: os.truncate(shard, 10_000), id="cut off"),
    ],
)
def test_pictures_are_made_anew_where_an_older_shard_is(
    *, harm: Callable[[Path], None], relabelled: Relabelled, older: Path, sample_build: Path, digests: Digests
) -> None:
    shard = older / "224x224" / "train" / "shard-000000.tar"
    harm(shard)
    finished = relabelled.relabel(older)
    assert finished.returncode == 0, finished.stderr
    told = "it differs from its receipt, so nothing is copied from it"
    assert finished.messages == [f"WriteShards train eol image_set_01: {shard}: {told}"]
    assert of_the_dataset(digests(relabelled.directory("relabelled"))) == digests(sample_build)


def test_a_damaged_older_shard_stops_the_build_where_there_is_nothing_else(
    relabelled: Relabelled, older: Path
) -> None:
    shard = older / "224x224" / "val" / "shard-000000.tar"
    damage(shard)
    finished = relabelled.relabel(older, pictures=False)
    assert finished.returncode == 30
    told = [
        message for message in finished.messages if message.startswith("WriteShards val eol image_set_01")
    ]
    assert f"because {shard} differs from its receipt" in told[-1]
    assert "Set [eol] images" in told[-1]
    assert not (
        relabelled.directory("relabelled") / "224x224/records/val/eol/image_set_01.receipt.json"
    ).exists()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("listings/eol/image_set_01.parquet", 200),
        ("224x224/records/train/eol/image_set_01.ledger.parquet", 200),
        ("224x224/records/train/eol/image_set_01.receipt.json", 0),
    ],
)
def test_a_record_with_a_byte_changed_is_not_trusted(
    relabelled: Relabelled, older: Path, name: str, place: int
) -> None:
    content = bytearray((older / name).read_bytes())
    content[place] ^= 1
    (older / name).write_bytes(content)
    finished = relabelled.relabel(older, pictures=False)
    assert finished.returncode == 30
    assert any(name in message and "cannot be read" in message for message in finished.messages)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param({"jpeg_quality": 80}, id="another quality"),
        pytest.param({"truncated": "drop"}, id="half pictures dropped"),
        pytest.param({"width": 64, "height": 48}, id="another size"),
    ],
)
def test_pictures_are_made_anew_with(
    *, images: dict[str, Any], relabelled: Relabelled, sample_build: Path, digests: Digests
) -> None:
    relabelled.sections["images"] = images
    finished = relabelled.relabel(sample_build)
    assert finished.returncode == 0, finished.stderr
    assert of_the_dataset(digests(relabelled.directory("relabelled"))) == digests(relabelled.scratch())


def test_a_default_that_is_not_recorded_is_compared_too(sample_build: Path) -> None:
    now = json.loads((sample_build / "dataset.json").read_text(encoding="utf-8"))
    cropped = {**now, "images.fit": "crop"}

    def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
        return PreviousDataset(Layout.of_record(sample_build, before), before).differences(after)

    assert differences(now, now) == differences(cropped, cropped) == []
    assert differences(cropped, now) == differences(now, cropped) == ["images.fit"]


def test_a_picture_that_has_changed_its_length_is_made_anew(
    bioscan_settings: Sections, settings_file: Any, build: Any, tmp_path: Path, digests: Digests
) -> None:
    images = Path(shutil.copytree(bioscan_settings["bioscan"]["images"], tmp_path / "bioscan"))
    bioscan_settings["bioscan"]["images"] = images
    assert build(settings_file(bioscan_settings)).returncode == 0
    first, second, *_ = sorted(images.rglob("*.jpg"))
    second.write_bytes(first.read_bytes())
    made = []
    for tag, more in (("scratch", {}), ("relabelled", {"reuse": tmp_path / "out" / "sample"})):
        bioscan_settings["dataset"] |= {"tag": tag, **more}
        finished = build(settings_file(bioscan_settings))
        assert finished.returncode == 0, finished.stderr
        made.append(digests(tmp_path / "out" / tag))
    assert made[0] == made[1]
    assert made[0] != digests(tmp_path / "out" / "sample")


def test_images_that_the_older_dataset_leaves_out_are_read_from_the_source(
    relabelled: Relabelled, sample_build: Path, digests: Digests
) -> None:
    del relabelled.sections["rare_species"]
    without = relabelled.relabel(sample_build, pictures=False)
    assert without.returncode == 30
    assert any("missing there. Set [eol] images" in message for message in without.messages)

    finished = relabelled.relabel(sample_build)
    assert finished.returncode == 0, finished.stderr
    made = relabelled.directory("relabelled")
    assert of_the_dataset(digests(made)) == digests(relabelled.scratch())
    figures = json.loads((made / "relabel-report.json").read_text(encoding="utf-8"))["all"]
    assert figures["new"] == len(labels(made)) - len(labels(sample_build)) > 0


@pytest.mark.parametrize("guarded", ["older", "new"])
def test_what_a_leak_guard_kept_out_is_looked_at_anew(
    *, guarded: str, relabelled: Relabelled, sample_build: Path, light_sample: Path, digests: Digests
) -> None:
    benchmark = relabelled.folder / "benchmarks" / "rare"
    benchmark.mkdir(parents=True)
    for number, part in enumerate(sorted((light_sample / "inat21").rglob("*.jpg"))[:5]):
        shutil.copyfile(part, benchmark / f"{number}.jpg")
    guard = {"images": benchmark.parent}
    older = sample_build
    if guarded == "older":
        relabelled.sections["leak_guard"] = guard
        older = relabelled.scratch().rename(relabelled.folder / "older")
        del relabelled.sections["leak_guard"]
    else:
        relabelled.sections["leak_guard"] = guard
    finished = relabelled.relabel(older)
    assert finished.returncode == 0, finished.stderr

    assert of_the_dataset(digests(relabelled.directory("relabelled"))) == digests(relabelled.scratch())
    assert len(labels(older)) != len(labels(relabelled.directory("relabelled")))


def test_a_relabelled_dataset_is_verified_and_repaired_without_a_picture(
    relabelled: Relabelled, sample_build: Path, digests: Digests
) -> None:
    assert relabelled.relabel(sample_build, pictures=False).returncode == 0
    made, settings = relabelled.directory("relabelled"), relabelled.folder / "relabelled.cfg"
    before = digests(made)

    again = relabelled.relabel(sample_build, pictures=False)
    assert (again.returncode, again.ran) == (0, [])
    (made / "224x224" / "val" / "shard-000000.tar").unlink()
    assert relabelled.relabel(sample_build, pictures=False).returncode == 0
    assert digests(made) == before
    verified = relabelled.build(settings, "--level", "pixels", task="VerifyDataset")
    assert verified.returncode == 0, verified.stderr

    itself = relabelled.settings("relabelled", made, pictures=False)
    (made / "224x224" / "catalog.parquet").unlink()
    again = sorted(relabelled.build(itself).ran)
    assert again == [
        "BuildCatalog",
        "CheckTaxa",
        "ReportLeaks",
        "WriteAttribution",
        "WriteCard",
        "WriteCatalog",
        "WriteManifest",
    ]
    assert relabelled.build(itself, task="VerifyDataset").returncode == 0
    assert of_the_dataset(digests(made)) == of_the_dataset(before)


def test_a_killed_relabelling_goes_on_to_the_same_bytes(
    relabelled: Relabelled, sample_build: Path, start: Any, digests: Digests
) -> None:
    settings = relabelled.settings("relabelled", sample_build, pictures=False)
    waited_for = ("listings", "mapping.sqlite", "plan.json", "224x224/train", "224x224/records/val")
    for name in waited_for:
        with start(settings, task="RelabelShards") as process:
            while process.poll() is None and not (relabelled.directory("relabelled") / name).exists():
                time.sleep(0.002)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    finished = relabelled.relabel(sample_build, pictures=False)
    assert finished.returncode == 0, finished.stderr
    assert of_the_dataset(digests(relabelled.directory("relabelled"))) == digests(sample_build)


def test_the_demonstration_can_be_relabelled(
    settings_file: Any, build: Any, tmp_path: Path, digests: Digests
) -> None:
    for tag, more in (("v1", {}), ("v2", {"reuse": tmp_path / "out" / "v1"})):
        finished = build(settings_file({"dataset": {"root": "out", "tag": tag, **more}}))
        assert finished.returncode == 0, finished.stderr
    assert digests(tmp_path / "out" / "v1") == digests(tmp_path / "out" / "v2")


def test_what_is_no_image_and_what_lies_beside_the_images_is_told_of_without_a_picture(
    own: Relabelled, digests: Digests, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    del own.sections["eol"], own.sections["rare_species"]
    parts = Path(shutil.copytree(own.sections["bioscan"]["images"], own.folder / "bioscan"))
    first, second, *_ = sorted((parts / "part1").rglob("*.jpg"))
    (parts / "part1" / "README.txt").touch()
    (parts / "notes.txt").touch()
    (parts / "other").mkdir()
    shutil.copyfile(first, parts / "other" / "stray.jpg")
    second.write_bytes(b"no picture")
    own.sections["bioscan"]["images"] = parts
    packed = own.folder / "train.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(own.sections["inat21"]["images"] / "train", "train")
    own.sections["inat21"]["images"] = packed
    scratch = own.scratch()
    finished = own.relabel(scratch, pictures=False)
    assert finished.returncode == 0, finished.stderr
    made = own.directory("relabelled")

    assert of_the_dataset(digests(made)) == digests(scratch)
    assert (made / "listings" / "inat21" / "archive.gzindex").exists()
    states = Counter(row["state"] for row in ledger(made) if row["source"] == "bioscan")
    assert (states["no_image"], states["bad_name"], states["unreadable"]) == (2, 1, 1)


@pytest.fixture
def refused(relabelled: Relabelled, sample_build: Path) -> Callable[..., str]:
    """Try to relabel without pictures under settings that do not allow it; gives the one line that says so."""

    def run(*arguments: str, older: Path | None = sample_build) -> str:
        settings = relabelled.settings("relabelled", older, pictures=older is None)
        finished = relabelled.build(settings, *arguments, task="RelabelShards")
        assert finished.returncode == 40, finished.stderr
        assert not relabelled.directory("relabelled").exists()
        [message] = finished.messages
        return str(message)

    return run


def test_what_is_refused(refused: Callable[..., str], relabelled: Relabelled, sample_build: Path) -> None:
    assert "[dataset] reuse" in refused(older=None)
    assert "is not a dataset" in refused(older=relabelled.folder)
    assert "inat21.partitions was 4, is 5" in refused("--inat21-partitions", "5")
    assert "images.jpeg_quality was 100, is 90" in refused("--images-jpeg-quality", "90")
    assert "images.duplicates = drop requires the images themselves" in refused("--images-duplicates", "drop")
    itself = relabelled.directory("relabelled")
    itself.parent.mkdir(exist_ok=True)
    shutil.copytree(sample_build, itself)
    finished = relabelled.relabel(itself)
    assert finished.returncode == 40
    assert "empty, or the dataset itself" in finished.messages[0]


def test_a_collection_of_ones_own_has_to_be_there_since_its_labels_decide_what_is_listed(
    settings_file: Any, build: Any, tmp_path: Path, shared: Path, digests: Digests
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted((shared / "sample" / "bioscan").rglob("*.jpg"))[:6]:
        shutil.copyfile(path, pictures / path.name)
    table = tmp_path / "labels.csv"

    def labelled(genus: str) -> None:
        lines = [f"{path.name},Animalia,,,,,{genus},x" for path in sorted(pictures.iterdir())]
        head = "file,kingdom,phylum,class,order,family,genus,species"
        table.write_text("\n".join([head, *lines, ""]), encoding="utf-8")

    folder = {"images": pictures, "labels": table}
    labelled("Apis")
    assert build(settings_file({"dataset": {"root": "out", "tag": "v1"}, "folder": folder})).returncode == 0
    labelled("Bombus")
    assert build(settings_file({"dataset": {"root": "out", "tag": "v2"}, "folder": folder})).returncode == 0
    reuse = {"root": "out", "tag": "v3", "reuse": "out/v1"}
    finished = build(settings_file({"dataset": reuse, "folder": folder}), task="RelabelShards")
    assert finished.returncode == 0, finished.stderr
    assert of_the_dataset(digests(tmp_path / "out" / "v3")) == digests(tmp_path / "out" / "v2")

    refused = build(settings_file({"dataset": {**reuse, "tag": "v4"}, "folder": {"labels": table}}))
    assert refused.returncode == 40
    assert "the listing of folder depends on its labels" in refused.messages[0]
