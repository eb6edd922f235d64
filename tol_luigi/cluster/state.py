"""The state of luigid: saved to disk, and robust against the loss of workers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luigi.task_status import DISABLED, FAILED, PENDING, RUNNING

from tol_luigi.cluster import saved
from tol_luigi.cluster.parents import end_with_parent
from tol_luigi.core.errors import TolError
from tol_luigi.report.text import counted
from tol_luigi.tasks.indexed_scheduler import IndexedState

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

    from luigi.metrics import MetricsCollector

__all__ = ["RunState"]

_LOG = logging.getLogger("luigi.scheduler")

_FIRST_OTHER_FILE = 3
"""The first file descriptor after standard input, output and error."""

_LONGEST_SAVE = 10.0
"""How many seconds the end of luigid waits for the process that saves the state."""


class RunState(IndexedState):
    """Luigi's state, saved to disk, with another treatment of the tasks of lost workers.

    Args:
        path: The file that the state is saved to.
        losses: How many workers a task may lose before it is disabled.
        collector: Receives the metrics.

    Attributes:
        changes: The number of changes so far.
        saving_seconds: The processor time that the last save took.
    """

    def __init__(self, path: Path, losses: int, collector: MetricsCollector) -> None:
        super().__init__(str(path))
        self.losses = losses
        self._metrics_collector = collector
        self.changes = self._saved = 0
        self.saving_seconds = self._before = 0.0
        self._saving: ForkProcess | None = None

    @property
    def is_saved(self) -> bool:
        """Whether nothing has changed since the last save."""
        return self.changes == self._saved

    @property
    def is_saving(self) -> bool:
        """Whether another process still saves the state."""
        if self._saving is not None and not self._saving.is_alive():
            if self._saving.exitcode:
                code = self._saving.exitcode
                _LOG.warning("Cannot save the state of luigid: the process for it ended with %s", code)
            self._saving = None
            self.saving_seconds = _children_seconds() - self._before
        return self._saving is not None

    def start_saving(self) -> None:
        """Save the state in a copy of this process, so that requests do not wait for it."""
        self._before = _children_seconds()
        self._saving = get_context("fork").Process(target=self._save_and_end, args=[os.getpid()], daemon=True)
        self._saving.start()
        self._saved = self.changes

    def _save_and_end(self, parent: int) -> None:
        signal.set_wakeup_fd(-1)  # of the event loop, which would take a signal to this process as its own
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which removes the unfinished file
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.closerange(
            _FIRST_OTHER_FILE, os.sysconf("SC_OPEN_MAX")
        )  # clients would wait for the end of their connections
        end_with_parent(parent, signal.SIGKILL)  # the next luigid may have saved a newer state since
        self._write()

    def stop_saving(self) -> None:
        """End the process that saves the state."""
        if self._saving is not None:
            self._saving.terminate()
            self._saving.join(_LONGEST_SAVE)
            self._saving.kill()

    def dump(self) -> None:
        """Save the state atomically; log a warning and continue if that fails."""
        self.stop_saving()
        self._write()
        self._saved = self.changes

    def _write(self) -> None:
        try:
            saved.write(Path(self._state_path), self.get_state())
        except (TolError, OSError, RecursionError, TypeError, ValueError) as error:
            _LOG.warning("Cannot save the state of luigid: %s", error)

    def load(self) -> None:
        """Load the saved state if it can be trusted, and restart the timeout of every worker.

        Any other file is renamed. Then luigid starts without a state, and the foreman adds all tasks again.
        """
        path = Path(self._state_path)
        try:
            self.set_state(saved.read(path))
        except FileNotFoundError:
            return
        except (TolError, OSError, RecursionError, ValueError) as error:
            aside = path.with_name(f"{path.name}.unusable")
            with contextlib.suppress(OSError):
                path.replace(aside)
            _LOG.warning(
                "%s cannot be used (%s). luigid starts without a state, and keeps the file as %s.",
                path,
                error,
                aside,
            )
            return
        for task in self._tasks.values():
            self._status_tasks[task.status][task.id] = task
        self.build_index()
        for worker in self._active_workers.values():
            worker.last_active = time.time()

    def set_status(self, task: Any, new_status: str, config: Any = None) -> None:  # noqa: ANN401 (luigi's, untyped)
        """Set the status of a task, and count the change."""
        self.changes += 1
        super().set_status(task, new_status, config)

    def inactivate_workers(self, delete_workers: list[str]) -> None:
        """Remove workers, and count the changes."""
        self.changes += len(delete_workers)
        super().inactivate_workers(delete_workers)

    def fail_dead_worker_task(self, task: Any, config: Any, assistants: set[str]) -> None:  # noqa: ANN401
        """Make the task of a lost worker pending again at once, without counting a failure: nodes may fail.

        Luigi counts a failure and waits. A task that loses several workers in a row is disabled: it is the
        likely cause.
        """
        if task.status != RUNNING or task.worker_running in task.stakeholders | assistants:
            return
        task.lost = [*getattr(task, "lost", []), task.worker_running]
        _LOG.info("Worker %s is lost, so %s is pending again", task.worker_running, task.id)
        task.worker_running = None
        if len(task.lost) < self.losses:
            self.set_status(task, PENDING, config)
        else:
            workers = ", ".join(task.lost)
            task.expl = json.dumps(f"the task lost {counted(len(task.lost), 'worker')} in a row: {workers}")
            self.set_status(task, FAILED, config)
            self.disable(task, config)

    def disable(self, task: Any, config: Any) -> None:  # noqa: ANN401
        """Mark a failed task as one that is not retried."""
        if task.status == FAILED:
            self.set_status(task, DISABLED, config)
            task.scheduler_disable_time = time.time()  # until then, the foreman could make it pending again

    def retry(self, task: Any, config: Any) -> None:  # noqa: ANN401
        """Make a failed task pending at once."""
        if task.status == DISABLED:
            task.scheduler_disable_time = None
            self._status_tasks[DISABLED].pop(task.id)
            self._status_tasks[PENDING][task.id] = task
            task.status = PENDING
        self.set_status(task, PENDING, config)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
