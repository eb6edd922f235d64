"""The commands know sections with a label."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Tol = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Two collections of one image each, with the same file name."""
    lines = []
    for name in ("pond", "lake"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
        (tmp_path / f"{name}.csv").write_text("file,genus\n1.png,Rana\n", encoding="utf-8")
        lines += [f"[folder:{name}]", f"images = {name}", f"labels = {name}.csv"]
    path = tmp_path / "waters.cfg"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_config_shows_a_section_with_a_label_and_what_replaces_its_keys(
    tol: Tol, settings: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("file,genus\n1.png,Bufo\n", encoding="utf-8")
    done = tol("config", "--json", "--config", settings, "--set", "folder:pond.labels=new.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = {(row["section"], row["key"]): (row["value"], row["origin"]) for row in json.loads(done.stdout)}
    assert found["folder:pond", "labels"] == (str(tmp_path / "new.csv"), "the command line")
    assert found["folder:lake", "labels"] == (str(tmp_path / "lake.csv"), str(settings))
    assert found["folder:lake", "name"] == ("lake", "")
    assert found["folder", "name"] == ("own", "")


def test_plan_has_a_row_and_a_match_for_each_collection(tol: Tol, settings: Path, tmp_path: Path) -> None:
    (tmp_path / "lake.csv").write_text("file,genus\n2.png,Rana\n", encoding="utf-8")
    done = tol("plan", "--json", "--config", settings, cwd=tmp_path)
    plan = json.loads(done.stdout)
    assert [source["name"] for source in plan["stocks"]] == ["folder-lake", "folder-pond"]
    assert done.returncode == 1
    text = json.dumps(plan)
    assert "[folder:pond] labels names 1 of 1 image of folder-pond" in text
    assert f"[folder:lake] labels = {tmp_path / 'lake.csv'}: it names 0 of 1 image of folder-lake" in text


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            "folder:pond.lables=x.csv",
            "--set folder:pond.lables=x.csv: there is no such key. Did you mean folder:pond.labels?",
        ),
        (
            "eol:pond.images=pond",
            "--set eol:pond.images=pond: [eol] cannot have a label. Use [eol]; labels are for folder, imagefolder, table.",
        ),
        (
            "dataset.sources=folder:sea",
            "--set dataset.sources=folder:sea: there is no section [folder:sea]. Add it, or use one of folder:lake, folder:pond.",
        ),
    ],
)
def test_a_wrong_change_is_one_line(
    *, change: str, line: str, tol: Tol, settings: Path, tmp_path: Path
) -> None:
    done = tol("check", "--config", settings, "--set", change, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (40, "", f"tol: {line}\n")
