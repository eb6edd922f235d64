"""Importing the package is harmless, and what Luigi needs is there as soon as a task is: in processes that have imported nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tol_luigi

if TYPE_CHECKING:
    from collections.abc import Callable

Sections = dict[str, dict[str, Any]]

LUIGI = [str(Path(sys.executable).with_name("luigi"))]
PYTHON_LUIGI = [sys.executable, "-m", "luigi"]


def run(
    *command: str, cwd: Path, code: int = 0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without settings unless the environment names some."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUIGI_")}
    path = os.pathsep.join([str(cwd), kept.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "PYTHONPATH": path, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def python(program: str, *, cwd: Path, env: dict[str, str] | None = None) -> str:
    return run(sys.executable, "-W", "ignore", "-c", program, cwd=cwd, env=env).stdout


def test_the_import_loads_neither_luigi_nor_anything_slow(tmp_path: Path) -> None:
    loaded = python("import sys, tol_luigi; print(*sys.modules)", cwd=tmp_path).split()
    assert "tol_luigi" in loaded
    assert {"luigi", "sciluigi", "pandas", "pyarrow", "webdataset", "tol_luigi.tasks"}.isdisjoint(loaded)


def test_a_command_that_runs_no_task_loads_what_is_slow_only_if_it_needs_it(tmp_path: Path) -> None:
    """Those who ask for help or for the state of a build wait for nothing else; a settings file is named before Luigi reads it."""
    show = "print(*sys.modules)"
    loaded = python(f"import sys, tol_luigi.command.line; {show}", cwd=tmp_path).split()
    assert {"luigi", "numpy", "pandas", "pyarrow", "rich", "tol_luigi.tasks"}.isdisjoint(loaded)
    loaded = python(
        f"import sys, tol_luigi.tasks.luigi_command, tol_luigi.command.status; {show}", cwd=tmp_path
    ).split()
    assert "tol_luigi.tasks.verify" in loaded
    assert {"pandas", "pyarrow.dataset", "sciluigi", "webdataset"}.isdisjoint(loaded)


def test_what_is_slow_is_imported_before_the_first_fork_for_a_task(tmp_path: Path) -> None:
    program = """
import sys, luigi, tol_luigi.tasks

class Report(luigi.Task):
    number = luigi.IntParameter()
    def output(self):
        return luigi.LocalTarget(f"{self.number}.txt")
    def run(self):
        with self.output().open("w") as file:
            file.write(" ".join(sys.modules))

assert luigi.build([Report(number) for number in (1, 2)], local_scheduler=True, workers=2)
"""
    python(program, cwd=tmp_path)
    for number in (1, 2):
        loaded = (tmp_path / f"{number}.txt").read_text(encoding="utf-8").split()
        assert {"pyarrow.dataset", "PIL.JpegImagePlugin"} <= set(loaded)
        assert {"pandas", "webdataset"}.isdisjoint(
            loaded
        )  # webdataset imports PyTorch where that is installed


@pytest.mark.parametrize("use", ["import pandas", "table.to_pandas()"])
def test_pyarrow_imports_pandas_only_when_it_is_needed_and_knows_its_types_then(
    use: str, tmp_path: Path
) -> None:
    program = f"""
import sys, pyarrow as pa, tol_luigi.tasks

table = pa.table({{"number": [1, None]}})
assert "pandas" not in sys.modules
{use}
pandas = sys.modules["pandas"]
assert pa.array(pandas.Series([1.5, float("nan")])).null_count == 1
assert table.to_pandas()["number"].isna().tolist() == [False, True]
"""
    python(program, cwd=tmp_path)


def test_the_import_changes_nothing_in_a_notebook_that_uses_luigi(tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_text("[dataset]\nno_such_key = 1\n", encoding="utf-8")
    program = """
import luigi, luigi.execution_summary
from luigi.configuration import get_config
from luigi.task_register import Register

def state():
    config = get_config()
    values = {section: dict(config.items(section)) for section in config.sections()}
    return values, Register.task_names(), luigi.execution_summary._summary_dict

before = state()
import tol_luigi
assert "BuildCatalog" in dir(tol_luigi)
assert not hasattr(tol_luigi, "no_such_name")
tol_luigi.Dataset
assert state() == before
"""
    python(program, cwd=tmp_path)


def test_reading_a_dataset_needs_no_luigi(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["luigi"] = sys.modules["sciluigi"] = None  # importing them is an error
from tol_luigi import Dataset
try:
    Dataset.open(".")
except Exception as error:
    print(type(error).__name__)
"""
    assert python(program, cwd=tmp_path).split() == ["DatasetError"]


def test_the_first_task_completes_the_settings_of_luigi_and_keeps_those_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "luigi.cfg").write_text(
        "[core]\nlog_level = ERROR\n[retcode]\ntask_failed = 77\n", encoding="utf-8"
    )
    program = """
import json, luigi.execution_summary
from luigi.configuration import get_config
before = luigi.execution_summary._summary_dict
from tol_luigi import BuildCatalog
assert luigi.execution_summary._summary_dict is before  # exit codes are those of the command
config = get_config()
keys = [("core", "log_level"), ("worker", "check_complete_on_run"), ("retcode", "task_failed"), ("retcode", "not_run")]
print(json.dumps([config.get(*key) for key in keys]))
"""
    assert json.loads(python(program, cwd=tmp_path)) == ["ERROR", "true", "77", "25"]


