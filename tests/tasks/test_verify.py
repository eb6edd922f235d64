"""Whatever is wrong with a finished dataset is found, and made good without touching what is not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tol_luigi.core.files import read_json
from tol_luigi.core.receipts import FileRecord, Receipt
from tol_luigi.core.samples import IMAGE, MEMBERS
from tol_luigi.core.shards import ShardReader, sample_record, write_shard

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]
Samples = list[tuple[str, dict[str, bytes]]]

TAIL = [
    "BuildCatalog",
    "BuildReport",
    "CheckTaxa",
    "FindDuplicates",
    "ReportLeaks",
    "WriteAttribution",
    "WriteCard",
    "WriteCatalog",
    "WriteManifest",
]
FIRST = "shard-000000.tar"


def seal(path: Path, receipt: dict[str, Any]) -> None:
    """Write a receipt that was changed, with the checksum that it has then."""
    del receipt["checksum"]
    task, settings, inputs, files, notes = (
        receipt.pop(key) for key in ("task", "settings", "inputs", "files", "notes")
    )
    records = {name: FileRecord(**record) for name, record in files.items()}
    Receipt(task, settings, inputs, records, receipt, notes).write(path)


def read(shard: Path) -> Samples:
    return list(ShardReader(shard))


def write(shard: Path, samples: Samples) -> None:
    write_shard(shard, (sample_record(key, members) for key, members in samples))


def flip_a_byte(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 1
    shard.write_bytes(content)


def cut_off(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])


def drop_a_member(shard: Path) -> None:
    samples = read(shard)
    del samples[-1][1]["taxon.txt"]
    write(shard, samples)


def swap_two_texts(shard: Path) -> None:
    samples = read(shard)
    members = samples[-1][1]
    size = shard.stat().st_size
    members["com.txt"], members["sci_com.txt"] = members["sci_com.txt"], members["com.txt"]
    assert all(len(members[name]) <= tarfile.BLOCKSIZE for name in MEMBERS if name != IMAGE)
    write(shard, samples)
    assert shard.stat().st_size == size


def name_a_stranger(shard: Path) -> None:
    samples = read(shard)
    samples[0] = (str(uuid.UUID(int=1)), samples[0][1])
    write(shard, samples)


def name_one_twice(shard: Path) -> None:
    samples = read(shard)
    write(shard, [*samples, samples[0]])


DAMAGES: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (flip_a_byte, ("",)),  # what it does depends on where it is
    (cut_off, ("is not a complete tar file",)),
    (drop_a_member, ("the members of sample",)),
    (swap_two_texts, ("com.txt of sample",)),
    (name_a_stranger, ("is not in the predicted catalog",)),
    (name_one_twice, ("appears 2 times", "has two members")),  # the latter where there is but one sample
]
"""Ways to damage a shard, and what one of the findings says then."""

ROUNDS = len(DAMAGES) + 1
"""In each round every shard is damaged in another way, and in one of them not at all."""


class Dataset:
    """A copy of a dataset with several shards a partition, to be damaged, verified and built again."""

    def __init__(self, settings: Path, build: Callable[..., Any]) -> None:
        self.settings = settings
        self.directory = settings.parent / "out" / "sample"
        self.build = lambda *arguments: build(settings, *arguments)

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        luigi = Path(sys.executable).with_name("luigi")
        return subprocess.run(
            [luigi, "--module", "tol_luigi", "VerifyDataset", "--local-scheduler", *arguments],
            cwd=self.settings.parent,
            env={**os.environ, "LUIGI_CONFIG_PATH": str(self.settings)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def file(self, name: str) -> Path:
        return self.directory / "224x224" / name

    @property
    def shards(self) -> list[Path]:
        return sorted(self.directory.glob("224x224/*/*.tar"))

    @property
    def bad_shards(self) -> list[Path]:
        lines = self.file("bad-shards.txt").read_text(encoding="utf-8").splitlines()
        return sorted(Path(line) for line in lines)

    def found(self) -> dict[Path, list[str]]:
        """Give what the last report says, by path."""
        found: dict[Path, list[str]] = {}
        for finding in read_json(self.file("verification-report.json"))["findings"]:
            found.setdefault(Path(finding["shard"]), []).append(finding["what"])
        return found

    def identities(self) -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in self.shards}


@pytest.fixture
def settings(sample_settings: Sections) -> Sections:
    return {**sample_settings, "shards": {"max_samples": 10}, "report": {"page": True}}


@pytest.fixture
def built(settings: Sections, build_once: Callable[[str, Sections], Path]) -> Path:
    """The folder of the dataset, undamaged; tests only read it."""
    return build_once("verified-build", settings)


@pytest.fixture
def dataset(built: Path, settings: Sections, settings_file: Any, build: Any) -> Dataset:
    copy = Dataset(settings_file(settings), build)
    shutil.copytree(built, copy.directory)
    return copy


@pytest.fixture
def content(digests: Digests) -> Callable[[Path], dict[str, str]]:
    """Hash the files of a dataset, what verifications leave aside."""

    def hashed(directory: Path) -> dict[str, str]:
        found = digests(directory)
        return {name: digest for name, digest in found.items() if "/verification" not in name}

    return hashed


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_every_damage_to_every_shard_is_found_and_repaired(
    turn: int, dataset: Dataset, built: Path, content: Any
) -> None:
    chosen = {path: (number + turn) % ROUNDS for number, path in enumerate(dataset.shards)}
    damaged = {path: DAMAGES[which] for path, which in chosen.items() if which < len(DAMAGES)}
    for path, (damage, _) in damaged.items():
        damage(path)
    before = dataset.identities()

    verified = dataset.verify()
    assert verified.returncode == 30
    found = dataset.found()
    assert found.keys() == damaged.keys()
    assert dataset.bad_shards == sorted(damaged)
    for path, (damage, texts) in damaged.items():
        assert any(text in what for what in found[path] for text in texts), (damage, found[path])

    mended = dataset.build()
    assert mended.returncode == 0, mended.stderr
    assert content(dataset.directory) == content(built)
    after = dataset.identities()
    assert {path for path in before if before[path] != after[path]} == damaged.keys()
    assert len(before) - len(damaged) >= len(before) // ROUNDS > 3


@pytest.mark.parametrize("level", ["receipt", "members", "pixels"])
def test_a_clean_dataset_is_found_clean(level: str, dataset: Dataset, built: Path, content: Any) -> None:
    before = dataset.identities()
    verified = dataset.verify("--level", level, "--workers", "2")
    assert verified.returncode == 0, verified.stderr
    assert "no findings" in verified.stdout
    assert f"{len(dataset.shards)} shards, 321 samples" in verified.stdout
    assert "no findings" in dataset.file("verification-report.txt").read_text(encoding="utf-8")
    assert dataset.found() == {}
    assert dataset.bad_shards == []
    assert dataset.identities() == before
    assert content(dataset.directory) == content(built)
    assert dataset.build().ran == []


def test_every_run_verifies_anew_as_closely_as_it_is_told_to(dataset: Dataset) -> None:
    flipped, cut = dataset.shards[:2]
    flip_a_byte(flipped)
    assert dataset.verify("--level", "receipt", "--begun", "once").returncode == 0
    cut_off(cut)
    assert (
        dataset.verify("--level", "receipt", "--begun", "once").returncode == 0
    )  # it goes on with the first
    assert dataset.verify("--level", "receipt").returncode == 30
    assert dataset.bad_shards == [cut]
    assert dataset.verify("--level", "bytes").returncode == 30
    assert dataset.bad_shards == [flipped, cut]

    verified = dataset.verify()
    assert verified.returncode == 30
    assert dataset.bad_shards == [flipped, cut]
    [message] = [line for line in verified.stderr.splitlines() if line.startswith("tol_luigi: ")]
    assert str(flipped) in message
    assert "verification-report.txt" in message
    assert "repair" in message
    assert "files affected: 2" in verified.stdout
    report = dataset.file("verification-report.txt").read_text(encoding="utf-8")
    assert all(f"{path}: {what}\n" in report for path, whats in dataset.found().items() for what in whats)


def test_only_the_highest_level_decodes_pictures(dataset: Dataset) -> None:
    shard = dataset.shards[-1]
    samples = read(shard)
    samples[0][1][IMAGE] = samples[0][1][IMAGE][:-1000]
    entry, _ = write_shard(shard, (sample_record(key, members) for key, members in samples))
    for path in dataset.directory.glob(f"224x224/records/{shard.parent.name}/*/*.receipt.json"):
        receipt = read_json(path)
        entries = [asdict(entry) if one["name"] == shard.name else one for one in receipt["shards"]]
        seal(path, {**receipt, "shards": entries})
    assert dataset.verify("--level", "members").returncode == 0
    assert dataset.verify("--level", "pixels").returncode == 30
    [(path, [what])] = dataset.found().items()
    assert path == shard
    assert what.startswith(f"the image of sample {samples[0][0]}")


def test_a_hole_in_the_numbers_and_a_foreign_tar_are_found(dataset: Dataset) -> None:
    *_, before_last, last = sorted(dataset.directory.glob("224x224/train/*.tar"))
    moved, foreign = last.with_name("shard-000099.tar"), last.with_name("copy.tar")
    last.rename(moved)
    for path in dataset.directory.glob("224x224/records/train/*/*.receipt.json"):
        seal(path, json.loads(path.read_text(encoding="utf-8").replace(last.name, moved.name)))
    shutil.copy(before_last, foreign)
    verified = dataset.verify("--level", "receipt")
    assert verified.returncode == 30
    found = dataset.found()
    assert found[foreign] == ["it is in no receipt"]
    assert any("its number is missing" in what for what in found[last])
    assert moved in found  # the ledger knows it by its number
    assert before_last not in found


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        pytest.param(cut_off, ("it cannot be read", "it has "), id="damaged"),
        pytest.param(Path.unlink, "it is missing", id="missing"),
    ],
)
def test_records_are_found_to_be(
    *,
    damage: Callable[[Path], None],
    what: str | tuple[str, ...],
    dataset: Dataset,
    built: Path,
    content: Any,
) -> None:
    names = ["val/eol/image_set_01.receipt.json", "train/bioscan/part1.ledger.parquet"]
    records = [*(dataset.file("records") / name for name in names)]
    for record in records:
        damage(record)
    assert dataset.verify().returncode == 30
    found = dataset.found()
    assert [found[record][0].startswith(what) for record in records] == [True, True]
    for record in records:
        record.unlink(missing_ok=True)
    assert dataset.build().returncode == 0
    assert content(dataset.directory) == content(built)


def test_names_and_splits_are_those_of_the_predicted_catalog(dataset: Dataset) -> None:
    catalog = dataset.directory / "predicted-catalog.parquet"
    rows = pq.read_table(catalog)
    kept = [row for row in rows.to_pylist() if not row["excluded"] and row["split"] == "train"]
    renamed, moved = kept[0], kept[-1]
    changed = []
    for row in rows.to_pylist():
        if row["treeoflife_id"] == renamed["treeoflife_id"]:
            row["common"] = "another name"
        if row["treeoflife_id"] == moved["treeoflife_id"]:
            row["split"] = "val"
        changed.append(row)
    pq.write_table(rows.from_pylist(changed, schema=rows.schema), catalog)
    assert dataset.verify().returncode == 30
    found = [what for whats in dataset.found().values() for what in whats]
    assert f"common_name.txt of sample {renamed['treeoflife_id']} differs from the predicted catalog" in found
    assert any(
        what.startswith(f"sample {moved['treeoflife_id']} is not in the predicted catalog") for what in found
    )
    assert any("images of the predicted catalog that it lacks: 1" in what for what in found)


def test_where_there_is_no_dataset_it_says_so(settings: Sections, settings_file: Any, build: Any) -> None:
    dataset = Dataset(settings_file(settings), build)
    verified = dataset.verify()
    assert verified.returncode == 30
    assert f"{dataset.directory}: there is no dataset" in verified.stderr
    assert not dataset.directory.exists()


def test_what_is_not_lost_is_not_touched(dataset: Dataset, built: Path, content: Any) -> None:
    lost = [path for split in ("train", "val", "train_small") for path in [dataset.file(split) / FIRST]]
    records = [
        path for path in dataset.directory.rglob("records/**/*") if not path.name.endswith("verdict.json")
    ]
    before = {
        path: path.stat() for path in [*dataset.shards, *records] if path not in lost and path.is_file()
    }
    for path in lost:
        path.unlink()
    built_again = dataset.build()
    assert built_again.returncode == 0, built_again.stderr
    about = ["split=train", "split=val", "split=train_small"]
    written = [task.split()[1] for task in built_again.ran if task.startswith("WriteShards")]
    assert sorted(written) == sorted(about)
    assert sorted(built_again.ran[-len(TAIL) :]) == TAIL
    assert {path: path.stat().st_ino for path in before} == {
        path: stat.st_ino for path, stat in before.items()
    }
    assert content(dataset.directory) == content(built)


def test_a_partition_whose_inputs_have_changed_is_written_as_a_whole(
    *, bioscan_settings: Sections, settings_file: Any, build: Any, content: Any, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(bioscan_settings["bioscan"]["images"], images, copy_function=shutil.copyfile)
    bioscan_settings["bioscan"]["images"] = images
    bioscan_settings["dataset"]["train_small_percent"] = 0
    bioscan_settings["shards"] = {"max_samples": 3}
    begun = Dataset(settings_file(bioscan_settings, "begun/settings.cfg"), build)
    assert begun.build().returncode == 0
    ledgers = sorted(begun.directory.glob("224x224/records/train/bioscan/*.ledger.parquet"))
    row = next(row for row in pq.read_table(ledgers[0]).to_pylist() if row["shard"] is not None)
    [changed] = images.rglob(Path(row["name"]).name)
    Image.new("RGB", (50, 40), "red").save(changed)
    begun.file(f"train/shard-{row['shard']:06d}.tar").unlink()
    stopped = begun.build()
    assert stopped.returncode == 30
    assert "[checks] changed_sources = rebuild" in stopped.stderr
    bioscan_settings["checks"] = {"changed_sources": "rebuild"}
    settings_file(bioscan_settings, "begun/settings.cfg")
    # That the file has another size shows only when it is read; then it has to be scanned again.
    assert [begun.build().returncode for _ in range(2)] == [30, 0]

    fresh = Dataset(settings_file(bioscan_settings, "fresh/settings.cfg"), build)
    assert fresh.build().returncode == 0
    shards = {path: digest for path, digest in content(begun.directory).items() if "224x224" in path}
    assert shards == {path: digest for path, digest in content(fresh.directory).items() if "224x224" in path}


def test_no_damage_to_train_is_copied(dataset: Dataset, built: Path, content: Any) -> None:
    small = dataset.file("train_small") / FIRST
    [(key, _), *_] = read(small)
    [train] = [path for path in sorted(dataset.file("train").glob("*.tar")) if key in dict(read(path))]
    picture = dict(read(train))[key][IMAGE]
    train.write_bytes(
        train.read_bytes().replace(picture, picture[:-40] + bytes([picture[-40] ^ 1]) + picture[-39:])
    )
    small.unlink()
    stopped = dataset.build()  # nothing has looked at train since it was found good
    assert stopped.returncode == 30
    [message] = stopped.messages
    assert str(train) in message
    mended = dataset.build()
    assert mended.returncode == 0, mended.stderr
    assert content(dataset.directory) == content(built)


def test_a_repair_killed_at_any_moment_goes_on_to_the_same_bytes(
    *, dataset: Dataset, built: Path, content: Any, start: Callable[..., subprocess.Popen[str]]
) -> None:
    for number, path in enumerate(dataset.shards):
        DAMAGES[number % len(DAMAGES)][0](path)
    assert dataset.verify().returncode == 30
    moments = random.Random(4)  # noqa: S311 (moments, not secrets)
    for _ in range(3):
        with start(dataset.settings) as process:
            try:
                process.communicate(timeout=moments.uniform(0.7, 1.7))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
    mended = dataset.build("--workers", "2")
    assert mended.returncode == 0, mended.stderr
    assert content(dataset.directory) == content(built)
