"""The foreman's exit code is the truth, also when it has been killed in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi
import pytest
from processes import Crew

from tol_luigi.cluster.foreman import check_round_trips
from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

TASKS = """
import time
from pathlib import Path
import luigi

HERE = Path(__file__).parent

class Leaf(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(HERE / f"{self.name}.made")
    def run(self):
        time.sleep(0.3)
        with open(HERE / "notes", "a") as notes:
            notes.write(f"{self.name}\\n")
        if self.name == "leaf3" and not (HERE / "mended").exists():
            raise ValueError("leaf3 is broken\\nin two lines")
        Path(self.output().path).touch()

class Above(Leaf):
    def requires(self):
        return Leaf(name="leaf3")

class Root(luigi.WrapperTask):
    def requires(self):
        return [Above(name="above"), *(Leaf(name=f"leaf{number}") for number in range(8))]
"""


def mend(crew: Crew) -> None:
    (crew.folder / "mended").touch()


def test_a_foreman_that_is_killed_and_restarted_ends_well(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        mend(crew)
        luigid, foreman, worker = crew.start("luigid"), crew.start("foreman"), crew.start("worker")
        crew.wait_for((tmp_path / "notes").exists)
        foreman.kill()
        crew.end_of(foreman)
        assert not crew.run.result.exists()
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        assert [crew.end_of(worker), crew.end_of(luigid)] == [0, 0]
        made = (tmp_path / "notes").read_text(encoding="utf-8").split()
        assert len(made) == len(set(made)) == 9
        assert crew.result() | {"ended": ""} == {"code": 0, "ended": "", "text": "complete", "failures": []}
        crew.assert_nobody_is_left()


def test_one_failing_task_is_named_and_retried_after_the_repair(tmp_path: Path) -> None:
    sections = {"cluster": {"retries": 2, "finish": "false"}}
    with Crew(tmp_path, sections, TASKS) as crew:
        crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 30, crew.output()
        assert crew.status().counts["Leaf"] == {"DONE": 7, "DISABLED": 1}
        (failure,) = crew.status().failures
        assert (failure.label, failure.cause, failure.attempts) == ("Leaf leaf3", "in two lines", 2)
        assert failure.log is not None
        assert "leaf3 is broken" in failure.log.read_text(encoding="utf-8")
        (told,) = crew.result()["failures"]
        assert (crew.result()["code"], told["label"], told["log"]) == (30, "Leaf leaf3", str(failure.log))
        mend(crew)
        assert crew.scheduler.retry_failed() == [failure.task_id]
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        assert crew.status().failures == []


def test_luigid_ends_with_the_foreman_and_the_next_run_begins_anew(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"retries": 1}}, TASKS) as crew:
        luigid, worker = crew.start("luigid"), crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 30, crew.output()
        assert [crew.end_of(worker), crew.end_of(luigid)] == [0, 0]
        mend(crew)
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        crew.wait_for(lambda: not crew.run.address.exists())
        crew.assert_nobody_is_left()


def test_a_run_that_is_stopped_says_so_and_goes_on_later(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        mend(crew)
        luigid, foreman, worker = crew.start("luigid"), crew.start("foreman"), crew.start("worker")
        crew.wait_for((tmp_path / "notes").exists)
        crew.scheduler.stop()
        assert crew.end_of(foreman) == 25, crew.output()
        assert [crew.end_of(worker), crew.end_of(luigid)] == [0, 0]
        assert crew.result()["text"] == "the run was stopped"
        before = set((tmp_path / "notes").read_text(encoding="utf-8").split())
        assert len(before) < 9
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        made = (tmp_path / "notes").read_text(encoding="utf-8").split()
        assert len(made) == len(set(made)) == 9


def test_a_run_without_workers_can_be_stopped(tmp_path: Path) -> None:
    with Crew(tmp_path, tasks=TASKS) as crew:
        luigid, foreman = crew.start("luigid"), crew.start("foreman")
        crew.wait_for(lambda: crew.run.read_address() and crew.status().counts.get("Root"))
        crew.scheduler.stop()
        assert [crew.end_of(foreman), crew.end_of(luigid)] == [25, 0], crew.output()
        assert crew.result()["text"] == "the run was stopped"
        crew.assert_nobody_is_left()


def test_a_task_of_which_luigid_could_not_be_told_is_no_reason_to_wait_for_ever(tmp_path: Path) -> None:
    unclear = """
class Unclear(Leaf):
    def complete(self):
        raise OSError("who knows")

class Over(Leaf):
    def requires(self):
        return Unclear(name="unclear")
"""
    tasks = TASKS.replace('HERE / "mended"', "HERE").replace("class Root", f"{unclear.strip()}\n\nclass Root")
    with Crew(tmp_path, tasks=tasks.replace('[Above(name="above")', '[Over(name="over")')) as crew:
        crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 35, crew.output()
        assert sorted((tmp_path / "notes").read_text(encoding="utf-8").split()) == [
            f"leaf{number}" for number in range(8)
        ]


class Weighted(luigi.Task):
    """A task with a number."""

    weight: Any = luigi.FloatParameter()


def test_a_task_that_a_worker_would_take_for_another_is_refused() -> None:
    check_round_trips(Weighted(weight=2.0))
    with pytest.raises(SettingsError, match="a worker would build Weighted_1_0_"):
        check_round_trips(Weighted(weight=1))
