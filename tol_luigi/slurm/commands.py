"""Running Slurm's commands, with retries while the controller is busy or unreachable."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FORGOTTEN", "MARK", "RefusedError", "ask"]

FORGOTTEN = re.compile(r"invalid job id specified", re.IGNORECASE)
"""Matches what the commands print about a job that ended long ago."""

MARK = "--comment=tol_luigi-"
"""The start of the option that marks a submitted job, so that it can be found again; messages omit it."""

_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between two attempts while the controller is unreachable: less than two minutes in total."""

_TRANSIENT = re.compile(
    r"socket timed out|unable to contact slurm controller|connection (refused|reset|timed out)"
    r"|zero bytes were transmitted|transport endpoint is not connected|temporarily unable"
    r"|slurm backup controller in standby|communication connection failure|resource temporarily unavailable",
    re.IGNORECASE,
)
"""Matches what the commands print if the controller is busy, unreachable, or restarting."""

_TOO_MANY = re.compile(
    r"job submit limit|MaxSubmit|accounting/QOS policy|too many|job array specification|job limit",
    re.IGNORECASE,
)

_OWN_VARIABLES = ("SQUEUE_", "SLURM_", "SLURMD_", "SRUN_")
"""Prefixes of variables that change the output of the commands, or describe the job of this process."""


class RefusedError(ClusterError):
    """Slurm refuses a job because it exceeds a limit on the number of jobs or elements."""


def ask(
    *command: str,
    environment: Mapping[str, str] | None = None,
    accepted: re.Pattern[str] | None = None,
    recover: Callable[[], str] = str,
    remedy: str = "Ask the administrators of the cluster if this persists",
) -> str:
    """Run one of Slurm's commands, with retries while the controller is unreachable; return its output.

    Args:
        command: The command and its arguments.
        environment: Additional environment variables.
        accepted: Error output that is not an error for the caller.
        recover: Called before each retry. If it returns the answer to the previous attempt, that is returned.
        remedy: What the user can do about an error.

    Raises:
        RefusedError: There are too many jobs or elements.
        ClusterError: The command fails for another reason, or is not installed.
    """
    for wait in (*_WAITS, None):
        done = _run(command, environment)
        if done.returncode == 0 or (accepted and accepted.search(done.stderr)):
            return done.stdout
        if wait is None or not _TRANSIENT.search(done.stderr):
            break
        time.sleep(wait)
        if recovered := recover():
            return recovered
    kind = RefusedError if _TOO_MANY.search(done.stderr) else ClusterError
    shown = shlex.join(part for part in command if not part.startswith(MARK))
    raise kind(shown, _last_line(done.stderr), remedy)


def _run(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OWN_VARIABLES) or name == "SLURM_CONF"
    }
    try:
        return subprocess.run(  # noqa: S603 (our own commands, no shell)
            command,
            env={**kept, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        what = "command not found"
        raise ClusterError(command[0], what, "Run this on a node where jobs can be submitted") from error


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "the command failed without an error message"
    return re.sub(r"^\w+: (error|fatal): ", "", lines[-1]).rstrip(".")
