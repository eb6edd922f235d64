"""``tol check``: what is wrong with settings and tables, before anything is built."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Tol = Callable[..., subprocess.CompletedProcess[str]]
Seen = Callable[[Path], dict[str, tuple[int, int]]]
Sections = dict[str, dict[str, Any]]


def test_settings_that_a_build_can_use(
    *, tol: Tol, seen: Seen, settings_file: Any, sample_settings: Sections, tmp_path: Path
) -> None:
    settings = settings_file(sample_settings)
    before = seen(tmp_path)
    done = tol("check", "--config", settings, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "3 sources, all settings and tables can be used."
    assert seen(tmp_path) == before


def test_without_a_source_there_is_nothing_to_check(tol: Tol, tmp_path: Path) -> None:
    done = tol("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the demonstration is built" in done.stdout


TABLES = {
    "[eol] taxon_tab": ("eol", "taxon_tab"),
    "[eol] vernaculars": ("eol", "vernaculars"),
    "[bioscan] metadata": ("bioscan", "metadata"),
    "[itis] chains": ("itis", "chains"),
    "[resolved] jsonl": ("resolved", "jsonl"),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_read_to_its_end(
    *, name: str, tol: Tol, settings_file: Any, sample_settings: Sections, tmp_path: Path
) -> None:
    section, key = TABLES[name]
    if key not in sample_settings[section]:
        pytest.skip(f"the sample has no {name}")
    path = tmp_path / sample_settings[section][key].name
    shutil.copyfile(sample_settings[section][key], path)
    with path.open("a", encoding="utf-8") as file:
        file.write("one cell too few\n" if path.suffix != ".jsonl" else "{\n")
    settings = settings_file({**sample_settings, section: {**sample_settings[section], key: path}})
    done = tol("check", "--config", settings, cwd=tmp_path)

    assert done.returncode == 40
    [line] = done.stderr.splitlines()
    assert line.startswith(f"tol: {name} = {path}: ")


def test_labels_that_match_nothing_are_one_line_with_the_likely_cause(
    *, tol: Tol, settings_file: Any, sample_settings: Sections, tmp_path: Path
) -> None:
    images = sample_settings["bioscan"]["images"] / "part1"
    labels = tmp_path / "labels.csv"
    files = sorted(path.name for path in images.iterdir())
    labels.write_text("file,genus\n" + "".join(f"other/{file},Apis\n" for file in files), encoding="utf-8")
    settings = settings_file({"folder": {"images": images, "labels": labels}})
    done = tol("check", "--config", settings, cwd=tmp_path)

    assert done.returncode == 40
    [line] = done.stderr.splitlines()
    assert line.startswith(f"tol: [folder] labels = {labels}: it names 0 of {len(files)} images")
    assert "other/" in line


def test_a_dataset_with_other_settings_is_one_line(tol: Tol, settings_file: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "dev").mkdir(parents=True)
    (tmp_path / "out" / "dev" / "dataset.json").write_text('{"dataset.seed": 3}')
    settings = settings_file({"dataset": {"root": "out"}})
    done = tol("check", "--config", settings, cwd=tmp_path)

    assert done.returncode == 40
    [line] = done.stderr.splitlines()
    assert "this dataset was started with other settings: dataset.seed was 3, is 17" in line


def test_splits_that_are_none_are_found(tol: Tol, settings_file: Any, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    (tmp_path / "labels.csv").write_text("file,species,fold\na.jpg,Corvus corax,seven\n")
    folder = {"images": "photos", "labels": "labels.csv", "split_column": "fold"}
    done = tol("check", "--config", settings_file({"folder": folder}), cwd=tmp_path)

    assert done.returncode == 40
    [line] = done.stderr.splitlines()
    assert "line 2 has 'seven' in its column fold, which is not a split. Use train, " in line
