"""What luigid saves comes back as it was, runs nothing, and is begun again where it cannot be trusted."""

from __future__ import annotations

import json
import logging
import os
import pickle
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest
from luigi.scheduler import Task, Worker
from processes import Crew

from tol_luigi.cluster.run import Run
from tol_luigi.cluster.saved import TASK_FIELDS, WORKER_FIELDS, _digest, _to_json
from tol_luigi.cluster.scheduler import RunScheduler
from tol_luigi.tasks.run_sections import ClusterSection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STRANGER = 12_345

TASKS = """
from pathlib import Path
import luigi

class Root(luigi.Task):
    def output(self):
        return luigi.LocalTarget(Path(__file__).with_name("root.made"))
    def run(self):
        Path(self.output().path).touch()
"""


class Planted:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def filled(run: Run) -> RunScheduler:
    """A scheduler that has seen of all what there is: tasks in every state, workers, a loss, a failure, messages."""
    run.make_folders()
    made = RunScheduler(run, ClusterSection())
    for number in range(6):
        made.add_task(
            task_id=f"Leaf_{number}",
            worker="foreman",
            family="Leaf",
            module="tasks",
            params={"name": f"{number} é \udcff <b>"},
            resources={"disk": 1} if number == 3 else {},
            priority=number,
        )
    made.add_task(
        task_id="Root", worker="foreman", family="Root", deps=[f"Leaf_{number}" for number in range(6)]
    )
    for status in ("DONE", "FAILED", "RUNNING", "LOST"):
        work = made.get_work(worker=f"node:{status}", host=f"host{status}", assistant=True)
        made.report_progress(work["task_id"], "3 of 4 images in 5 s", percentage=75, images=3)
        if status in {"DONE", "FAILED"}:
            made.add_task(
                task_id=work["task_id"],
                worker=f"node:{status}",
                status=status,
                expl='"why"',
                tracking_url="/logs/x",
                exit_code=-9 if status == "FAILED" else None,
            )
    made._state.inactivate_workers(["node:LOST"])
    made.prune()
    made.set_worker_processes("node:RUNNING", 2)
    return made


def facts(scheduler: RunScheduler) -> Any:
    """Give all that a scheduler knows, as it can be compared."""
    tasks, workers, batchers = scheduler._state.get_state()
    return (
        {name: {**vars(task), "workers": list(task.workers)} for name, task in tasks.items()},
        {
            name: {**vars(each), "tasks": {task.id for task in each.tasks}, "last_active": None}
            for name, each in workers.items()
        },
        batchers,
        {status: set(found) for status, found in scheduler._state._status_tasks.items() if found},
    )


