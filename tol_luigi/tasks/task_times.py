"""How long each task took, and what decoded and resized its images, in a file of one line per task: a log, and no part of the dataset."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["record_time"]


def record_time(task: DatasetTask, seconds: float) -> None:
    """Append how long a task took, what it has counted and what decoded and resized its images; failing to do so is no failure.

    Several processes append to the file at once, each a short line in one write.
    """
    unit, count = task.counted
    line = {
        "family": task.task_family,
        "label": task.label,
        "ended": round(time.time(), 1),
        "seconds": round(seconds, 3),
        "unit": unit,
        "count": count,
        **task.image_code,
    }
    path = task.layout.task_times
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)  # a task that finds no dataset makes none
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, f"{json.dumps(line)}\n".encode())
        finally:
            os.close(file)
