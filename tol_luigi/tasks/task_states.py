"""A small file for each task that runs or has failed, so that ``tol status`` can report builds without a luigid of ours.

The files are notes, not part of the dataset: nothing is decided by them, and failing to write one is no failure.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import read_object, scratch_path
from tol_luigi.core.machine import Process

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TaskState", "forget", "read_states", "write_state"]

_STALE_SECONDS = 3600.0
"""After this time a task on another node is not believed to run any more."""


@dataclass(frozen=True)
class TaskState:
    """What is known of a task.

    Attributes:
        task_id: Luigi's id of the task.
        label: The task in a few words.
        node: The node that it runs on, or failed on.
        process: Its process there.
        since: When it began, or failed, in seconds since 1970.
        cause: Why it has failed; "" while it runs.
    """

    task_id: str
    label: str
    node: str
    process: Process
    since: float
    cause: str = ""

    @functools.cached_property  # one answer for all that a status reports
    def is_running(self) -> bool:
        """Whether the task runs: its process exists, or it began on another node not long ago."""
        if self.cause:
            return False
        if self.process.is_local:
            return self.process.is_running
        return time.time() - self.since < _STALE_SECONDS


def write_state(folder: Path, task_id: str, label: str, cause: str = "") -> None:
    """Write that a task runs in this process, or why it has failed."""
    state = TaskState(task_id, label, socket.gethostname(), Process.own(), time.time(), cause)
    path = _file(folder, task_id)
    scratch = scratch_path(path)
    with contextlib.suppress(OSError):
        if not folder.parents[1].is_dir():  # a task that finds no dataset makes none
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            scratch.write_text(json.dumps(asdict(state)), encoding="utf-8", errors="backslashreplace")
            scratch.replace(path)
        except OSError:  # a full disk, say, which needs the space
            scratch.unlink(missing_ok=True)


def forget(folder: Path, task_id: str) -> None:
    """Remove the note on a task, which is complete."""
    with contextlib.suppress(OSError):
        _file(folder, task_id).unlink(missing_ok=True)


def read_states(folder: Path) -> list[TaskState]:
    """Return what is known of tasks, in the order of their ids; files that cannot be read are left out."""
    states = []
    for path in sorted(folder.glob("*.json")):
        fields: dict[str, Any] = read_object(path)
        with contextlib.suppress(TypeError, KeyError):
            states.append(TaskState(**{**fields, "process": Process(**fields["process"])}))
    return states


def _file(folder: Path, task_id: str) -> Path:
    return folder / f"{task_id}.json"
