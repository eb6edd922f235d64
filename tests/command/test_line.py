"""The command line: its helps, its errors, and what documents say of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tol_luigi.command import trace
from tol_luigi.command.line import main
from tol_luigi.command.parser import parser
from tol_luigi.tasks.error_lines import BUG

Tol = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[2]

VERBS: dict[str, Any] = next(
    action.choices for action in parser()._actions if isinstance(action.choices, dict)
)


def test_there_are_verbs_to_look_at() -> None:
    people = {
        "init",
        "check",
        "config",
        "diff",
        "export",
        "publish",
        "build",
        "verify",
        "plan",
        "status",
        "taxon",
        "bench",
        "why",
        "browse",
        "features",
        "select",
        "search",
    }
    assert people | {
        "submit",
        "retry",
        "refetch",
        "stop",
        "luigid",
        "worker",
        "foreman",
        "completion",
    } == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_with_an_example_that_holds(verb: str, tol: Tol, tmp_path: Path) -> None:
    done = tol(verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    examples = re.findall(r"^  tol (.+)$", done.stdout.partition("example:")[2], re.MULTILINE)
    assert examples
    for example in examples:
        parser().parse_args(example.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_in_the_document(verb: str) -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"tol {verb}" in text
    options = [option for action in VERBS[verb]._actions for option in action.option_strings]
    assert [option for option in options if option.startswith("--") and option not in text] == []


def test_the_help_lists_every_verb(tol: Tol, tmp_path: Path) -> None:
    done = tol("--help", cwd=tmp_path)
    assert set(re.findall(r"^    (\w+)  ", done.stdout, re.MULTILINE)) == set(VERBS)


def test_the_console_script_is_the_module() -> None:
    script = Path(sys.executable).with_name("tol")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    again = subprocess.run(
        [sys.executable, "-m", "tol_luigi", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == again.stdout
    assert done.stdout.startswith("tol_luigi ")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no verb"),
        pytest.param(["plant"], id="unknown verb"),
        pytest.param(["why"], id="no image"),
        pytest.param(["plan", "--what"], id="unknown option"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tol: Tol, tmp_path: Path) -> None:
    done = tol(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: tol")


@pytest.mark.parametrize("verb", [["plan"], ["status"], ["why", "x"]], ids=lambda verb: verb[0])
def test_wrong_settings_are_told_in_one_line(verb: list[str], tol: Tol, tmp_path: Path) -> None:
    settings = tmp_path / "my.cfg"
    settings.write_text("[dataset]\ntagg = x\n", encoding="utf-8")
    done = tol(*verb, "--config", settings, cwd=tmp_path)
    assert done.returncode == 40
    assert done.stderr == f"tol: {settings}: [dataset] tagg: there is no such key. Did you mean tag?\n"
    assert done.stdout == ""


def test_a_settings_file_that_is_not_there_is_told_in_one_line(tol: Tol, tmp_path: Path) -> None:
    done = tol("plan", "--config", "none.cfg", cwd=tmp_path)
    assert done.returncode == 40
    assert (
        done.stderr == "tol: --config none.cfg: file not found. Pass the path of an existing settings file.\n"
    )


def test_config_goes_before_the_verb_as_well_and_the_file_in_the_folder_is_read(
    tol: Tol, tmp_path: Path
) -> None:
    for name in ("luigi", "other"):
        (tmp_path / f"{name}.cfg").write_text(f"[dataset]\ntag = of-{name}\n", encoding="utf-8")
    assert tol("status", cwd=tmp_path).stdout.startswith(f"Dataset {tmp_path}/build/of-luigi:")
    for arguments in (["--config", "other.cfg", "status"], ["status", "--config", "other.cfg"]):
        assert tol(*arguments, cwd=tmp_path).stdout.startswith(f"Dataset {tmp_path}/build/of-other:")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m tol_luigi status | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in {"0", "25"}


def raising(error: Exception) -> Callable[[Any], int]:
    def verb(_: Any) -> int:
        raise error

    return verb


def test_a_limit_of_the_system_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trace, "trace", raising(MemoryError()))

    assert main(["why", "1"]) == 40
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tol: this process: no memory is left")


def test_a_fault_of_the_program_keeps_its_traceback_and_is_to_be_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trace, "trace", raising(KeyError("x")))

    assert main(["why", "1"]) == 40
    first, *_, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("Traceback (most recent call last):", f"tol: {BUG}.")
