"""The walk through the documentation, from its text: every command works in a fresh shell, every table is one."""

from __future__ import annotations

import csv
import re
import shlex
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from pages import ROOT, fences, walk

import tol_luigi
from tol_luigi.command.parser import parser

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMAND = re.compile(r"(?:^|[|;&] *|[A-Z_]+=\S+ +)(tol|luigi|python|pip)\b")
TOL = re.compile(r"(?:^|\$ |\w=\S+ |/)tol ([a-z][^\n#&]*)", re.MULTILINE)
TASK = re.compile(r"luigi --module tol_luigi (\w+)")
ACTIVATED = re.compile(r"\. \.venv/bin/activate|PATH=\$PWD/\.venv/bin")


def rows_of(catalog: Path) -> list[dict[str, str]]:
    with catalog.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_readme_as_it_is_read(tmp_path: Path) -> None:
    done = walk(ROOT / "README.md", tmp_path)
    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "build" / "dev" / "224x224" / "catalog.csv")
    rows = rows_of(tmp_path / "datasets" / "photos" / "224x224" / "catalog.csv")
    assert len({row["treeoflife_id"] for row in rows}) == 60


def test_the_pictures_of_the_tutorial_are_small_and_belong_to_it() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
    assert pictures
    assert {f"pictures/{path.name}" for path in pictures} == set(re.findall(r"\((pictures/.*?)\)", text))
    for path in pictures:
        drawn = path.read_text(encoding="utf-8")
        assert len(drawn) < 60_000
        assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 (a file of ours)
        # A page fetches nothing for them.
        assert re.findall(r"(?:url\(|href=)[\"']?http", drawn) == []


def test_a_dataset_of_own_images_as_it_is_read(tmp_path: Path) -> None:
    done = walk(ROOT / "docs" / "own-dataset.md", tmp_path)
    assert done.returncode == 0, done.stderr
    # Nothing is rejected in the layouts that the page shows.
    assert "rejected" not in done.stdout
    folders = rows_of(tmp_path / "datasets" / "photos" / "224x224" / "catalog.csv")
    assert {row["genus"] for row in folders} == {"Corvus", "Apis"}
    table = rows_of(tmp_path / "datasets" / "pond-v1" / "224x224" / "catalog.csv")
    assert {row["common"] for row in table} == {"common raven", "Animalia Arthropoda Insecta Odonata"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_their_environment_or_come_after_its_activation(page: Path) -> None:
    is_active, bare = False, []
    for fence in fences(page):
        for line in fence.text.splitlines() if fence.language == "sh" else ():
            is_active = is_active or bool(ACTIVATED.search(line))
            if COMMAND.search(line) and not is_active:
                bare.append(line)
    assert bare == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_verbs_options_and_tasks_that_are_there(page: Path) -> None:
    shown = [fence.text for fence in fences(page) if fence.language in {"", "sh"}]
    for command in TOL.findall("\n".join(shown)):
        parser().parse_args(shlex.split(command))
    assert set(TASK.findall(page.read_text(encoding="utf-8"))) <= set(tol_luigi.__all__)
