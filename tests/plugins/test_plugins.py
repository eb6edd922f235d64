from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from packages import changed, documented_files, environment, install
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Environment = dict[str, str]

SPECIES = ["Bellis perennis", "Rosa canina", "Quercus robur", "NA"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package of ``docs/architecture.md``."""
    return install(documented_files(), tmp_path_factory.mktemp("herbarium"))


@pytest.fixture
def herbarium(site: Path) -> Environment:
    """The environment in which that package is found."""
    return environment(site)


@pytest.fixture
def sheets(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Twelve sheets, of which the table names eleven; and settings to build them."""
    folder = tmp_path / "sheets"
    folder.mkdir()
    for number in range(1, 13):
        image = Image.effect_noise((300, 200), 40 + number)
        image.convert("RGB").save(folder / f"{number}.jpg", quality=90)
    (folder / "label.jpg").write_bytes(b"not a sheet")
    lines = [f'{number},{SPECIES[number % 3]},"Herbarium, {number}"' for number in range(1, 12)]
    (tmp_path / "sheets.csv").write_text("\n".join(["number,species,owner", *lines]) + "\n", encoding="utf-8")
    return {
        "dataset": {"root": "out", "tag": "sheets"},
        "herbarium": {"images": folder, "sheets": tmp_path / "sheets.csv"},
        "checks": {"max_bad_percent": 20},
    }


def test_a_source_of_another_package_builds_a_dataset(
    herbarium: Environment,
    build: Callable[..., Any],
    settings_file: Callable[..., Path],
    sheets: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    settings = settings_file(sheets)
    finished = build(settings, env=herbarium)
    assert finished.returncode == 0, finished.stderr
    dataset = tmp_path / "out/sheets"
    with (dataset / "224x224/catalog.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "train_small"]
    assert {int(row["herbarium_number"]): f"{row['genus']} {row['species']}" for row in rows} == {
        number: SPECIES[number % 3] for number in range(1, 12)
    }
    with (dataset / "224x224/licenses.csv").open(encoding="utf-8", newline="") as file:
        owners = [row["copyright_owner"] for row in csv.DictReader(file)]
    assert sorted(owners) == sorted(f"Herbarium, {number}" for number in range(1, 12))
    left_out = pq.read_table(dataset / "ledger/mapping.parquet").to_pylist()
    assert [(row["name"], row["state"]) for row in left_out] == [("label.jpg", "bad_name")]
    assert build(settings, env=herbarium).ran == []
    assert build(settings, task="VerifyDataset", env=herbarium).returncode == 0

    told = subprocess.run(
        [sys.executable, "-m", "tol_luigi", "why", "--config", settings, "--names", "7"],
        env={**os.environ, **herbarium},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "Rosa canina" in told.stdout
    assert "sheets.csv" in told.stdout


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
        told = subprocess.run(
            [sys.executable, "-m", "tol_luigi", verb, "--config", settings, "--json"],
            env={**os.environ, **herbarium},
            capture_output=True,
            text=True,
            check=False,
        )
        stages = json.loads(told.stdout)["stages"]
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
