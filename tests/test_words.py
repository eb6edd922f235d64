"""The words: what documents, settings and descriptions say is there, and says what holds."""

from __future__ import annotations

import configparser
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import luigi
import pyarrow as pa
import pytest
from luigi.task_register import Register

import tol_luigi
from tol_luigi.sources import SOURCES
from tol_luigi.store import catalogs
from tol_luigi.tasks import public
from tol_luigi.tasks.luigi_defaults import DEFAULTS
from tol_luigi.tasks.sections import SECTIONS

if TYPE_CHECKING:
    from tol_luigi.core.sections import Section, Setting

ROOT = Path(__file__).resolve().parents[1]

DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
)

OURS = sorted(
    (
        task
        for task in Register._get_reg().values()
        if task is not Register.AMBIGUOUS_CLASS and task.__module__.startswith("tol_luigi.")
    ),
    key=lambda task: task.__name__,
)
"""Every task and section of ours that Luigi knows."""

CONFIGS = [task for task in OURS if issubclass(task, luigi.Config)]

TASKS = [task for task in OURS if task not in CONFIGS]

PARAMETERS = [
    pytest.param(parameter, id=f"{task.__name__}.{name}")
    for task in OURS
    for name, parameter in task.get_params()
]

KEYS = [
    pytest.param(section.section, key, setting, id=f"{section.section}.{key}")
    for section in SECTIONS
    for key, setting in section.settings().items()
]


def named(thing: type) -> str:
    return thing.__name__


def shown_settings() -> dict[str, dict[str, str]]:
    """Read ``luigi.cfg`` by section and key."""
    parser = configparser.RawConfigParser(default_section="")
    parser.read_string((ROOT / "luigi.cfg").read_text(encoding="utf-8"))
    return {section: dict(parser[section]) for section in parser.sections()}


def prose(text: str) -> str:
    """Leave out the code of a document: there are neither links nor headings in it."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> list[str]:
    """Give the targets of a document's links that lead to another file or place of the repository."""
    text = re.sub(r"`[^`\n]*`", "", prose(document.read_text(encoding="utf-8")))
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("task", OURS, ids=named)
def test_every_task_and_section_says_what_it_is(task: type[luigi.Task]) -> None:
    assert task.__doc__ is not None
    assert task.__doc__ != luigi.Task.__doc__
    assert inspect.getdoc(task).splitlines()[0].endswith((".", ";", ":"))


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_every_parameter_has_a_description(parameter: luigi.Parameter) -> None:
    assert parameter.description


def test_there_are_tasks_and_sections_to_look_at() -> None:
    assert {"BuildCatalog", "WriteShards"} <= {task.__name__ for task in TASKS}
    assert {config.__name__ for config in CONFIGS} == {section.section for section in SECTIONS}


@pytest.mark.parametrize("name", public.__all__)
def test_every_public_task_is_a_task(name: str) -> None:
    assert issubclass(getattr(public, name), luigi.Task)
    assert getattr(tol_luigi, name) is getattr(public, name)


def test_every_task_is_public() -> None:
    bases = {base for task in TASKS for base in task.__mro__[1:]}
    leaves = [task.__name__ for task in TASKS if task not in bases and not inspect.isabstract(task)]
    assert sorted(public.__all__) == sorted(leaves)
    assert set(tol_luigi.__all__) == {*leaves, "Dataset", "settings_from"}


def test_settings_file_shows_every_section_and_no_other() -> None:
    assert list(shown_settings()) == [*(section.section for section in SECTIONS), *DEFAULTS]


@pytest.mark.parametrize("section", SECTIONS, ids=named)
def test_settings_file_shows_every_key_of_a_section_and_no_other(section: type[Section]) -> None:
    assert list(shown_settings()[section.section]) == list(section.settings())


@pytest.mark.parametrize(("section", "key", "setting"), KEYS)
def test_settings_file_shows_the_default(section: str, key: str, setting: Setting) -> None:
    shown = shown_settings()[section][key]
    assert shown == "" if setting.default is None else setting.kind.parse(shown) == setting.default


@pytest.mark.parametrize("section", DEFAULTS)
def test_settings_file_shows_what_is_set_for_luigi(section: str) -> None:
    assert shown_settings()[section] == DEFAULTS[section]


def test_every_key_of_the_settings_file_has_a_comment() -> None:
    lines = (ROOT / "luigi.cfg").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\w+ *=", line) and not re.match(r"# *\S", before)
    ]
    assert bare == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    astray = []
    for target in links(document):
        place, _, anchor = target.partition("#")
        path = (document.parent / place).resolve() if place else document
        inside = path.is_relative_to(ROOT) and path.exists()
        if not inside or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            astray.append(target)
    assert astray == []


def columns_told() -> list[tuple[str, str, str]]:
    """Give name, catalogs and type of each column that ``docs/files.md`` tells of, in its order."""
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    table = text.partition("## Columns of the catalogs\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return [(name, where, kind) for names, where, kind, _ in lines for name in re.findall(r"`(\w+)`", names)]


@pytest.mark.parametrize(
    ("catalog", "schema"),
    [
        pytest.param(
            "predicted",
            catalogs.predicted_schema(SOURCES, SOURCES, is_reference=True),
            id="predicted-catalog",
        ),
        pytest.param("final", catalogs.catalog_schema(SOURCES, SOURCES, is_reference=True), id="catalog"),
    ],
)
def test_the_files_are_told_of_column_by_column(catalog: str, schema: pa.Schema) -> None:
    kinds = {"text": pa.string(), "category": pa.dictionary(pa.int32(), pa.string())}
    kinds |= {
        "int32": pa.int32(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "list of texts": pa.list_(pa.string()),
    }
    told = [column for column in columns_told() if column[1].startswith(("both", catalog))]
    assert [(name, kinds[kind]) for name, _, kind in told] == [(field.name, field.type) for field in schema]
    assert [name for name, where, _ in told if "CSV" in where] == catalogs.public_names(schema)


def test_there_are_documents_and_links_to_look_at() -> None:
    assert {"README.md", "CHANGELOG.md"} <= {path.name for path in DOCUMENTS}
    assert links(ROOT / "README.md")


@pytest.mark.parametrize(
    ("marker", "what"),
    [
        pytest.param("main", "luigi --module tol_luigi BuildCatalog", id="builds"),
        pytest.param("test", "python -m pytest", id="tests"),
    ],
)
def test_readme_marks_its_commands(marker: str, what: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(rf"^<!-- {marker} command -->\n```sh\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert len(commands) == 1
    assert what in commands[0]


@pytest.mark.parametrize("heading", ["## Unreleased", "### Dataset"])
def test_changelog_has_its_headings(heading: str) -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert heading in lines


def test_every_shell_script_parses() -> None:
    scripts = [*ROOT.glob("sbatch/*"), ROOT / ".ci" / "run"]
    wrong = [path for path in scripts if subprocess.run(["bash", "-n", path], check=False).returncode]
    assert wrong == []


def test_every_sbatch_script_runs_a_task_that_is_there() -> None:
    for script in ROOT.glob("sbatch/*.sbatch"):
        run = re.findall(r"--module tol_luigi (\w+)", script.read_text(encoding="utf-8"))
        assert set(run) <= set(tol_luigi.__all__), script


def test_help_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("luigi"), "--module", "tol_luigi", "BuildCatalog", "--help"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--dataset" in done.stdout
    assert list(tmp_path.iterdir()) == []
