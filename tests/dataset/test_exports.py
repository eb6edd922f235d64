"""Exports, read back by the libraries of their formats: what is in them is what is in shards and catalog."""

from __future__ import annotations

import csv
import fcntl
import gc
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow.parquet as pq
import pytest
from optional import python_with

from tol_luigi import Dataset
from tol_luigi.core.errors import DatasetError, SettingsError, ShardError
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.exports.formats import FORMATS
from tol_luigi.dataset.exports.run import export
from tol_luigi.dataset.exports.samples import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

SPLITS = ("train", "val", "train_small")
HERE = [name for name in FORMATS if name != "lance"]
"""The formats that need no further package."""

OPERATORS = Path(__file__).with_name("torchvision_operators")

READ_MDS = """
import hashlib, json, sys
from streaming import StreamingDataset

for split in ("train", "val", "train_small"):
    samples = StreamingDataset(local=sys.argv[1], split=split, shuffle=False, batch_size=1, validate_hash="sha256")
    for sample in samples:
        assert sample["image"].size == (224, 224)
        fields = {name: value for name, value in sample.items() if name != "image"}
        pixels = hashlib.sha256(sample["image"].convert("RGB").tobytes()).hexdigest()
        print(json.dumps([split, pixels, fields]))
"""

LANCE = """
import hashlib, json, sys
from pathlib import Path
from tol_luigi import Dataset
from tol_luigi.dataset.exports.run import export

folder = Path(sys.argv[1])
for _ in range(2):
    done = export(Dataset.open(sys.argv[2]), "lance", folder, jobs=2)
    print(json.dumps([done.shards, done.written]))
import lance

for split in ("train", "val", "train_small"):
    for row in lance.dataset(folder / f"{split}.lance").to_table().to_pylist():
        print(json.dumps([split, hashlib.sha256(row.pop("image")).hexdigest(), row]))
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def expected(dataset: Dataset) -> list[Any]:
    """Split, digest of the JPEG and fields of each sample, in the order of the shards."""
    return [
        [split, sha256(sample.image_file), fields(sample)]
        for split in SPLITS
        for sample in dataset.samples(split)
    ]


@pytest.fixture(scope="module")
def exported(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of an export, which is made once; tests only read it."""
    made: dict[str, Path] = {}

    def export_once(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("exports") / name
            export(dataset, name, made[name], jobs=2)
        return made[name]

    return export_once


def fields(sample: Any) -> dict[str, str]:
    ranks = {rank: sample.row[rank] or "" for rank in RANK_LABELS}
    texts = {name.removesuffix(".txt"): text for name, text in sample.texts.items()}
    return {"treeoflife_id": sample.id, "source": sample.source, **ranks, **texts}


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".export") and ".export" not in path.parts
    }


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # datasets leaves tables open
@pytest.mark.parametrize("name", ["parquet", "folder"])
def test_hugging_face_datasets_reads_the_folder_as_it_is(
    name: str, exported: Callable[[str], Path], expected: list[Any], tmp_path: Path
) -> None:
    loaded = datasets.load_dataset(str(exported(name)), cache_dir=str(tmp_path))
    found = []
    for split in SPLITS:
        assert isinstance(loaded[split].features["image"], datasets.Image)
        for row in loaded[split].cast_column("image", datasets.Image(decode=False)):
            image = row.pop("image")
            jpeg = image["bytes"] or Path(image["path"]).read_bytes()
            found.append([split, sha256(jpeg), {key: value or "" for key, value in row.items()}])
    assert sorted(found, key=str) == sorted(expected, key=str)
    gc.collect()


