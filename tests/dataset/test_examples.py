"""The examples in docstrings, in ``docs/python.md`` and in ``docs/reading.md`` run as they stand."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from optional import python_with, unavailable
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

OPERATORS = Path(__file__).with_name("torchvision_operators")
"""A folder of modules with which open_clip can be imported where PyTorch has no CUDA."""

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
"""A model for open_clip that is trained in a second."""

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


def imported(code: str) -> list[str]:
    return re.findall(r"^(?:>>> )?(?:import|from) (\w+)", code, re.MULTILINE)


def finished(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "home"),
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def output(folder: Path, *command: str | Path, **environment: str) -> str:
    """Return what a command writes in a folder, with warnings as errors and nothing on stderr."""
    done = finished(folder, *command, PYTHONWARNINGS=WARNINGS, **environment)
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
    modules = imported(RECIPES[heading])
    environment = {"PYTHONPATH": str(OPERATORS)} if "open_clip" in modules else {}
    command = (python_with(*modules), "-m", "doctest", "-o", "REPORT_NDIFF", "session.txt")
    assert output(folder, *command, **environment) == ""


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


def test_the_training_program_of_open_clip_reads_the_copies(folder: Path, dataset: Dataset) -> None:
    older = os.environ.get("TOL_OPEN_CLIP")
    if older is None:
        unavailable("no older webdataset: set TOL_OPEN_CLIP to its folder (docs/testing.md)")
    output(folder, sys.executable, "-c", FILES["to_open_clip.py"])
    (folder / "tiny").mkdir()
    model = {"model_cfg": TINY, "preprocess_cfg": {}}
    (folder / "tiny" / "open_clip_config.json").write_text(json.dumps(model), encoding="utf-8")
    [text] = [fence.text for fence in fences(ROOT / "docs" / "reading.md") if "open_clip_train" in fence.text]
    _, *arguments = shlex.split(text.replace("\\\n", " "))
    changed = {
        "--train-data": "open_clip/train/shard-{000000..000000}.tar",
        "--train-num-samples": "16",
        "--model": "local-dir:tiny",
        "--batch-size": "8",
        "--workers": "1",
    }
    for option, value in changed.items():
        arguments[arguments.index(option) + 1] = value
    further = ("--epochs", "1", "--device", "cpu")
    python = python_with("torch", "open_clip", "open_clip_train")
    done = finished(folder, python, *arguments, *further, PYTHONPATH=f"{OPERATORS}{os.pathsep}{older}")

    written = done.stdout + done.stderr
    assert "Train Epoch: 0 [16/16 (100%)]" in written
    assert f"num_samples: {len(list(dataset.samples('val')))}.0" in written
