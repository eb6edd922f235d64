"""Slurm, by its own commands: what this program asks of it, and nothing else.

Only ``sbatch``, ``squeue``, ``scancel`` and ``scontrol`` are used, so no accounting database is needed. A controller that
is busy or away for a moment is asked again.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Job", "Limits", "RefusedError", "cancel", "limits", "queue", "requeue", "seconds", "submit"]

_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between one try and the next, where the controller cannot be asked: less than two minutes in all."""

_TRANSIENT = re.compile(
    r"socket timed out|unable to contact slurm controller|connection (refused|reset|timed out)"
    r"|zero bytes were transmitted|transport endpoint is not connected|temporarily unable"
    r"|slurm backup controller in standby|communication connection failure|resource temporarily unavailable",
    re.IGNORECASE,
)
"""What a controller that is busy, away, or being restarted makes the commands say."""

_FORGOTTEN = re.compile(r"invalid job id specified", re.IGNORECASE)

_TOO_MANY = re.compile(
    r"job submit limit|MaxSubmit|accounting/QOS policy|too many|job array specification|job limit",
    re.IGNORECASE,
)

_LIVE = {
    "PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT",
    "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT",
}  # fmt: skip
"""States of jobs that run, or will; see *JOB STATE CODES* in the manual of squeue."""

_OUT_OF_MEMORY = {"253", "0:125"}
"""What Slurm's commands show as the exit code of a step that the kernel has ended for its memory; the job itself is just FAILED."""

_COLUMNS = {
    "ArrayJobID": 16, "ArrayTaskID": 16, "State": 24, "Reason": 64, "NodeList": 256, "TimeUsed": 24, "DerivedEC": 16
}  # fmt: skip
"""What squeue is asked for, with the width of each: not every release can put something between them."""


class RefusedError(ClusterError):
    """Slurm does not take a job, as it would be one too many."""


@dataclass(frozen=True)
class Job:
    """A job, or an element of an array, as squeue knows it.

    Attributes:
        id: The number that sbatch has told.
        element: The number within the array, None where there is no array.
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
    def lacked_memory(self) -> bool:
        """Whether it, or what it has run by srun, was ended for taking more memory than it may."""
        return self.state == "OUT_OF_MEMORY" or self.step in _OUT_OF_MEMORY

    @property
    def is_live(self) -> bool:
        """Whether it runs, or will."""
        return self.state in _LIVE

    @property
    def name(self) -> str:
        """The name that Slurm's commands take."""
        return self.id if self.element is None else f"{self.id}_{self.element}"


@dataclass(frozen=True)
class Limits:
    """What the controller bears.

    Attributes:
        array: The most elements of an array.
        jobs: The most jobs in all, of all users, elements of arrays counted one by one.
    """

    array: int
    jobs: int


def submit(
    script: os.PathLike[str], options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> str:
    """Submit a script; gives the number of the job.

    A controller that answers too late may have taken the job all the same. So each carries a mark, and is looked
    for before it is submitted again.

    Raises:
        RefusedError: There would be too many jobs, or too many elements.
        ClusterError: Slurm refuses it for another reason, or cannot be asked.
    """
    mark = f"tol_luigi-{secrets.token_hex(8)}"
    command = ["sbatch", "--parsable", f"--comment={mark}", *options, os.fspath(script)]
    for wait in (*_WAITS, None):
        done = _run(command, environment)
        if done.returncode == 0:
            return done.stdout.strip().partition(";")[
                0
            ]  # behind it stands the cluster, where there are several
        if wait is None or not _TRANSIENT.search(done.stderr):
            break
        time.sleep(wait)
        if taken := _marked(mark):
            return taken
    kind = RefusedError if _TOO_MANY.search(done.stderr) else ClusterError
    raise kind(_shown(command), _last_line(done.stderr), "See [slurm] in the settings file")


def _marked(mark: str) -> str:
    """Find a job by its mark; gives its number, or "".

    A controller that has just woken up may answer this before it takes the job, so it is asked twice.
    """
    for wait in (0.0, 5.0):
        time.sleep(wait)
        for line in _ask("squeue", "--noheader", "--format=%F %k").splitlines():
            number, _, comment = line.partition(" ")
            if comment.strip() == mark:
                return number
    return ""


def queue(ids: Iterable[str]) -> list[Job]:
    """Give what Slurm knows of some jobs, element by element, those included that have ended some minutes ago.

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
    for line in _ask("squeue", *asked, accepted=_FORGOTTEN).splitlines():
        number, element, state, reason, node, spent, step = _cut(line)
        where = int(element) if element.isdigit() else None
        jobs.append(Job(number, where, state, reason, node, seconds(spent), step))
    return jobs


def _cut(line: str) -> Iterator[str]:
    """Cut a line into its columns."""
    start = 0
    for width in _COLUMNS.values():
        yield line[start : start + width].strip()
        start += width


def seconds(text: str) -> int:
    """Read a duration, ``days-hours:minutes:seconds``, of which the first parts may be missing."""
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":") if part.isdigit()]
    spent = 0
    for part in parts:
        spent = 60 * spent + part
    return spent + 86_400 * int(days or 0)


def cancel(names: Iterable[str]) -> None:
    """Cancel jobs, or elements; those that have ended or are forgotten are left alone."""
    given = list(names)
    if given:
        _ask("scancel", "--quiet", *given, accepted=_FORGOTTEN)


def requeue(name: str) -> None:
    """End a job, and have it start anew."""
    _ask("scontrol", "requeue", name)


def limits() -> Limits:
    """Ask the controller what it bears."""
    config = {}
    for line in _ask("scontrol", "show", "config").splitlines():
        key, _, value = line.partition("=")
        config[key.strip()] = value.strip()
    # the largest number of an element is one less
    return Limits(array=int(config.get("MaxArraySize", 1001)), jobs=int(config.get("MaxJobCount", 10_000)))


def count() -> int:
    """Count the jobs in the queue, of all users, elements of arrays one by one."""
    return len(_ask("squeue", "--noheader", "--array", "--format=%i").splitlines())


def _ask(*command: str, accepted: re.Pattern[str] | None = None) -> str:
    """Run one of Slurm's commands, again where the controller cannot be asked; gives what it prints.

    Raises:
        ClusterError: It fails, and not in the accepted way.
    """
    for wait in (*_WAITS, None):
        done = _run(command)
        if done.returncode == 0 or (accepted and accepted.search(done.stderr)):
            return done.stdout
        if wait is None or not _TRANSIENT.search(done.stderr):
            break
        time.sleep(wait)
    raise ClusterError(
        _shown(command), _last_line(done.stderr), "Ask those who run the cluster if that stays so"
    )


def _run(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    # What users set for themselves would change what is printed, and what the foreman's own job has been given
    # would be given to the jobs that it submits.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SQUEUE_", "SLURM_", "SLURMD_", "SRUN_")) or name == "SLURM_CONF"
    }
    try:
        return subprocess.run(  # noqa: S603 (commands of ours, no shell)
            command,
            env={**kept, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        what = "there is no such command here"
        raise ClusterError(command[0], what, "Call this where jobs are submitted from") from error


def _shown(command: Sequence[str]) -> str:
    return shlex.join(part for part in command if not part.startswith("--comment=tol_luigi-"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (
        re.sub(r"^\w+: (error|fatal): ", "", lines[-1]).rstrip(".")
        if lines
        else "it fails and does not say why"
    )
