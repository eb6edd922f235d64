"""The examples in docstrings, in ``docs/python.md`` and in ``docs/reading.md`` run as they stand."""

from __future__ import annotations

import doctest
import functools
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pages import ROOT, fences
from small_taxonomy import SMALL, reference

import tol_luigi.dataset
from tol_luigi import Dataset
from tol_luigi.taxonomy.release import write_release

DOCS = Path(__file__).resolve().parents[2] / "docs"

MODULES = [f"tol_luigi.dataset.{module.name}" for module in pkgutil.iter_modules(tol_luigi.dataset.__path__)]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sessions(text: str) -> str:
    return "\n".join(re.findall(r"^```pycon\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


RECIPES = {
    part.partition("\n")[0]: sessions(part)
    for part in re.split("^## ", page("reading.md"), flags=re.MULTILINE)
}
"""The sessions of the page on reading, by the headings of their sections."""

COMMANDS = dict(re.findall(r"^```\n\$ (.+)\n((?:[^`].*\n)*)```$", page("reading.md"), re.MULTILINE))
"""The commands that the page on reading shows, and what they write."""

FILES = {fence.file: fence.text for fence in fences(ROOT / "docs" / "reading.md") if fence.file}
"""The programs that the page on reading shows, by their names."""

WARNINGS = "error,ignore:unclosed file:ResourceWarning"
"""webdataset leaves it to the garbage collector to close its shards."""


def run(tests: list[doctest.DocTest]) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said: list[str] = []
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_examples_to_run() -> None:
    assert sessions(page("python.md")).count(">>>") > 20
    assert {"Hugging Face datasets", "DuckDB", "pandas", "webdataset", "PyTorch", "open_clip"} == {
        heading for heading, session in RECIPES.items() if session
    }
    assert [command.split()[-1] for command in COMMANDS] == list(FILES)


def test_the_examples_of_the_document_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_release(folder / "taxonomy", reference(SMALL))
    monkeypatch.chdir(folder)
    run([doctest.DocTestParser().get_doctest(sessions(page("python.md")), {}, "python.md", None, 0)])


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(
    name: str, dataset: Dataset, demonstration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demonstration.parents[1])
    module = importlib.import_module(name)
    run(doctest.DocTestFinder().find(module, extraglobs={"dataset": dataset, "Dataset": Dataset}))


@functools.cache
def python_with(*modules: str) -> Path:
    """Return a Python that has some modules: this one, or the one that TOL_TORCH names."""
    look = f"import importlib.util as u; raise SystemExit(not all(map(u.find_spec, {modules})))"
    for python in filter(None, (sys.executable, os.environ.get("TOL_TORCH"))):
        if subprocess.run([python, "-c", look], check=False).returncode == 0:
            return Path(python)
    reason = f"no Python with {', '.join(modules)}: set TOL_TORCH to one (docs/testing.md)"
    if os.environ.get("CI") and "open_clip" not in modules:
        pytest.fail(reason)
    pytest.skip(reason)


def imported(code: str) -> list[str]:
    return re.findall(r"^(?:>>> )?(?:import|from) (\w+)", code, re.MULTILINE)


def output(folder: Path, *command: str | Path) -> str:
    """Return what a command writes in a folder, with warnings as errors and nothing on stderr."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONWARNINGS": WARNINGS,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "home"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stderr.splitlines() if "No pretrained weights" not in line] == []
    return done.stdout


@pytest.fixture
def folder(demonstration: Path, tmp_path: Path) -> Path:
    """A folder in which the demonstration is ``build/dev``."""
    (tmp_path / "build").symlink_to(demonstration.parent)
    return tmp_path


@pytest.mark.parametrize("heading", [heading for heading, session in RECIPES.items() if session])
def test_the_recipe_runs(heading: str, folder: Path) -> None:
    (folder / "session.txt").write_text(RECIPES[heading], encoding="utf-8")
    python = python_with(*imported(RECIPES[heading]))
    assert output(folder, python, "-m", "doctest", "-o", "REPORT_NDIFF", "session.txt") == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_program_writes_what_the_page_shows(command: str, folder: Path) -> None:
    program, *arguments = command.split()
    code = FILES[arguments[-1]]
    (folder / arguments[-1]).write_text(code, encoding="utf-8")
    assert output(folder, python_with(*imported(code)).with_name(program), *arguments) == COMMANDS[command]


def test_the_copies_for_open_clip_have_an_image_and_a_text_for_each_sample(
    folder: Path, dataset: Dataset
) -> None:
    output(folder, sys.executable, "-c", FILES["to_open_clip.py"])
    for split in ("train", "val"):
        with tarfile.open(folder / "open_clip" / split / "shard-000000.tar") as shard:
            names = shard.getnames()
        expected = {f"{sample.id}.{member}" for sample in dataset.samples(split) for member in ("jpg", "txt")}
        assert set(names) == expected
        assert len(names) == len(expected)
