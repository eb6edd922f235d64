"""The inputs that ``bench/`` makes up: every stage without pixels takes them as it takes real ones."""

from __future__ import annotations

import contextlib
import csv
import os
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

Build = Callable[..., Any]
Digests = Callable[..., dict[str, str]]


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


@pytest.fixture(scope="module", params=["own ids", "published ids"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, build: Build
) -> tuple[Path, Any]:
    """The folder of a dataset that is built of inputs made up, and the end of its build."""
    folder = tmp_path_factory.mktemp("made")
    settings = make(folder / "full", *(["--published"] if request.param == "published ids" else []))
    planned = build(settings, task="PlanShards")
    assert planned.returncode == 0, planned.stderr
    *stages, first_check, second_check, last = planned.ran
    assert [
        *stages,
        *sorted([first_check, second_check]),
        last,
    ] == BEFORE  # the checks do not wait for each other
    run("_written.py", settings=settings)
    return folder / "full", build(settings)


def test_every_stage_but_those_with_pixels_runs_to_its_end(built: tuple[Path, Any]) -> None:
    _, finished = built

    assert finished.returncode == 0, finished.stderr
    assert sorted(finished.ran) == sorted(AFTER)


def test_every_image_has_its_end_and_every_sample_is_in_the_catalog(
    built: tuple[Path, Any], ledger: Callable[[Path], list[dict[str, Any]]]
) -> None:
    folder, _ = built
    dataset = folder / "built" / "full"
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


def test_some_images_share_their_bytes(built: tuple[Path, Any]) -> None:
    folder, _ = built
    found = pq.read_table(folder / "built" / "full" / "224x224" / "duplicates.parquet")

    assert 0 < len(found) < IMAGES / 10


def licenses_of_eol(path: Path) -> list[list[str]]:
    """Return the head of ``licenses.csv`` and its rows of EOL, which are all that the published file has."""
    head, *rows = lines_of(path)
    return [head, *(row for row in rows if row[head.index("eol_content_id")])]


def test_every_image_of_eol_has_a_licence(built: tuple[Path, Any]) -> None:
    folder, _ = built
    shards = folder / "built" / "full" / "224x224"
    head, *rows = licenses_of_eol(shards / "licenses.csv")
    catalog = pq.read_table(shards / "catalog.parquet", columns=["source", "split"]).to_pylist()

    assert len(rows) == sum(row["source"] == "eol" and row["split"] != "train_small" for row in catalog)
    assert all(row[head.index("eol_full_size_copy_url")] for row in rows)


def test_a_published_mapping_has_as_many_images_in_no_order_of_their_ids(tmp_path: Path) -> None:
    make(tmp_path / "made", "--published")
    counts = counted(tmp_path / "made" / "tables" / "mapping.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "made" / "tables" / "mapping.sqlite")) as database:
        ids = database.execute("SELECT evobio10m_id FROM split ORDER BY rowid").fetchall()

    assert counts["eol"] + counts["inat21"] + counts["bioscan"] == counts["split"]
    assert abs(counts["split"] - IMAGES) < IMAGES * 0.01
    assert ids != sorted(ids)


@pytest.mark.parametrize("switches", [[], ["--published"]], ids=["own ids", "published ids"])
def test_it_is_the_same_byte_for_byte_wherever_it_is_made(
    switches: list[str], tmp_path: Path, digests: Digests
) -> None:
    for name in ("one", "other"):
        make(tmp_path / name, *switches)

    assert digests(tmp_path / "one") == digests(tmp_path / "other")


def test_a_plain_reading_of_the_published_method_does_the_same_work(tmp_path: Path, build: Build) -> None:
    settings = make(tmp_path / "full")
    assert build(settings, task="PlanShards").returncode == 0
    run("_written.py", settings=settings)
    assert build(settings).returncode == 0
    for stage in ("MakeMapping", "MakeSplits", "PredictCatalog", "WriteCatalog"):
        run("_published_method.py", stage, settings=settings)
    plain, dataset = tmp_path / "full" / "plain", tmp_path / "full" / "built" / "full"
    predicted = [row[:-1] for row in lines_of(dataset / "predicted-catalog.csv")]

    assert sorted(lines_of(plain / "predicted-catalog.csv")) == sorted(predicted)
    assert sorted(lines_of(plain / "catalog.csv")) == sorted(lines_of(dataset / "224x224" / "catalog.csv"))
    ours = licenses_of_eol(dataset / "224x224" / "licenses.csv")
    assert sorted(lines_of(plain / "licenses.csv")) == sorted(ours)
    assert counted(plain / "mapping.sqlite") == counted(dataset / "mapping.sqlite")