def test_every_public_name_can_be_imported_and_no_other(tmp_path: Path) -> None:
    program = "from tol_luigi import *; print(*sorted(name for name in globals() if name[0] != '_'))"
    assert python(program, cwd=tmp_path).split() == sorted(tol_luigi.__all__)


NOTEBOOK = """
import json, luigi, tol_luigi
from tol_luigi import BuildCatalog

with tol_luigi.settings_from("one/settings.cfg") as given:
    first = luigi.build([BuildCatalog()], local_scheduler=True, workers=2)
    quality = given.images.jpeg_quality
with tol_luigi.settings_from("two/settings.cfg") as given:
    second = luigi.build([BuildCatalog()], local_scheduler=True)
dataset = tol_luigi.Dataset.open("one/out/sample")
print(json.dumps([first, second, quality, given.images.jpeg_quality, len(dataset)]))
"""


def test_a_notebook_builds_two_datasets_one_after_the_other(
    settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path, build: Any, digests: Any
) -> None:
    settings_file({**bioscan_settings, "images": {"jpeg_quality": 75}}, "one/settings.cfg")
    small = {**bioscan_settings, "images": {"width": 32, "height": 32}}
    settings_file(small, "two/settings.cfg")
    told = json.loads(python(NOTEBOOK, cwd=tmp_path).splitlines()[-1])
    assert told == [True, True, 75, 100, 18]
    again = settings_file(small, "command/settings.cfg")
    assert build(again).returncode == 0
    assert digests(tmp_path / "two" / "out" / "sample") == digests(tmp_path / "command" / "out" / "sample")


def test_a_build_in_a_notebook_that_fails_says_so(
    settings_file: Callable[..., Path], bioscan_settings: Sections, tmp_path: Path
) -> None:
    """With ``check_complete_on_run``, and without a file of settings that says so."""
    path = settings_file({**bioscan_settings, "checks": {"max_bad_percent": 0}, "images": {"max_pixels": 1}})
    program = """
import luigi
from tol_luigi import BuildCatalog
print(luigi.build([BuildCatalog()], local_scheduler=True, detailed_summary=True).status.name)
"""
    told = python(program, cwd=tmp_path, env={"LUIGI_CONFIG_PATH": str(path)})
    assert told.split()[-1] == "FAILED"


def test_settings_from_a_file_that_is_missing_are_refused_in_one_line(tmp_path: Path) -> None:
    program = """
import tol_luigi
from luigi.configuration import get_config
before = get_config()
try:
    with tol_luigi.settings_from("no.cfg"):
        pass
except Exception as error:
    print(error)
assert get_config() is before
"""
    assert python(program, cwd=tmp_path).startswith(f"{tmp_path}/no.cfg: there is no such file. ")


FAILING = """
import luigi
import tol_luigi

class Broken(luigi.Task):
    def output(self):
        return luigi.LocalTarget("never.made")
    def run(self):
        {what}
"""


@pytest.mark.parametrize("command", [LUIGI, PYTHON_LUIGI], ids=["luigi", "python -m luigi"])
@pytest.mark.parametrize("what", ["raise ValueError", "pass"], ids=["raises", "makes nothing"])
def test_the_command_fails_with_30_for_a_module_that_imports_the_package(
    command: list[str], what: str, tmp_path: Path
) -> None:
    (tmp_path / "failing.py").write_text(FAILING.format(what=what), encoding="utf-8")
    run(*command, "--module", "failing", "Broken", "--local-scheduler", cwd=tmp_path, code=30)


@pytest.mark.parametrize("command", [LUIGI, PYTHON_LUIGI], ids=["luigi", "python -m luigi"])
def test_the_command_knows_every_task_and_refuses_wrong_settings_with_40(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "luigi.cfg").write_text("[dataset]\nno_such_key = 1\n", encoding="utf-8")
    for task in ("BuildCatalog", "VerifyDataset", "DownloadSources"):
        done = run(*command, "--module", "tol_luigi", task, "--local-scheduler", cwd=tmp_path, code=40)
        assert "no_such_key: there is no such key" in done.stderr


def test_a_worker_of_luigi_that_is_handed_a_task_knows_them_all(tmp_path: Path) -> None:
    program = """
import luigi.execution_summary
from luigi.configuration import get_config
from luigi.task_register import Register, load_task
before = luigi.execution_summary._summary_dict
try:
    load_task("tol_luigi.tasks.shards", "WriteShards", {})
except Exception:
    pass  # it lacks its parameters
assert {"WriteShards", "VerifyDataset", "DownloadSources"} <= set(Register.task_names())
assert get_config().get("worker", "check_complete_on_run") == "true"
assert luigi.execution_summary._summary_dict is not before
"""
    python(program, cwd=tmp_path)
