"""Logs of tasks: one file per task and attempt."""

from __future__ import annotations

import contextlib
import os
import sys
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.cluster.run import Run

__all__ = ["LINK", "log_path", "redirect_output"]

LINK = "/logs/"
"""The URL path of the logs at luigid; the file name follows."""


def redirect_output(run: Run, task_id: str) -> Path:
    """Redirect the output of this process to a new log; return its path.

    Args:
        run: The run.
        task_id: The task. Its attempts are counted from 1.
    """
    run.make_folders()
    for attempt in count(1):
        path = run.log(task_id, attempt)
        with contextlib.suppress(FileExistsError):
            log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
            break
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.close(log)
    return path


def log_path(run: Run, link: str | None) -> Path | None:
    """Return the path of the log that a link on luigid's page points to."""
    return run.logs / link.removeprefix(LINK) if link and link.startswith(LINK) else None
