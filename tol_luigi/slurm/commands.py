"""Running Slurm's commands: without what would change their output, and again if the controller is busy or away."""

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
"""What the commands print about a job that ended long ago."""

MARK = "--comment=tol_luigi-"
"""How the option begins by which a submitted job is found again; messages do not show it."""

_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between one try and the next, if the controller cannot be asked: less than two minutes in all."""

_TRANSIENT = re.compile(
    r"socket timed out|unable to contact slurm controller|connection (refused|reset|timed out)"
    r"|zero bytes were transmitted|transport endpoint is not connected|temporarily unable"
    r"|slurm backup controller in standby|communication connection failure|resource temporarily unavailable",
    re.IGNORECASE,
)
"""What the commands print if the controller is busy, away, or being restarted."""

_TOO_MANY = re.compile(
    r"job submit limit|MaxSubmit|accounting/QOS policy|too many|job array specification|job limit",
    re.IGNORECASE,
)

_OWN_VARIABLES = ("SQUEUE_", "SLURM_", "SLURMD_", "SRUN_")
"""They change what is printed, or describe the job that this process runs in, and not the one that it submits."""


class RefusedError(ClusterError):
    """Slurm does not take a job, because it would be one too many."""


def ask(
    *command: str,
    environment: Mapping[str, str] | None = None,
    accepted: re.Pattern[str] | None = None,
    recover: Callable[[], str] = str,
    remedy: str = "Ask those who run the cluster if that stays so",
) -> str:
    """Run one of Slurm's commands, again while the controller cannot be asked; return what it prints.

    Args:
        command: The command and its arguments.
        environment: Variables to set for it.
        accepted: What it may print when it fails, without that being an error.
        recover: Called before another try; if the answer to the last one is found that way, it is returned.
        remedy: What the user can do about an error.

    Raises:
        RefusedError: There would be too many jobs, or too many elements.
        ClusterError: It fails for another reason, or there is no such command.
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


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "it fails and does not say why"
    return re.sub(r"^\w+: (error|fatal): ", "", lines[-1]).rstrip(".")
