"""``tol init``: from a folder of images to a settings file that builds."""

from __future__ import annotations

import configparser
import csv
import json
import os
import pty
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tol = Callable[..., subprocess.CompletedProcess[str]]

TAXA = ("Corvus_corax", "Pica_pica", "Apis mellifera")


def photographs(folder: Path, count: int = 60) -> Path:
    """Draw images in folders that are named after taxa."""
    for number in range(count):
        place = folder / TAXA[number % len(TAXA)]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (number * 4, 255 - number * 4, number)).save(place / f"{number}.jpg")
    return folder


def read(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read(path, encoding="utf-8")
    return {section: dict(parser[section]) for section in parser.sections()}


def test_two_commands_from_folders_of_photographs_to_a_dataset(tol: Tol, tmp_path: Path) -> None:
    photographs(tmp_path / "pond")
    made = tol("init", "pond", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "60 images" in made.stdout
    assert "folders of the form {name}, 3 different: Apis mellifera, Corvus corax, Pica pica" in made.stdout
    assert "tol build --config pond.cfg" in made.stdout
    assert read(tmp_path / "pond.cfg") == {
        "dataset": {"root": "datasets", "tag": "pond"},
        "imagefolder": {"images": str(tmp_path / "pond")},
    }

    built = tol("build", "--config", "pond.cfg", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    with (tmp_path / "datasets" / "pond" / "224x224" / "catalog.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    assert len({row["treeoflife_id"] for row in rows}) == 60
    assert {(row["genus"], row["species"]) for row in rows} == {
        tuple(name.replace("_", " ").split()) for name in TAXA
    }
    assert all(row["imagefolder_file"].startswith(f"{row['genus']}") for row in rows)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_a_table_comes_before_the_names_of_folders(form: str, tol: Tol, tmp_path: Path) -> None:
    folder = photographs(tmp_path / "pond", 6)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    rows = [{"file": file, "name": "Pica pica"} for file in files]
    with (folder / f"labels.{form}").open("w", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            file.writelines(f"{json.dumps(row)}\n" for row in rows)
        else:
            writer = csv.DictWriter(file, ["file", "name"], delimiter={"csv": ",", "tsv": "\t"}[form])
            writer.writeheader()
            writer.writerows(rows)
    (folder / "notes.csv").write_text("day,weather\n1,fine\n", encoding="utf-8")

    made = tol("init", folder, "--tag", "v1", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert read(tmp_path / "v1.cfg")["folder"] == {
        "images": str(folder),
        "labels": str(folder / f"labels.{form}"),
    }
    assert tol("build", "--config", "v1.cfg", cwd=tmp_path).returncode == 0
    assert (tmp_path / "datasets" / "v1" / "224x224" / "catalog.csv").read_text(encoding="utf-8").count(
        "Pica,pica"
    ) >= 6


def test_an_archive_is_looked_into(tol: Tol, tmp_path: Path) -> None:
    photographs(tmp_path / "pond", 6)
    shutil.make_archive(str(tmp_path / "pond"), "zip", tmp_path, "pond")
    assert tol("init", "pond.zip", cwd=tmp_path).returncode == 0
    assert read(tmp_path / "pond.cfg")["imagefolder"]["images"] == str(tmp_path / "pond.zip")


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ([], "there is no image in it"),
        (["IMG_1.jpg", "IMG_2.jpg"], "nothing says what its images show ('IMG_1.jpg', 'IMG_2.jpg')"),
        (["day1/IMG_1.jpg", "day2/IMG_2.jpg"], "nothing says what its images show"),
    ],
)
def test_images_that_nothing_names_are_one_line(
    names: list[str], what: str, tol: Tol, tmp_path: Path
) -> None:
    folder = tmp_path / "pond"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    made = tol("init", "pond", cwd=tmp_path)

    assert (made.returncode, made.stdout) == (40, "")
    assert made.stderr.startswith(f"tol: {folder}: {what}")
    assert len(made.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [folder]


def test_no_settings_file_is_overwritten(tol: Tol, tmp_path: Path) -> None:
    photographs(tmp_path / "pond", 6)
    (tmp_path / "pond.cfg").write_text("mine", encoding="utf-8")
    made = tol("init", "pond", cwd=tmp_path)
    assert made.returncode == 40
    assert made.stderr == "tol: pond.cfg: exists already. Give another name: --output FILE.\n"
    assert (tmp_path / "pond.cfg").read_text(encoding="utf-8") == "mine"
    assert tol("init", "pond", "--output", "other.cfg", cwd=tmp_path).returncode == 0


def test_a_person_is_asked(tmp_path: Path) -> None:
    photographs(tmp_path / "pond", 6)
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tol_luigi", "init", "pond"],
        cwd=tmp_path,
        env=environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.write(ours, b"spring\n\n")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "name of the dataset [pond]: " in output
    assert read(tmp_path / "spring.cfg")["dataset"] == {"root": "datasets", "tag": "spring"}


def test_a_table_next_to_the_folder_is_found(tol: Tol, tmp_path: Path) -> None:
    photographs(tmp_path / "pond", 3)
    rows = "".join(f"{TAXA[number]}/{number}.jpg,Pica pica\n" for number in range(3))
    (tmp_path / "pond.csv").write_text(f"file,name\n{rows}", encoding="utf-8")
    assert tol("init", "pond", "--tag", "v1", cwd=tmp_path).returncode == 0
    assert read(tmp_path / "v1.cfg")["folder"]["labels"] == str(tmp_path / "pond.csv")
