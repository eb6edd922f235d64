"""What is wrong in the first rows of a table stops a build before its first task; what is deep in it stops the task that reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tol_luigi import settings_from
from tol_luigi.cluster.foreman import lead
from tol_luigi.cluster.submit import submit
from tol_luigi.core.errors import TableError
from tol_luigi.tasks import table_checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forked import Ended, Forks

Sections = dict[str, dict[str, Any]]

WRONG_SETTINGS, TASK_FAILED = 40, 30


@pytest.fixture
def collection(tmp_path: Path, settings_file: Any) -> Path:
    """Write the settings of a collection of one image."""
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8), "red").save(images / "a.jpg")
    dataset = {"root": tmp_path / "out", "tag": "t", "val_percent": 0, "train_small_percent": 0}
    path: Path = settings_file(
        {
            "dataset": dataset,
            "folder": {"images": images, "labels": tmp_path / "labels.csv"},
            "cluster": {"bind": "0.0.0.0"},
        }
    )
    return path


@pytest.fixture
def built(forks: Forks, collection: Path, tmp_path: Path) -> Callable[[bytes], Ended]:
    """Build the collection with some labels."""

    def build(labels: bytes) -> Ended:
        (tmp_path / "labels.csv").write_bytes(labels)
        return forks.build(collection, "BuildCatalog")

    return build


WRONG = {
    "no such column": (b"image,species\na.jpg,Apis mellifera\n", "line 1 lacks the column file"),
    "no column of names": (b"file,owner\na.jpg,me\n", "line 1 lacks a column that names"),
    "encoding": (b"file,species\na.jpg,Apis m\xfcller\n", "line 2 is not UTF-8 (byte 0xFC"),
    "row length": (
        b"file,species\na.jpg,Apis mellifera,me\n",
        "line 2 has too many cells (3; the header has 2)",
    ),
    "quote": (b'file,species\na.jpg,"Apis mellifera\n', "line 2 opens a quote"),
    "JSON lines": (b'{"file": "a.jpg", "species": "Apis mellifera"}\n{\n', "line 2 is not JSON"),
    "Parquet": (b"PAR1 and no more", "is not a complete Parquet file"),
}


@pytest.mark.parametrize(("labels", "what"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_table_stops_a_build_before_its_first_task(
    *, labels: bytes, what: str, built: Callable[[bytes], Ended], tmp_path: Path
) -> None:
    ended = built(labels)

    assert (ended.code, len(ended.messages)) == (WRONG_SETTINGS, 1), ended.output
    assert ended.messages[0].startswith(f"[folder] labels = {tmp_path / 'labels.csv'}: {what}")
    assert not (tmp_path / "out").exists()


def test_tol_build_submit_and_the_foreman_find_it_as_well(collection: Path, tmp_path: Path) -> None:
    labels, what = WRONG["no such column"]
    (tmp_path / "labels.csv").write_bytes(labels)
    tol = [sys.executable, "-m", "tol_luigi", "build", "--config", str(collection)]
    done = subprocess.run(tol, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == WRONG_SETTINGS
    assert done.stderr.startswith(f"tol: [folder] labels = {tmp_path / 'labels.csv'}: {what}")
    assert not (tmp_path / "out").exists()

    with settings_from(collection) as settings:
        with pytest.raises(TableError, match=what):
            submit(settings, dry_run=True)
        with pytest.raises(TableError, match=what):
            lead(settings)


def test_a_wrong_row_deep_in_a_table_stops_the_task_that_reads_it(
    built: Callable[[bytes], Ended], tmp_path: Path
) -> None:
    rows = [b"a.jpg,Apis mellifera", *(b"%d.jpg,Apis" % number for number in range(table_checks._FIRST_ROWS))]
    ended = built(b"file,species\n" + b"\n".join(rows) + b"\nx,y,z\n")

    assert ended.code == TASK_FAILED, ended.output
    where = f"[folder] labels = {tmp_path / 'labels.csv'}: line {len(rows) + 2}"
    assert ended.messages[0].startswith(f"ScanPartition folder all: {where} has too many cells (3; "), (
        ended.output
    )


def test_a_complete_dataset_stays_complete_whatever_its_tables_are(
    built: Callable[[bytes], Ended], forks: Forks, collection: Path, tmp_path: Path
) -> None:
    labels = b"file,species\na.jpg,Apis mellifera\n"
    ended = built(labels)
    assert ended.code == 0, ended.output
    read = (tmp_path / "labels.csv").stat()
    (tmp_path / "labels.csv").write_bytes(b"x" * len(labels))
    os.utime(tmp_path / "labels.csv", ns=(read.st_atime_ns, read.st_mtime_ns))  # nothing has to be read again

    with settings_from(collection) as settings:
        assert list(table_checks.table_errors(settings))
    ended = forks.build(collection, "BuildCatalog")
    assert ended.code == 0, ended.output


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_the_first_rows_of_right_tables_are_right(
    rows: int, sample_settings: Sections, settings_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_checks, "_FIRST_ROWS", rows)
    with settings_from(settings_file(sample_settings)) as settings:
        table_checks.validate_tables(settings)
