"""A worker leaves nothing half done, and nobody behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING

import luigi
import pytest
from processes import Crew, processes_with

from tol_luigi.cluster.worker import wait_until_complete

if TYPE_CHECKING:
    from pathlib import Path

TASKS = """
import os, time
from pathlib import Path
import luigi
from tol_luigi.core.files import committed

HERE = Path(__file__).parent
class Leaf(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(HERE / "out" / "demo" / f"{self.name}.made")
    def run(self):
        with committed(Path(self.output().path)) as scratch:
            scratch.touch()
            print("at work")
            with open(HERE / "notes", "a") as notes:
                notes.write(f"{self.name} {os.getpid()}\\n")
            while not (HERE / "go").exists():
                time.sleep(0.05)

class Root(luigi.WrapperTask):
    def requires(self):
        return [Leaf(name="a"), Leaf(name="b")]
"""


def notes(crew: Crew) -> list[tuple[str, int]]:
    path = crew.folder / "notes"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def go(crew: Crew) -> None:
    (crew.folder / "go").touch()


def leftovers(crew: Crew) -> list[Path]:
    return list(crew.dataset.glob(".*attempt-*"))


def is_there(pid: int, crew: Crew) -> bool:
    return pid in processes_with(crew.mark)


@pytest.mark.parametrize("to_all", [False, True], ids=["to the worker", "to its task as well"])
def test_a_worker_that_is_terminated_hands_its_task_back(tmp_path: Path, to_all: bool) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 1, "lost_seconds": 600}}, TASKS) as crew:
        crew.start("luigid")
        foreman, worker = crew.start("foreman"), crew.start("worker")
        ((first, pid),) = crew.wait_for(lambda: notes(crew))
        assert leftovers(crew)
        (os.killpg if to_all else os.kill)(worker.pid, signal.SIGTERM)
        assert crew.end_of(worker) == 0, crew.output()
        assert not is_there(pid, crew)
        assert leftovers(crew) == []
        status = crew.status()
        assert (status.workers, status.running, status.failures) == (0, [], [])
        go(crew)
        second = crew.start("worker")
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(second) == 0
        assert sorted(name for name, _ in notes(crew)) == sorted([first, "a", "b"])
        crew.assert_nobody_is_left()


def test_a_worker_that_is_killed_takes_its_task_along_and_another_gets_it(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 1}}, TASKS) as crew:
        crew.start("luigid")
        foreman, worker = crew.start("foreman"), crew.start("worker")
        ((first, pid),) = crew.wait_for(lambda: notes(crew))
        worker.kill()
        crew.wait_for(lambda: not is_there(pid, crew))
        go(crew)
        crew.start("worker")
        assert crew.end_of(foreman) == 0, crew.output()
        assert sorted(name for name, _ in notes(crew)) == sorted([first, "a", "b"])
        crew.assert_nobody_is_left()


def test_a_task_that_is_killed_alone_is_told_as_failed_and_tried_again(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 2}}, TASKS) as crew:
        crew.start("luigid")
        foreman, worker = crew.start("foreman"), crew.start("worker")
        ((_, pid),) = crew.wait_for(lambda: notes(crew))
        os.kill(pid, signal.SIGKILL)
        go(crew)
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(worker) == 0
        assert "died unexpectedly with exit code -9" in crew.output()


def test_the_exit_code_of_a_task_that_is_killed_is_recorded(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 1}}, TASKS) as crew:
        crew.start("luigid")
        foreman = crew.start("foreman")
        crew.start("worker")
        ((name, pid),) = crew.wait_for(lambda: notes(crew))
        os.kill(pid, signal.SIGKILL)
        go(crew)
        assert crew.end_of(foreman) == 30, crew.output()
        (failure,) = crew.result()["failures"]
        assert (failure["exit_code"], failure["parameters"]) == (-signal.SIGKILL, {"name": name})


@pytest.mark.parametrize("to_all", [False, True], ids=["to the worker", "to its task as well"])
def test_a_worker_that_gets_sigusr1_finishes_its_task_and_leaves(tmp_path: Path, to_all: bool) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        crew.start("luigid")
        foreman, worker = crew.start("foreman"), crew.start("worker")
        ((first, _),) = crew.wait_for(lambda: notes(crew))
        (os.killpg if to_all else os.kill)(worker.pid, signal.SIGUSR1)
        go(crew)
        assert crew.end_of(worker) == 0
        assert [name for name, _ in notes(crew)] == [first]
        assert crew.status().counts["Leaf"] == {"DONE": 1, "PENDING": 1}
        crew.start("worker")
        assert crew.end_of(foreman) == 0, crew.output()
        assert sorted(name for name, _ in notes(crew)) == ["a", "b"]


def test_a_worker_without_work_leaves(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"idle_seconds": 1}}) as crew:
        crew.start("luigid")
        assert crew.end_of(crew.start("worker")) == 0, crew.output()
        assert crew.status().workers == 0


def test_a_worker_waits_for_luigid(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        go(crew)
        worker, foreman = crew.start("worker"), crew.start("foreman")
        crew.wait_for(lambda: "luigid has not written its address" in crew.output())
        crew.start("luigid")
        assert crew.end_of(foreman) == 0, crew.output()
        assert crew.end_of(worker) == 0


def test_a_worker_that_comes_when_the_run_is_over_leaves(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        go(crew)
        luigid = crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        assert crew.end_of(luigid) == 0
        assert crew.end_of(crew.start("worker")) == 0


def test_every_attempt_at_a_task_has_a_log_which_the_status_names(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        crew.start("luigid")
        foreman, worker = crew.start("foreman"), crew.start("worker", "n7")
        crew.wait_for(lambda: notes(crew))
        (running,) = crew.wait_for(lambda: crew.status().running)
        assert running.node == "n7"
        assert running.log is not None
        first = running.log
        assert first.name == f"{running.task_id}.1.log"
        crew.wait_for(lambda: "at work" in first.read_text(encoding="utf-8"))
        worker.terminate()
        crew.end_of(worker)
        go(crew)
        crew.start("worker")
        assert crew.end_of(foreman) == 0, crew.output()
        assert "at work" in (crew.run.log(running.task_id, 2)).read_text(encoding="utf-8")


FAILING = """
from tol_luigi.core.errors import TableError
from tol_luigi.tasks.base import DatasetTask

class Root(DatasetTask):
    def complete(self):
        return False
    def run(self):
        raise TableError("/nowhere/table.csv", "is empty", "Fetch it again")
"""


def test_an_expected_error_is_one_line_in_the_log_and_for_luigid(tmp_path: Path) -> None:
    line = "/nowhere/table.csv: is empty. Fetch it again."
    with Crew(tmp_path, {"cluster": {"retries": 1}}, FAILING) as crew:
        crew.start("luigid")
        foreman = crew.start("foreman")
        crew.start("worker")
        assert crew.end_of(foreman) == 30, crew.output()
        (log,) = crew.run.logs.glob("Root*.log")
        said = [text for text in log.read_text(encoding="utf-8").splitlines() if line in text]
        assert said == [f"tol_luigi: Root: {line}"]
        assert line in json.dumps(crew.result())
        everything = crew.output() + log.read_text(encoding="utf-8") + json.dumps(crew.result())
        assert "Traceback" not in everything


class Late(luigi.Task):
    """A task the file of which comes late."""

    path = luigi.Parameter()

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(self.path)


def test_a_file_that_a_slow_file_system_shows_late_is_waited_for(tmp_path: Path) -> None:
    late = tmp_path / "late"
    timer = threading.Timer(1.5, late.touch)
    timer.start()
    assert wait_until_complete(Late(path=str(late)), 30)
    timer.join()


def test_a_file_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    assert not wait_until_complete(Late(path=str(tmp_path / "never")), 0.2)