def read_back(python: Path, script: str, *arguments: Path) -> list[Any]:
    paths = filter(None, [str(OPERATORS), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [python, "-W", "ignore", "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_mosaicml_streaming_reads_mds(
    exported: Callable[[str], Path], dataset: Dataset, expected: list[Any]
) -> None:
    found = read_back(python_with("streaming"), READ_MDS, exported("mds"))
    pixels = {sample.id: sha256(sample.image.tobytes()) for sample in dataset.samples()}

    assert found == [[split, pixels[row["treeoflife_id"]], row] for split, _, row in expected]


def test_lance_reads_what_another_python_has_exported(
    demonstration: Path, expected: list[Any], tmp_path: Path
) -> None:
    found = read_back(python_with("lance"), LANCE, tmp_path / "lance", demonstration)

    assert found == [[17, 17], [17, 0], *expected]


@pytest.mark.parametrize("name", HERE)
def test_the_number_of_jobs_changes_nothing_and_a_second_run_converts_nothing(
    name: str, exported: Callable[[str], Path], dataset: Dataset, tmp_path: Path
) -> None:
    assert export(dataset, name, tmp_path / "again", jobs=1).written > 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "again").rglob("shard*")}

    assert export(dataset, name, tmp_path / "again", jobs=3).written == 0
    assert content(tmp_path / "again") == content(exported(name))
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("name", HERE)
def test_an_export_that_is_killed_anywhere_is_completed_and_keeps_what_is_finished(
    name: str, exported: Callable[[str], Path], dataset: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    kept: dict[Path, int] = {}
    for milliseconds in (10, 40, 90):
        process = os.fork()
        if not process:  # pragma: no cover
            export(dataset, name, folder)
            os._exit(0)
        time.sleep(milliseconds / 1000)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        receipts = list((folder / ".export").rglob("*.json"))
        assert kept.items() <= {path: path.stat().st_mtime_ns for path in receipts}.items()
        kept = {path: path.stat().st_mtime_ns for path in receipts}
    done = export(dataset, name, folder)

    assert done.written == done.shards - len(kept)
    assert content(folder) == content(exported(name))


@pytest.mark.parametrize("name", HERE)
def test_a_damaged_shard_is_one_line_and_the_others_are_kept(
    name: str, copied: Path, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    shard = copied / "224x224" / "val" / "shard-000000.tar"
    intact = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(intact.replace(b"\xff\xd9", b"\xff\xd8", 1))
    with pytest.raises(ShardError, match=r"shard-000000\.tar: its bytes differ") as raised:
        export(Dataset.open(copied), name, tmp_path / "out", jobs=1)
    assert len(str(raised.value).splitlines()) == 1
    assert not list((tmp_path / "out" / "val").glob("shard-000000*"))
    shard.write_bytes(intact[:3000])
    with pytest.raises(ShardError, match="is not a complete tar file"):
        export(Dataset.open(copied), name, tmp_path / "out", jobs=1)
    shard.write_bytes(intact)
    done = export(Dataset.open(copied), name, tmp_path / "out", jobs=1)

    assert 0 < done.written < done.shards
    assert content(tmp_path / "out") == content(exported(name))


@pytest.mark.parametrize("name", HERE)
def test_what_is_missing_or_truncated_is_converted_again(
    name: str, exported: Callable[[str], Path], dataset: Dataset, tmp_path: Path
) -> None:
    export(dataset, name, tmp_path / "out", splits=["val"])
    images = [path for path in (tmp_path / "out").rglob("*") if path.suffix in {".jpg", ".mds", ".parquet"}]
    os.truncate(images[0], 100)
    (tmp_path / "out" / ("data" if name == "parquet" else "val") / "stray").write_text("of a killed attempt")

    assert export(dataset, name, tmp_path / "out", splits=["val"]).written == 1
    found = content(tmp_path / "out")
    whole = content(exported(name))
    assert {path: digest for path, digest in found.items() if path != "README.md"}.items() <= whole.items()


@pytest.mark.parametrize("name", HERE)
def test_a_split_that_is_no_longer_exported_disappears(name: str, dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, name, tmp_path / "out", splits=["val", "train_small"])
    export(dataset, name, tmp_path / "out", splits=["val"])

    assert not [path for path in (tmp_path / "out").rglob("*") if "train_small" in str(path)]


def test_a_folder_with_other_files_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "own.txt").touch()
    with pytest.raises(SettingsError, match="it is not empty"):
        export(dataset, "mds", tmp_path)
    export(dataset, "mds", tmp_path / "mds", splits=["val"])
    with pytest.raises(SettingsError, match="it has an export for mds"):
        export(dataset, "folder", tmp_path / "mds")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mds", "own.txt"]


def test_two_exports_at_a_time_into_one_folder_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, "mds", tmp_path / "mds", splits=["val"])
    descriptor = os.open(tmp_path / "mds" / ".export", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(DatasetError, match="another process writes an export into it"):
        export(dataset, "mds", tmp_path / "mds", splits=["val"])
    os.close(descriptor)


def test_an_unknown_split_is_refused_before_anything_is_written(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"split 'test': it is unknown or empty\. Use one of train, val"):
        export(dataset, "mds", tmp_path / "mds", splits=["test"])
    assert not (tmp_path / "mds").exists()


def test_fields_have_names_of_their_own(dataset: Dataset) -> None:
    templates = ("source.txt = a", "image.txt = b", "txt = c", "note.txt = d")
    names = fields_of(Dataset(dataset.path, {**dataset.settings, "texts.templates": templates}))

    assert {"source_txt", "image_txt", "txt", "note", "sci_com", "kingdom"} <= set(names)
    assert len({name.lower() for name in ("image", *names)}) == len(names) + 1


def test_a_library_that_is_missing_is_named(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lance", None)  # which Python takes for a package that is not installed
    with pytest.raises(DatasetError, match=r"pip install 'tol_luigi\[lance\]'"):
        export(dataset, "lance", tmp_path / "lance")
    assert not (tmp_path / "lance").exists()


def test_the_rows_of_parquet_are_for_viewers(exported: Callable[[str], Path]) -> None:
    file = pq.ParquetFile(next((exported("parquet") / "data").glob("train-00000-*")))
    column = file.metadata.row_group(0).column(0)

    assert (column.path_in_schema, column.compression, column.has_offset_index) == (
        "image.bytes",
        "UNCOMPRESSED",
        True,
    )


def test_tables_of_a_folder_are_plain_csv(exported: Callable[[str], Path]) -> None:
    for table in (exported("folder") / "train").rglob("metadata.csv"):
        rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
        assert {row["file_name"] for row in rows} == {path.name for path in table.parent.glob("*.jpg")}
