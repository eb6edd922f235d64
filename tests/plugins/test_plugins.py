from __future__ import annotations

import configparser
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from packages import changed, documented_command, environment, example_files, install, with_plugin
from PIL import Image

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Environment = dict[str, str]

SPECIES = ["Bellis perennis", "Rosa canina", "Quercus robur", "NA"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package of ``docs/architecture.md``."""
    return install(example_files(), tmp_path_factory.mktemp("herbarium"))


@pytest.fixture
def herbarium(site: Path) -> Environment:
    """The environment in which that package is found."""
    return environment(site)


def draw_sheets(folder: Path) -> dict[str, dict[str, Any]]:
    """Draw twelve sheets, of which the table names eleven; return settings to build them."""
    images = folder / "sheets"
    images.mkdir()
    for number in range(1, 13):
        image = Image.effect_noise((300, 200), 40 + number)
        image.convert("RGB").save(images / f"{number}.jpg", quality=90)
    (images / "label.jpg").write_bytes(b"not a sheet")
    lines = [f'{number},{SPECIES[number % 3]},"Herbarium, {number % 4}"' for number in range(1, 12)]
    (folder / "sheets.csv").write_text("\n".join(["number,species,owner", *lines]) + "\n", encoding="utf-8")
    return {
        "dataset": {"root": "out", "tag": "sheets"},
        "herbarium": {"images": images, "sheets": folder / "sheets.csv"},
        "checks": {"max_bad_percent": 20},
    }


@pytest.fixture
def sheets(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Sheets in the test's folder."""
    return draw_sheets(tmp_path)


@pytest.fixture(scope="session")
def built(site: Path, build: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of sheets that have been built; tests change nothing there."""
    settings = tmp_path_factory.mktemp("built") / "settings.cfg"
    sections = configparser.RawConfigParser()
    sections.read_dict(draw_sheets(settings.parent))
    with settings.open("w", encoding="utf-8") as file:
        sections.write(file)
    finished = build(settings, env=environment(site))
    assert finished.returncode == 0, finished.stderr
    return settings


def tol(herbarium: Environment, verb: str, settings: Path, *arguments: str) -> str:
    """Return what a command prints."""
    told = subprocess.run(
        [sys.executable, "-m", "tol_luigi", verb, "--config", settings, *arguments],
        env={**os.environ, **herbarium},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_a_source_of_another_package_builds_a_dataset(
    herbarium: Environment, build: Callable[..., Any], built: Path
) -> None:
    dataset = built.parent / "out/sheets"
    with (dataset / "224x224/catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "train_small"]
    assert {int(row["herbarium_number"]): f"{row['genus']} {row['species']}" for row in rows} == {
        number: SPECIES[number % 3] for number in range(1, 12)
    }
    with (dataset / "224x224/licenses.csv").open(encoding="utf-8", newline="") as file:
        owners = [row["copyright_owner"] for row in csv.DictReader(file)]
    assert sorted(owners) == sorted(f"Herbarium, {number % 4}" for number in range(1, 12))
    left_out = pq.read_table(dataset / "ledger/mapping.parquet").to_pylist()
    assert [(row["name"], row["state"]) for row in left_out] == [("label.jpg", "bad_name")]
    assert build(built, env=herbarium).ran == []
    assert build(built, task="VerifyDataset", env=herbarium).returncode == 0

    why = tol(herbarium, "why", built, "--names", "7")
    assert "Rosa canina" in why
    assert "sheets.csv" in why


def test_a_report_of_another_package_is_run_by_its_name(herbarium: Environment, built: Path) -> None:
    report = built.parent / "out/sheets/224x224/owners-report.json"

    def is_run() -> bool:
        finished = subprocess.run(
            [*documented_command("herbarium_report"), "--log-level", "INFO"],
            cwd=built.parent,
            env={**os.environ, **herbarium, "LUIGI_CONFIG_PATH": str(built)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return re.search(r"\) done +CountOwners\(", finished.stderr) is not None

    assert is_run()
    figures = {"Herbarium, 1": 3, "Herbarium, 2": 3, "Herbarium, 3": 3, "Herbarium, 0": 2}
    assert json.loads(report.read_bytes()) == figures
    text = report.with_suffix(".txt")
    assert {line.strip() for line in text.read_text(encoding="utf-8").splitlines()} == {
        f"{count}  {owner}" for owner, count in figures.items()
    }
    assert not is_run()
    text.unlink()
    assert is_run()
    assert text.exists()


def test_a_reader_of_another_package_converts_a_format(
    *,
    build: Callable[..., Any],
    settings_file: Callable[..., Path],
    samples: Callable[..., dict[str, dict[str, bytes]]],
    sheets: dict[str, dict[str, Any]],
    site: Path,
    tmp_path: Path,
) -> None:
    images = sheets["herbarium"]["images"]
    np.save(images / "21.npy", np.full((200, 300, 3), (200, 100, 50), np.uint8))
    np.save(images / "22.npy", np.zeros((200, 300), np.complex128))
    np.save(images / "plate.npy", np.zeros((200, 300), np.uint8))
    with sheets["herbarium"]["sheets"].open("a", encoding="utf-8") as file:
        file.write("21,Rosa canina,A\n22,Rosa canina,A\n")
    finished = build(settings_file(sheets), env=environment(with_plugin(site, tmp_path, "herbarium_rasters")))
    assert finished.returncode == 0, finished.stderr
    dataset = tmp_path / "out/sheets"
    [row, *_] = pq.read_table(
        dataset / "224x224/catalog.parquet", filters=[("herbarium_number", "=", 21)]
    ).to_pylist()
    assert (row["format"], row["width"], row["height"]) == ("PNG", 300, 200)
    with Image.open(io.BytesIO(samples(dataset, row["split"])[row["treeoflife_id"]]["jpg"])) as image:
        assert image.getpixel((112, 112)) == pytest.approx((200, 100, 50), abs=2)
    ledgers = (
        pq.read_table(path).to_pylist() for path in dataset.glob("224x224/records/**/*.ledger.parquet")
    )
    bad = {(row["state"], row["reason"]) for rows in ledgers for row in rows if row["state"] != "written"}
    [(state, reason)] = bad
    assert state == "unreadable"
    assert "cannot be converted" in reason
    left_out = pq.read_table(dataset / "ledger/mapping.parquet").to_pylist()
    assert {row["name"]: row["state"] for row in left_out} == {
        "label.jpg": "bad_name",
        "plate.npy": "no_image",
    }


def test_a_labeler_of_another_package_reads_a_taxonomy(
    build: Callable[..., Any],
    settings_file: Callable[..., Path],
    sheets: dict[str, dict[str, Any]],
    site: Path,
    tmp_path: Path,
) -> None:
    shown = example_files()
    for name in ("taxonomy.csv", "resolved.jsonl"):
        (tmp_path / name).write_text(shown[name], encoding="utf-8")
    sheets["herbarium"]["taxonomy"] = tmp_path / "taxonomy.csv"
    sheets["checks"]["changed_sources"] = "rebuild"
    settings = settings_file({**sheets, "resolved": {"jsonl": tmp_path / "resolved.jsonl"}})
    env = environment(with_plugin(site, tmp_path, "herbarium_taxonomy"))
    finished = build(settings, env=env, task="PredictCatalog")
    assert finished.returncode == 0, finished.stderr
    rows = pq.read_table(tmp_path / "out/sheets/predicted-catalog.parquet").to_pylist()
    assert {tuple(row[rank] for rank in RANK_LABELS) for row in rows} == {
        ("Plantae", "Tracheophyta", "Magnoliopsida", "Rosales", "Rosaceae", "Rosa", "canina"),
        ("Plantae", "Tracheophyta", "Magnoliopsida", "", "Asteraceae", "Bellis", "perennis"),
        ("Plantae", "Tracheophyta", "Magnoliopsida", "Fagales", "Fagaceae", "Quercus", "robur"),
    }
    why = " ".join(tol(env, "why", settings, "--names", "7").split())
    assert "sheets.csv: Plantae Tracheophyta Magnoliopsida Rosales Rosaceae Rosa canina" in why
    sheets["herbarium"]["taxonomy"].write_text(shown["taxonomy.csv"].replace("Rosales", "Rosanae"), "utf-8")
    assert "MakeMetadata" in build(settings, env=env, task="PredictCatalog").ran


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("import csv", "import nothing_of_that_name"), "No module named 'nothing_of_that_name'"),
        (("HERBARIUM = SourcePlugin", "HERBARIUM = dict"), "it is a dict, not a SourcePlugin"),
        (('name="herbarium",', 'name="eol",'), "its section is called 'herbarium', not 'eol'"),
        (('required_table="sheets",', 'required_table="labels",'), "its section has no labels"),
        (
            ('spelling="{}"', 'spelling="{}/{}"'),
            "its natural key of 1 parts cannot be formatted with '{}/{}'",
        ),
        (('name_column="number"', 'name_column="page"'), "names are looked up by page, which is not part"),
    ],
)
def test_a_source_that_cannot_be_used_stops_every_command_with_one_line(
    build: Callable[..., Any], site: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    broken = environment(changed(site, tmp_path, "herbarium.py", change))
    finished = build(None, cwd=tmp_path, env=broken)
    assert finished.returncode == 40
    [line] = finished.messages
    assert message in line
    assert "herbarium = herbarium:HERBARIUM of the package herbarium 1.0" in line
    assert not (tmp_path / "build").exists()


def tables(dataset: Path) -> dict[str, list[dict[str, Any]]]:
    folder = dataset / "224x224/tables/MeasureBrightness"
    return {
        path.relative_to(folder).as_posix(): pq.read_table(path).to_pylist()
        for path in folder.rglob("*.parquet")
    }


def test_a_stage_of_another_package_is_a_stage_like_others(
    *,
    herbarium: Environment,
    build: Callable[..., Any],
    start: Callable[..., subprocess.Popen[str]],
    settings_file: Callable[..., Path],
    sheets: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    settings, dataset = settings_file(sheets), tmp_path / "out/sheets"

    def stage(verb: str) -> dict[str, Any]:
        stages = json.loads(tol(herbarium, verb, settings, "--json"))["stages"]
        return next(one for one in stages if one["name"] == "MeasureBrightness")

    assert (stage("plan")["tasks"], stage("plan")["complete"]) == (3, 0)
    with start(settings, env=herbarium) as process:  # killed when the first table has been written
        until = time.monotonic() + 60
        while not list(dataset.rglob("tables/**/*.parquet")) and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    finished = build(settings, env=herbarium)
    assert finished.returncode == 0, finished.stderr
    assert (stage("status")["tasks"], stage("status")["complete"]) == (3, 3)

    made = tables(dataset)
    catalog = pq.read_table(dataset / "224x224/catalog.parquet").to_pylist()
    assert sorted(row["id"] for rows in made.values() for row in rows) == sorted(
        row["treeoflife_id"] for row in catalog
    )
    assert all(0 < row["brightness"] < 255 for rows in made.values() for row in rows)
    manifest = json.loads((dataset / "manifest.json").read_bytes())
    assert {name for name in manifest["files"] if name.startswith("224x224/tables/")} == {
        f"224x224/tables/MeasureBrightness/{name}" for name in made
    }

    table = next(dataset.rglob("tables/**/train/**/all.parquet"))
    whole = table.read_bytes()
    table.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert build(settings, task="VerifyDataset", env=herbarium).returncode == 30
    assert build(settings, "--repair", task="VerifyDataset", env=herbarium).returncode == 0
    assert table.read_bytes() == whole
    table.unlink()
    assert (
        "MeasureBrightness split=train source=herbarium partition=all" in build(settings, env=herbarium).ran
    )
    assert table.read_bytes() == whole


def test_a_stage_must_account_for_every_sample(
    build: Callable[..., Any],
    settings_file: Callable[..., Path],
    sheets: dict[str, dict[str, Any]],
    site: Path,
    tmp_path: Path,
) -> None:
    change = "for sample in samples:", "for sample in list(samples)[1:]:"
    broken = environment(changed(site, tmp_path, "herbarium_stages.py", change))
    finished = build(settings_file(sheets), env=broken)
    assert finished.returncode == 30
    assert any("which is not the sample at this place" in line for line in finished.messages)
    assert not list(tmp_path.rglob("tables/**/train/**/*.parquet"))
