"""The inputs that ``bench/`` makes up: every stage without pixels takes them as it takes real ones."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
IMAGES = 3000
BEFORE = [
    "MakeMapping",
    "MakeSplits",
    "MakeMetadata",
    "PredictCatalog",
    "CheckMatches",
    "CheckPredictedTaxa",
    "PlanShards",
]
AFTER = [
    "FindDuplicates",
    "WriteCatalog",
    "WriteAttribution",
    "WriteCard",
    "WriteManifest",
    "CheckTaxa",
    "ReportLeaks",
    "BuildReport",
    "BuildCatalog",
]

SWITCHES = {"own ids": (), "published ids": ("--published",)}

Build = Callable[..., Any]
Digests = Callable[..., dict[str, str]]
Once = Callable[[str, Callable[[Path], None]], Path]


def run(script: str, *arguments: str | Path, settings: Path | None = None) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    named = {"LUIGI_CONFIG_PATH": str(settings)} if settings else {}
    path = os.pathsep.join([str(BENCH.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, BENCH / script, *arguments],
        env={**kept, **named, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def make(folder: Path, *switches: str) -> Path:
    run("_full_size.py", folder, "--images", str(IMAGES), *switches)
    return folder / "luigi.cfg"


def lines_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def counted(mapping: Path) -> dict[str, int]:
    """Count the images of the published tables, and those of each split."""
    queries = {
        "eol": "SELECT count(*) FROM eol",
        "inat21": "SELECT count(*) FROM inat21",
        "bioscan": "SELECT count(*) FROM bioscan",
        "split": "SELECT count(*) FROM split",
        "val": "SELECT count(*) FROM split WHERE is_val",
        "train_small": "SELECT count(*) FROM split WHERE is_train_small",
    }
    with contextlib.closing(sqlite3.connect(mapping)) as database:
        return {name: database.execute(query).fetchone()[0] for name, query in queries.items()}


@pytest.fixture(scope="session")
def made(once: Once) -> Callable[[str], Path]:
    """Give the folder of inputs made up, made once for all tests: ``own ids`` or ``published ids``."""

    def make_once(ids: str) -> Path:
        return once(f"made {ids}", lambda folder: make(folder / "full", *SWITCHES[ids])) / "full"

    return make_once


@pytest.fixture(scope="session", params=SWITCHES)
def built(request: pytest.FixtureRequest, made: Callable[[str], Path], once: Once, build: Build) -> Path:
    """The folder of a dataset that is built of inputs made up, with the tasks of its build in ``ran.json``."""

    def fill(folder: Path) -> None:
        full = Path(shutil.copytree(made(request.param), folder / "full"))
        planned = build(full / "luigi.cfg", task="PlanShards")
        assert planned.returncode == 0, planned.stderr
        run("_written.py", settings=full / "luigi.cfg")
        finished = build(full / "luigi.cfg")
        assert finished.returncode == 0, finished.stderr
        (folder / "ran.json").write_text(json.dumps([planned.ran, finished.ran]), encoding="utf-8")

    return once(f"built {request.param}", fill) / "full"


def test_every_stage_but_those_with_pixels_runs_to_its_end(built: Path) -> None:
    planned, ran = json.loads(built.with_name("ran.json").read_text(encoding="utf-8"))
    *stages, first_check, second_check, last = planned

    # the checks do not wait for each other
    assert [*stages, *sorted([first_check, second_check]), last] == BEFORE
    assert sorted(ran) == sorted(AFTER)


def test_every_image_has_its_end_and_every_sample_is_in_the_catalog(
    built: Path, ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    dataset = built / "built" / "full"
    rows = ledger(dataset)
    catalog = pq.read_table(
        dataset / "224x224" / "catalog.parquet", columns=["treeoflife_id", "split"]
    ).to_pylist()
    ends = Counter(row["state"] for row in rows)
    written = {row["id"] for row in rows if row["state"] == "written"}

    assert sum(ends.values()) - ends["missing"] == IMAGES
    assert sorted(row["treeoflife_id"] for row in catalog if row["split"] != "train_small") == sorted(written)
    assert {row["treeoflife_id"] for row in catalog if row["split"] == "train_small"} < written
    assert ends["written"] > IMAGES * 0.9
    others = ["not_in_mapping", "missing"] if ends["missing"] else ["bad_name", "duplicate_name"]
    assert all(
        ends[end] for end in ["excluded_image", "excluded_species", "no_taxon", "unreadable", *others]
    ), ends


def test_some_images_share_their_bytes(built: Path) -> None:
    found = pq.read_table(built / "built" / "full" / "224x224" / "duplicates.parquet")

    assert 0 < len(found) < IMAGES / 10


def licenses_of_eol(path: Path) -> list[list[str]]:
    """Return the head of ``licenses.csv`` and its rows of EOL, which are all that the published file has."""
    head, *rows = lines_of(path)
    return [head, *(row for row in rows if row[head.index("eol_content_id")])]


def test_every_image_of_eol_has_a_licence(built: Path) -> None:
    shards = built / "built" / "full" / "224x224"
    head, *rows = licenses_of_eol(shards / "licenses.csv")
    catalog = pq.read_table(shards / "catalog.parquet", columns=["source", "split"]).to_pylist()

    assert len(rows) == sum(row["source"] == "eol" and row["split"] != "train_small" for row in catalog)
    assert all(row[head.index("eol_full_size_copy_url")] for row in rows)


def test_a_published_mapping_has_as_many_images_in_no_order_of_their_ids(made: Callable[[str], Path]) -> None:
    mapping = made("published ids") / "tables" / "mapping.sqlite"
    counts = counted(mapping)
    with contextlib.closing(sqlite3.connect(mapping)) as database:
        ids = database.execute("SELECT evobio10m_id FROM split ORDER BY rowid").fetchall()

    assert counts["eol"] + counts["inat21"] + counts["bioscan"] == counts["split"]
    assert abs(counts["split"] - IMAGES) < IMAGES * 0.01
    assert ids != sorted(ids)


@pytest.mark.parametrize("ids", SWITCHES)
def test_it_is_the_same_byte_for_byte_wherever_it_is_made(
    ids: str, made: Callable[[str], Path], tmp_path: Path, digests: Digests
) -> None:
    make(tmp_path / "other", *SWITCHES[ids])

    assert digests(tmp_path / "other") == digests(made(ids))


@pytest.mark.parametrize("built", ["own ids"], indirect=True)
def test_a_plain_reading_of_the_published_method_does_the_same_work(built: Path, tmp_path: Path) -> None:
    settings = Path(shutil.copytree(built, tmp_path / "full")) / "luigi.cfg"
    for stage in ("MakeMapping", "MakeSplits", "PredictCatalog", "WriteCatalog"):
        run("_published_method.py", stage, settings=settings)
    plain, dataset = tmp_path / "full" / "plain", tmp_path / "full" / "built" / "full"
    predicted = [row[:-1] for row in lines_of(dataset / "predicted-catalog.csv")]

    assert sorted(lines_of(plain / "predicted-catalog.csv")) == sorted(predicted)
    assert sorted(lines_of(plain / "catalog.csv")) == sorted(lines_of(dataset / "224x224" / "catalog.csv"))
    ours = licenses_of_eol(dataset / "224x224" / "licenses.csv")
    assert sorted(lines_of(plain / "licenses.csv")) == sorted(ours)
    assert counted(plain / "mapping.sqlite") == counted(dataset / "mapping.sqlite")
