"""A failure that no further attempt can change is final at once; `tol retry` says what comes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest
from luigi.scheduler import UPSTREAM_DISABLED, UPSTREAM_FAILED
from luigi.task_status import DISABLED, DONE, FAILED, PENDING
from processes import Crew

from tol_luigi import settings_from
from tol_luigi.cluster.client import RemoteRunScheduler
from tol_luigi.cluster.run import Run
from tol_luigi.cluster.scheduler import RunScheduler
from tol_luigi.command.cluster import retry
from tol_luigi.core.errors import ArchiveError, ChangedError, DiskError, SettingsError, TableError
from tol_luigi.tasks.error_lines import is_final
from tol_luigi.tasks.run_sections import ClusterSection

if TYPE_CHECKING:
    from pathlib import Path

TASKS = """
from pathlib import Path
import luigi
from tol_luigi.cluster import foreman
from tol_luigi.cluster.client import Scheduler
from tol_luigi.core.errors import TableError

HERE = Path(__file__).parent

class Leaf(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(HERE / f"{self.name}.made")
    def run(self):
        with open(HERE / "notes", "a") as notes:
            notes.write(f"{self.name}\\n")
        if (HERE / "mended").exists():
            Path(self.output().path).touch()
        elif self.name == "passing":
            raise OSError(5, "Input/output error")
        else:
            raise TableError(HERE / f"{self.name}.csv", "line 1 lacks the column file", "Fix the table")

class Root(luigi.WrapperTask):
    def requires(self):
        return [Leaf(name=name) for name in ("passing", "first", "second", "third")]
"""

RETRIED_MEANWHILE = """
exit_code = foreman._exit_code

def after_a_retry(root, status, *args, **kwargs):
    code = exit_code(root, status, *args, **kwargs)
    if not (HERE / "mended").exists():
        (HERE / "mended").touch()
        Scheduler(foreman.Run(HERE / "out" / "demo" / "run")).retry_failed()
    return code

foreman._exit_code = after_a_retry
"""


def test_a_wrong_table_is_read_once_and_its_cause_is_printed_once(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        crew.start("luigid")
        crew.start("worker")
        foreman = crew.start("foreman")
        assert crew.end_of(foreman) == 30, crew.output()
        attempts = (tmp_path / "notes").read_text(encoding="utf-8").split()
        assert {name: attempts.count(name) for name in attempts} == {
            **dict.fromkeys(("first", "second", "third"), 1),
            "passing": 3,
        }
        assert sorted(failure["attempts"] for failure in crew.result()["failures"]) == [1, 1, 1, 3]
        said = (tmp_path / "02-foreman.log").read_text(encoding="utf-8")
        (line,) = [line for line in said.splitlines() if "lacks the column" in line]
        assert re.search(
            r"Leaf \w+ and 2 other tasks: .*\.csv: line 1 lacks the column file\. Fix the table", line
        )
        assert said.splitlines()[-1].endswith("4 tasks failed")


def test_a_retry_in_the_last_moment_of_the_foreman_runs(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 1}}, TASKS + RETRIED_MEANWHILE) as crew:
        crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        assert crew.result() | {"ended": ""} == {"code": 0, "ended": "", "text": "complete", "failures": []}


def test_a_retry_says_if_nothing_runs_as_between_the_ends_of_foreman_and_luigid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Crew(tmp_path, {"cluster": {"lost_seconds": 600}}) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        remote = RemoteRunScheduler(crew.run, patience=20)
        for status in (PENDING, FAILED):
            remote.add_task(task_id="Leaf_1", worker="foreman", status=status, family="Leaf", params={})
        with settings_from(crew.settings):
            assert retry(Namespace()) == 0
        assert capsys.readouterr().out.splitlines() == [
            *("Tasks to retry:", "  Leaf", "No worker is connected: they wait for one (tol worker)")
        ]
        work = remote.get_work(worker="node:1", host="node", assistant=True)
        remote.add_task(
            task_id=work["task_id"], worker="node:1", status=FAILED, family="Leaf", assistant=True
        )
        assert crew.scheduler.finish(unfinished=1)
        command = [sys.executable, "-m", "tol_luigi", "retry", "--config", str(crew.settings)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        assert (done.returncode, done.stdout) == (40, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(
            f"tol: {crew.run.directory}: the run is ending, so no task can be retried in it. Wait "
        )
        assert "then run the build again" in line
        assert crew.status().counts == {"Leaf": {"FAILED": 1}}


@pytest.fixture
def luigid(tmp_path: Path) -> RunScheduler:
    """A luigid of a task W, and a task that depends on it."""
    made = RunScheduler(Run(tmp_path), ClusterSection(retries=3))
    made.add_task(task_id="W", worker="foreman", status=PENDING, family="WriteShards")
    made.add_task(task_id="After", worker="foreman", status=PENDING, family="After", deps=["W"])
    return made


def take(luigid: RunScheduler, host: str) -> str | None:
    task: str | None = luigid.get_work(worker=host, host=host, assistant=True)["task_id"]
    return task


def fail(luigid: RunScheduler, *, is_final: bool) -> None:
    """Let the task fail on one of two nodes."""
    assert [take(luigid, "n1"), take(luigid, "n2")] == ["W", None]
    if is_final:
        luigid.report_final("W")
    why = json.dumps("why")
    luigid.add_task(task_id="W", worker="n1", status=FAILED, expl=why, family="WriteShards", assistant=True)


def test_a_final_failure_is_one_attempt_and_shown_as_failed(luigid: RunScheduler) -> None:
    fail(luigid, is_final=True)

    (failure,) = luigid.run_status()["failures"]
    assert (failure["final"], failure["attempts"], failure["cause"]) == (True, 1, "why")
    assert luigid.run_status()["unfinished"] == 0
    assert {name: task["status"] for name, task in luigid.task_list(FAILED).items()} == {"W": FAILED}
    assert list(luigid.task_list(PENDING, UPSTREAM_FAILED)) == ["After"]
    assert luigid.task_list(DISABLED) == luigid.task_list(PENDING, UPSTREAM_DISABLED) == {}
    luigid.add_task(
        task_id="W", worker="foreman", status=PENDING, family="WriteShards"
    )  # it has been restarted
    assert luigid.run_status()["unfinished"] == 0


def test_too_many_failures_to_show_are_counted_together(luigid: RunScheduler) -> None:
    for name in ("retried", "final", "final too"):
        luigid.add_task(task_id=name, worker="foreman", status=FAILED, family="WriteShards")
        if name != "retried":
            luigid._state.disable(luigid._state.get_task(name), luigid._config)

    assert len(luigid.task_list(FAILED)) == 3
    assert luigid.task_list(FAILED, max_shown_tasks=1) == {"num_tasks": 3}


def test_a_retry_forgets_that_a_failure_was_final(luigid: RunScheduler) -> None:
    fail(luigid, is_final=True)
    assert luigid.retry_failed() == ["W"]
    fail(luigid, is_final=False)

    (failure,) = luigid.run_status()["failures"]
    assert (failure["final"], failure["attempts"]) == (False, 1)


def test_the_button_of_the_page_retries_a_final_failure(luigid: RunScheduler) -> None:
    fail(luigid, is_final=True)

    assert luigid.forgive_failures("W") == {"task_id": "W", "status": PENDING}


def test_a_final_failure_on_a_bad_node_is_not_counted(luigid: RunScheduler) -> None:
    luigid.section = ClusterSection(bad_node_failures=1)
    fail(luigid, is_final=True)

    assert luigid.run_status()["failures"] == []
    assert luigid.run_status()["bad_nodes"] == ["n1"]
    assert take(luigid, "n2") == "W"


def test_the_end_waits_for_what_is_retried(luigid: RunScheduler) -> None:
    fail(luigid, is_final=True)
    luigid.retry_failed()
    assert not luigid.finish("the run has ended", unfinished=0)
    assert take(luigid, "n1") == "W"
    luigid.add_task(task_id="W", worker="n1", status=DONE, family="WriteShards", assistant=True)
    assert luigid.finish("the run has ended", unfinished=1)
    assert luigid.retry_failed() is None


def caused_by_the_system() -> TableError:
    error = TableError("table.csv", "cannot be opened (Stale file handle)", "Correct the setting")
    error.__cause__ = OSError(116, "Stale file handle")
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TableError("table.csv", "line 2 has too few cells (3; the header has 4)", "Fix it"), True),
        (ArchiveError("a.tar.gz", "is incomplete or damaged", "Fetch it again"), True),
        (SettingsError("[images] width", "not allowed", "Use a number"), True),
        (caused_by_the_system(), False),
        (ChangedError("a.tar", "has changed while it was read"), False),
        (DiskError("a.tar", "the disk is full", "Make space"), False),
        (MemoryError(), False),
        (ValueError("a bug"), False),
    ],
)
def test_what_no_attempt_can_change(error: BaseException, *, expected: bool) -> None:
    assert is_final(error) is expected
