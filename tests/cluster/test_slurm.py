"""What is asked of Slurm, and that it is asked again where it does not answer; with a real one."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from slurm_rig import Rig, wait_for

from tol_luigi import slurm
from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Write a job."""

    def write(body: str) -> Path:
        path = tmp_path / "job.sh"
        path.write_text(f"#!/bin/sh\n#SBATCH --output={tmp_path}/job.log\n{body}\n", encoding="utf-8")
        return path

    return write


def states(job: str) -> dict[str, str]:
    return {each.name: each.state for each in slurm.queue([job])}


def test_elements_are_known_one_by_one_and_after_their_end(asked: Rig, script: Callable[[str], Path]) -> None:
    job = slurm.submit(script('exit "$SLURM_ARRAY_TASK_ID"'), ["--array=0-2", "--mem=10M"])
    wait_for("all have ended", lambda: not any(each.is_live for each in slurm.queue([job])), 60)
    assert states(job) == {f"{job}_0": "COMPLETED", f"{job}_1": "FAILED", f"{job}_2": "FAILED"}
    assert asked.ask("squeue", "--noheader") == ""


def test_jobs_that_slurm_has_forgotten_are_left_out(asked: Rig, script: Callable[[str], Path]) -> None:
    del asked
    job = slurm.submit(script("sleep 60"), ["--mem=10M"])
    assert [each.id for each in slurm.queue([job, "999999"])] == [job]
    assert slurm.queue(["999999"]) == []
    assert slurm.queue([]) == []
    slurm.cancel([job, "999999"])
    wait_for("it is cancelled", lambda: states(job)[job] == "CANCELLED", 30)


def test_limits_are_those_of_the_controller(asked: Rig) -> None:
    assert slurm.limits() == slurm.Limits(array=asked.array, jobs=500)


def test_array_that_is_too_large_is_refused_as_such(asked: Rig, script: Callable[[str], Path]) -> None:
    with pytest.raises(slurm.RefusedError, match="Invalid job array specification"):
        slurm.submit(script("true"), [f"--array=0-{asked.array}"])


def test_refusal_names_the_command_and_the_reason(asked: Rig, script: Callable[[str], Path]) -> None:
    del asked
    with pytest.raises(
        ClusterError, match=r"^sbatch --parsable --partition=none .*: .*Invalid partition name"
    ) as error:
        slurm.submit(script("true"), ["--partition=none"])
    assert not isinstance(error.value, slurm.RefusedError)


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="scontrol: command not found"):
        slurm.limits()


def test_controller_that_is_away_is_asked_again(asked: Rig, script: Callable[[str], Path]) -> None:
    asked.stop_controller()
    back = threading.Timer(4, asked.start_controller)
    back.start()
    job = slurm.submit(script("true"), ["--mem=10M"])
    back.join()
    wait_for("it has run", lambda: states(job)[job] == "COMPLETED", 60)


def test_job_that_is_taken_without_an_answer_is_not_submitted_twice(
    asked: Rig, script: Callable[[str], Path]
) -> None:
    before = set(asked.ask("squeue", "--noheader", "--states=all", "--format=%F").split())
    asked.daemons["slurmctld"].send_signal(signal.SIGSTOP)
    back = threading.Timer(16, asked.daemons["slurmctld"].send_signal, [signal.SIGCONT])
    back.start()
    began = time.monotonic()
    job = slurm.submit(script("sleep 60"), ["--mem=10M"])
    assert time.monotonic() - began > 5  # it was not asked before it was stopped
    back.join()
    now = set(asked.ask("squeue", "--noheader", "--states=all", "--format=%F").split())
    assert now - before == {job}
    slurm.cancel([job])


def test_requeued_job_starts_anew(asked: Rig, script: Callable[[str], Path], tmp_path: Path) -> None:
    del asked
    job = slurm.submit(script(f"date >> {tmp_path}/starts; sleep 100"), ["--mem=10M"])
    wait_for("it runs", (tmp_path / "starts").exists, 30)
    slurm.requeue(job)
    wait_for("it runs again", lambda: len((tmp_path / "starts").read_text().splitlines()) == 2, 60)
    slurm.cancel([job])
