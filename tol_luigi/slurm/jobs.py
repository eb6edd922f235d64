"""Slurm jobs: submitting, listing, cancelling and requeueing them."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.slurm.commands import FORGOTTEN, MARK, RefusedError, ask
from tol_luigi.slurm.durations import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Job", "RefusedError", "cancel", "queue", "requeue", "submit"]

_LIVE = {
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT",
    "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT",
}  # fmt: skip
"""States of jobs that run or will run; see *JOB STATE CODES* in the manual of squeue."""

_FAILED = {"FAILED", "OUT_OF_MEMORY"}
"""States of jobs that ended because of their own failure."""

_LOST = _FAILED | {"BOOT_FAIL", "DEADLINE", "NODE_FAIL", "PREEMPTED", "REVOKED", "TIMEOUT"}
"""States of jobs that ended before their work was complete, except cancelled jobs."""

_OUT_OF_MEMORY = {"253", "0:125"}
"""Printed exit codes of a step that was killed for its memory; the job itself is just FAILED."""

_COLUMNS = {
    "ArrayJobID": 16, "ArrayTaskID": 16, "State": 24, "Reason": 64, "NodeList": 256, "TimeUsed": 24, "DerivedEC": 16
}  # fmt: skip
"""The columns of squeue with their widths: not every release supports a delimiter."""


@dataclass(frozen=True)
class Job:
    """A job, or an element of an array, as squeue lists it.

    Attributes:
        id: The job id that sbatch printed.
        element: The index in the array, None if the job is not an array.
        state: The state, such as PENDING, RUNNING, COMPLETED, OUT_OF_MEMORY.
        reason: Why it is pending, or "None".
        node: The node that it runs on, or "".
        seconds: The run time since its last start.
        step: The highest exit code of its srun steps, in Slurm's format.
    """

    id: str
    element: int | None
    state: str
    reason: str
    node: str
    seconds: int
    step: str = "0"

    @property
    def is_live(self) -> bool:
        """Whether it runs or will run."""
        return self.state in _LIVE

    @property
    def is_waiting(self) -> bool:
        """Whether it has not started yet."""
        return self.state == "PENDING"

    @property
    def is_complete(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.state == "COMPLETED"

    @property
    def has_failed(self) -> bool:
        """Whether it ended because of its own failure."""
        return self.state in _FAILED

    @property
    def is_lost(self) -> bool:
        """Whether it ended before its work was complete; False for cancelled jobs."""
        return self.state in _LOST

    @property
    def lacked_memory(self) -> bool:
        """Whether it, or one of its srun steps, was killed for exceeding its memory."""
        return self.state == "OUT_OF_MEMORY" or self.step in _OUT_OF_MEMORY

    @property
    def name(self) -> str:
        """The name for Slurm's commands."""
        return self.id if self.element is None else f"{self.id}_{self.element}"


def submit(
    script: os.PathLike[str], options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> str:
    """Submit a script; return the job id.

    A controller whose answer times out may still have accepted the job. So each job gets a comment, and is
    looked up by it before it is submitted again.

    Raises:
        RefusedError: There are too many jobs or elements.
        ClusterError: Slurm refuses the job for another reason, or is unreachable.
    """
    mark = f"{MARK}{secrets.token_hex(8)}"
    output = ask(
        "sbatch",
        "--parsable",
        mark,
        *options,
        os.fspath(script),
        environment=environment,
        recover=lambda: _find_by_comment(mark.partition("=")[2]),
        remedy="Correct [slurm] in the settings file",
    )
    return output.strip().partition(";")[0]  # the name of the cluster follows if there are several


def _find_by_comment(comment: str) -> str:
    """Return the id of the job with a comment, or "".

    A controller that has just restarted may answer before it accepts the job, so it is asked twice.
    """
    for wait in (0.0, 5.0):
        time.sleep(wait)
        for line in ask("squeue", "--noheader", "--format=%F %k").splitlines():
            job_id, _, found = line.partition(" ")
            if found.strip() == comment:
                return job_id
    return ""


def queue(ids: Iterable[str]) -> list[Job]:
    """Return the jobs with some ids, one per element, including jobs that ended some minutes ago.

    Jobs that Slurm no longer knows are omitted.
    """
    wanted = sorted(set(ids), key=int)
    if not wanted:
        return []
    options = (
        "--noheader",
        "--array",
        "--states=all",
        f"--Format={','.join(f'{name}:{width}' for name, width in _COLUMNS.items())}",
        f"--jobs={','.join(wanted)}",
    )
    jobs = []
    for line in ask("squeue", *options, accepted=FORGOTTEN).splitlines():
        job_id, element, state, reason, node, duration, step = _split_columns(line)
        jobs.append(
            Job(
                job_id,
                int(element) if element.isdigit() else None,
                state,
                reason,
                node,
                seconds(duration),
                step,
            )
        )
    return jobs


def _split_columns(line: str) -> Iterator[str]:
    start = 0
    for width in _COLUMNS.values():
        yield line[start : start + width].strip()
        start += width


def cancel(names: Iterable[str]) -> None:
    """Cancel jobs or elements; ignore those that have ended or that Slurm no longer knows."""
    jobs = list(names)
    if jobs:
        ask("scancel", "--quiet", *jobs, accepted=FORGOTTEN)


def requeue(name: str) -> None:
    """End a job and start it again."""
    ask("scontrol", "requeue", name)
