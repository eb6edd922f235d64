"""What luigid knows of tasks are fields: whatever their messages read like, nothing is taken from those."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from luigi.task_status import DONE, FAILED, PENDING

from tol_luigi.cluster.run import Run
from tol_luigi.cluster.scheduler import RunScheduler
from tol_luigi.tasks.run_sections import ClusterSection

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = {"dataset": "/data/d", "split": "train", "source": "eol", "partition": "image set 01"}
KILLED = "Task WriteShards died unexpectedly with exit code -9"


@pytest.fixture
def luigid(tmp_path: Path) -> RunScheduler:
    """A luigid of one task, given to a worker."""
    made = RunScheduler(Run(tmp_path), ClusterSection(retries=1))
    made.add_task(task_id="W", worker="foreman", status=PENDING, family="WriteShards", params=SHARDS)
    return made


def take(luigid: RunScheduler, worker: str = "w1", host: str = "n1") -> dict[str, Any]:
    answer = luigid.get_work(worker=worker, host=host, assistant=True)
    assert answer["task_id"] == "W"
    return answer


def end(luigid: RunScheduler, status: str, message: str, exit_code: int | None) -> None:
    luigid.add_task(
        task_id="W",
        worker="w1",
        status=status,
        expl=json.dumps(message),
        exit_code=exit_code,
        params=SHARDS,
        family="WriteShards",
    )


@pytest.mark.parametrize("exit_code", [-9, 0, None])
def test_whether_a_task_was_killed_is_its_exit_code(luigid: RunScheduler, exit_code: int | None) -> None:
    take(luigid)
    end(luigid, FAILED, KILLED, exit_code)
    (failure,) = luigid.run_status()["failures"]
    assert (failure["exit_code"], failure["cause"]) == (exit_code, KILLED)


def test_an_exit_code_is_of_the_last_attempt(luigid: RunScheduler) -> None:
    take(luigid)
    end(luigid, FAILED, KILLED, -9)
    luigid.retry_failed()
    take(luigid)
    assert luigid.run_status()["running"][0]["parameters"]["partition"] == "image set 01"
    task = luigid._state.get_task("W")
    luigid._state.set_status(task, FAILED, luigid._config)
    luigid._state.disable(task, luigid._config)
    (failure,) = luigid.run_status()["failures"]
    assert failure["exit_code"] is None


def test_images_are_counted_as_they_are_reported(luigid: RunScheduler) -> None:
    take(luigid)
    luigid.report_progress("W", "999 of 1,000 images in 5 s", percentage=4, images=40)
    now = luigid.run_status()
    assert now["images"] == {"WriteShards": 40}
    assert (now["running"][0]["percentage"], now["running"][0]["message"]) == (
        4,
        "999 of 1,000 images in 5 s",
    )
    luigid.report_progress("W", "999 images in 5 s, but by words only")
    assert luigid.run_status()["images"] == {"WriteShards": 40}
    end(luigid, DONE, "", 0)
    assert luigid.run_status()["images"] == {"WriteShards": 40}


def test_a_worker_that_is_sent_home_is_told_whether_its_node_is_bad(luigid: RunScheduler) -> None:
    take(luigid)
    luigid.finish("3 tasks have failed in a row, says a user")
    answer = luigid.get_work(worker="w1", host="n1", assistant=True)
    assert (answer["leave"], answer["is_bad_node"]) == ("3 tasks have failed in a row, says a user", False)
