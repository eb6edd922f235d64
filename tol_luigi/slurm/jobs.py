"""Jobs of Slurm: submitting, finding, cancelling and requeueing them."""

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
"""States of jobs that run, or will; see *JOB STATE CODES* in the manual of squeue."""

_FAILED = {"FAILED", "OUT_OF_MEMORY"}
"""States of jobs that ended by what they did themselves."""

_LOST = _FAILED | {"BOOT_FAIL", "DEADLINE", "NODE_FAIL", "PREEMPTED", "REVOKED", "TIMEOUT"}
"""States of jobs that ended before their work was done, but were not cancelled."""

_OUT_OF_MEMORY = {"253", "0:125"}
"""What Slurm's commands print as the exit code of a step that the kernel killed for its memory; the job itself is just FAILED."""

_COLUMNS = {
    "ArrayJobID": 16, "ArrayTaskID": 16, "State": 24, "Reason": 64, "NodeList": 256, "TimeUsed": 24, "DerivedEC": 16
}  # fmt: skip
"""What squeue is asked for, with the width of each: not every release can put something between them."""


@dataclass(frozen=True)
class Job:
    """A job, or an element of an array, as squeue knows it.

    Attributes:
        id: The number that sbatch printed.
        element: The number within the array, None if there is no array.
        state: Such as PENDING, RUNNING, COMPLETED, OUT_OF_MEMORY.
        reason: Why it waits, or "None".
        node: Where it runs, or "".
        seconds: How long it has run since its last start.
        step: The exit code of what it has run by srun, the largest, as Slurm writes it.
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
        """Whether it runs, or will."""
        return self.state in _LIVE

    @property
    def is_waiting(self) -> bool:
        """Whether it has not started yet."""
        return self.state == "PENDING"

    @property
    def is_complete(self) -> bool:
        """Whether it has ended with exit code 0."""
        return self.state == "COMPLETED"

    @property
    def has_failed(self) -> bool:
        """Whether it has ended by what it did itself."""
        return self.state in _FAILED

    @property
    def is_lost(self) -> bool:
        """Whether it has ended before its work was done; one that was cancelled has not."""
        return self.state in _LOST

    @property
    def lacked_memory(self) -> bool:
        """Whether it, or what it ran by srun, was killed because it took more memory than it may."""
        return self.state == "OUT_OF_MEMORY" or self.step in _OUT_OF_MEMORY

    @property
    def name(self) -> str:
        """The name that Slurm's commands take."""
        return self.id if self.element is None else f"{self.id}_{self.element}"


def submit(
    script: os.PathLike[str], options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> str:
    """Submit a script; return the number of the job.

    A controller that answers too late may have taken the job all the same. So each carries a mark, and is looked
    for before it is submitted again.

    Raises:
        RefusedError: There would be too many jobs, or too many elements.
        ClusterError: Slurm refuses it for another reason, or cannot be asked.
    """
    mark = f"{MARK}{secrets.token_hex(8)}"
    printed = ask(
        "sbatch",
        "--parsable",
        mark,
        *options,
        os.fspath(script),
        environment=environment,
        recover=lambda: _marked(mark.partition("=")[2]),
        remedy="See [slurm] in the settings file",
    )
    return printed.strip().partition(";")[0]  # the name of the cluster follows, if there are several


def _marked(comment: str) -> str:
    """Return the number of the job with a comment, or "".

    A controller that has just woken up may answer this before it takes the job, so it is asked twice.
    """
    for wait in (0.0, 5.0):
        time.sleep(wait)
        for line in ask("squeue", "--noheader", "--format=%F %k").splitlines():
            number, _, found = line.partition(" ")
            if found.strip() == comment:
                return number
    return ""


def queue(ids: Iterable[str]) -> list[Job]:
    """Return what Slurm knows of some jobs, element by element, including those that ended some minutes ago.

    Jobs that it has forgotten are left out.
    """
    wanted = sorted(set(ids), key=int)
    if not wanted:
        return []
    asked = (
        "--noheader",
        "--array",
        "--states=all",
        f"--Format={','.join(f'{name}:{width}' for name, width in _COLUMNS.items())}",
        f"--jobs={','.join(wanted)}",
    )
    jobs = []
    for line in ask("squeue", *asked, accepted=FORGOTTEN).splitlines():
        number, element, state, reason, node, spent, step = _cut(line)
        jobs.append(
            Job(
                number, int(element) if element.isdigit() else None, state, reason, node, seconds(spent), step
            )
        )
    return jobs


def _cut(line: str) -> Iterator[str]:
    """Cut a line into its columns."""
    start = 0
    for width in _COLUMNS.values():
        yield line[start : start + width].strip()
        start += width


def cancel(names: Iterable[str]) -> None:
    """Cancel jobs, or elements; those that have ended or are forgotten are left alone."""
    given = list(names)
    if given:
        ask("scancel", "--quiet", *given, accepted=FORGOTTEN)


def requeue(name: str) -> None:
    """End a job, and have it start again."""
    ask("scontrol", "requeue", name)
