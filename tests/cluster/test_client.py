"""What luigid tells of a run, and what is said where it cannot be asked."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from processes import Crew

from tol_luigi.cluster.client import Scheduler
from tol_luigi.cluster.run import Address, Run
from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_without_luigid_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="luigid has not written its address"):
        Scheduler(Run(tmp_path)).status()


def test_a_luigid_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = Run(tmp_path)
    run.write_address(Address(f"http://127.0.0.1:{port}", "127.0.0.1", port, time.time()))
    for ask in (Scheduler(run).status, Scheduler(run).retry_failed, Scheduler(run).stop):
        with pytest.raises(ClusterError, match="luigid does not answer"):
            ask()


def test_a_wrong_password_is_told_in_one_line(tmp_path: Path) -> None:
    with Crew(tmp_path) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        assert crew.status().workers == 0
        crew.run.password.write_text("wrong\n", encoding="utf-8")
        with pytest.raises(ClusterError, match="luigid refuses the password"):
            crew.status()
        crew.run.password.chmod(0o644)
        with pytest.raises(ClusterError, match="other users can read or change the password"):
            crew.status()


def test_a_finished_run_tells_its_tasks_by_stage_and_state(tmp_path: Path) -> None:
    with Crew(tmp_path, {"cluster": {"finish": "false"}}) as crew:
        crew.start("luigid")
        crew.start("worker", "n1")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        status = crew.status()
        assert all(set(states) == {"DONE"} for states in status.counts.values())
        assert status.counts["BuildCatalog"] == {"DONE": 1}
        assert (status.workers, status.running, status.failures) == (1, [], [])
        assert status.images["WriteShards"] == 122  # 107 of train, 5 of val, 10 of train_small
        assert status.unfinished == 0
        assert len(list(crew.run.logs.iterdir())) == sum(states["DONE"] for states in status.counts.values())
