"""What tasks say: one file for each task and attempt."""

from __future__ import annotations

import contextlib
import os
import sys
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.cluster.run import Run

__all__ = ["LINK", "log_of", "redirect"]

LINK = "/logs/"
"""Where luigid serves the logs; what follows is the name of the file."""


def redirect(run: Run, task_id: str) -> Path:
    """Send what this process writes to a new log, and give its path.

    Args:
        run: The run.
        task_id: The task, whose attempts are counted from 1.
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


def log_of(run: Run, link: str | None) -> Path | None:
    """Give the log that a link of luigid's page leads to."""
    return run.logs / link.removeprefix(LINK) if link and link.startswith(LINK) else None