def test_the_state_comes_back_as_it_was(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    before = filled(run)
    before.dump()
    after = RunScheduler(run, ClusterSection())
    after.load()
    assert facts(after) == facts(before)
    assert after.run_status()["images"] == before.run_status()["images"] == {"Leaf": 12}
    assert {status for status, found in after._state._status_tasks.items() if found} == {
        *("PENDING", "RUNNING", "DONE", "FAILED"),
    }
    assert all(task in after._state._tasks.values() for task in after._state.get_worker("foreman").tasks)
    assert stat.S_IMODE(run.state.stat().st_mode) == 0o600
    assert json.loads(run.state.read_text(encoding="utf-8"))["state"]["tasks"]
    after._no_work_before = 0
    assert after.get_work(worker="new", host="new", assistant=True)["task_id"].startswith("Leaf_")


def test_a_state_that_is_saved_meanwhile_is_that_of_the_start(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    luigid = filled(run)
    before = facts(luigid)
    luigid._state.start_saving()
    luigid.add_task(task_id="Later", worker="foreman", family="Later")
    assert not luigid._state.is_saved
    while luigid._state.is_saving:
        time.sleep(0.01)
    assert luigid._state.saving_seconds > 0
    after = RunScheduler(run, ClusterSection())
    after.load()
    assert facts(after) == before


def test_the_last_state_is_saved_whatever_is_being_saved(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    luigid = filled(run)
    luigid._state.start_saving()
    luigid.add_task(task_id="Later", worker="foreman", family="Later")
    luigid.dump()
    after = RunScheduler(run, ClusterSection())
    after.load()
    assert facts(after) == facts(luigid)
    assert [path.name for path in run.directory.iterdir() if "state" in path.name] == [run.state.name]


def test_every_attribute_of_luigis_is_known() -> None:
    assert vars(Task("", "PENDING", None)).keys() <= TASK_FIELDS.keys()
    assert vars(Worker("")).keys() == WORKER_FIELDS.keys()


def signed(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """Change a state, and give it the checksum that belongs to it."""

    def made(content: bytes) -> bytes:
        whole = json.loads(content)
        change(whole["state"])
        whole["sha256"] = _digest(_to_json(whole["state"]))
        return json.dumps(whole).encode()

    return made


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda _: bytes(range(256)) * 9,
    "an old pickle": lambda _: pickle.dumps({"luigi": "3.8.1", "state": ({}, {}, {})}),
    "endless depth": lambda _: b"[" * 200_000,
    "another kind of JSON": lambda _: b'"state"',
    "another format": lambda content: content.replace(b'"format": 1', b'"format": 2'),
    "another luigi": lambda content: content.replace(b'"luigi": "', b'"luigi": "0'),
    "a flipped bit": lambda content: content.replace(b"Leaf_4", b"Leaf_5", 1),
    "no tasks": signed(lambda state: state.pop("tasks")),
    "tasks of another kind": signed(lambda state: state.update(tasks=[7])),
    "a task without its id": signed(lambda state: state["tasks"][0].pop("id")),
    "an attribute too many": signed(lambda state: state["tasks"][0].update(__class__="os.system")),
    "a status that there is not": signed(lambda state: state["tasks"][0].update(status="GONE")),
    "requirements that are none": signed(lambda state: state["tasks"][0].update(deps=[["x"]])),
    "a policy of one number": signed(lambda state: state["tasks"][0].update(retry_policy=[1])),
    "a worker of another kind": signed(lambda state: state["workers"][0].update(last_active="now")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_is_none_is_begun_again_and_kept_aside(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(tmp_path / "run")
    filled(run).dump()
    wrong = DAMAGES[damage](run.state.read_bytes())
    run.state.write_bytes(wrong)
    caplog.clear()
    after = RunScheduler(run, ClusterSection())
    with caplog.at_level(logging.WARNING):
        after.load()
    assert not after._state._tasks
    (line,) = caplog.messages
    assert f"{run.state} cannot be used (" in line
    assert run.state.with_name("state.json.unusable").read_bytes() == wrong
    after.dump()
    RunScheduler(run, ClusterSection()).load()
    assert caplog.messages == [line]


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else can give a file away")
def test_a_state_that_another_user_could_write_is_not_used(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    made = filled(run)
    for change in (lambda: os.chown(run.state, STRANGER, -1), lambda: run.state.chmod(0o620)):
        made.dump()
        change()
        after = RunScheduler(run, ClusterSection())
        after.load()
        assert not after._state._tasks


def test_a_luigid_never_runs_a_pickle(tmp_path: Path) -> None:
    mark = tmp_path / "it was run"
    with Crew(tmp_path) as crew:
        crew.run.make_folders()
        planted = pickle.dumps({"luigi": "3.8.1", "state": Planted(mark)})
        for name in (crew.run.state.name, "state.pickle"):
            (crew.run.directory / name).write_bytes(planted)
        crew.start("luigid")
        assert crew.wait_for(crew.run.read_address)
        assert crew.status().workers == 0
        assert crew.output().count("cannot be used") == 1
        assert not mark.exists()


@pytest.mark.parametrize("part", ["luigid", "worker", "foreman"])
def test_a_run_folder_that_others_may_write_to_is_refused_in_one_line(tmp_path: Path, part: str) -> None:
    with Crew(tmp_path) as crew:
        crew.run.make_folders()
        crew.run.directory.chmod(0o775)
        assert crew.end_of(crew.start(part)) == 1
        where = crew.run.directory
        assert crew.output().splitlines()[1:] == [
            f"tol_luigi: {where}: other users can write to it (mode 775). Run: chmod -R go-w {where}."
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else can give a file away")
def test_an_address_that_another_user_has_planted_gets_no_password(tmp_path: Path) -> None:
    with Crew(tmp_path) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        os.chown(crew.run.address, STRANGER, -1)
        assert crew.end_of(crew.start("worker")) == 1
        assert "address.json: another user owns it (uid 12345)" in crew.output()


def test_whatever_the_umask_nobody_else_may_write_into_a_run(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Crew(tmp_path, {"cluster": {"finish": "false"}}, TASKS) as crew:
            crew.start("luigid")
            crew.start("worker")
            assert crew.end_of(crew.start("foreman")) == 0, crew.output()
            crew.wait_for(crew.run.state.exists)
            found = {
                path.name: path.stat().st_mode for path in (crew.run.directory, *crew.run.directory.iterdir())
            }
            assert {"run", "logs", "state.json", "address.json", "password", "result.json"} <= found.keys()
            assert {name for name, mode in found.items() if mode & 0o022} == set()
    finally:
        os.umask(before)
