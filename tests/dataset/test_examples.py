"""The examples in docstrings and in ``docs/python.md`` run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tol_luigi.dataset
from tol_luigi import Dataset

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "python.md"

MODULES = [f"tol_luigi.dataset.{module.name}" for module in pkgutil.iter_modules(tol_luigi.dataset.__path__)]


def sessions() -> str:
    return "\n".join(
        re.findall(r"^```pycon\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )


def run(tests: list[doctest.DocTest]) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said: list[str] = []
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_examples_to_run() -> None:
    assert sessions().count(">>>") > 20


def test_the_examples_of_the_document_run(demonstration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demonstration.parents[1])
    run([doctest.DocTestParser().get_doctest(sessions(), {}, DOCUMENT.name, str(DOCUMENT), 0)])


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(
    name: str, dataset: Dataset, demonstration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demonstration.parents[1])
    module = importlib.import_module(name)
    run(doctest.DocTestFinder().find(module, extraglobs={"dataset": dataset, "Dataset": Dataset}))
