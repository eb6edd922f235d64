"""What luigid knows of a run: on disk as well, and safe against the loss of workers."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luigi.scheduler import SimpleTaskState
from luigi.task_status import DISABLED, FAILED, PENDING, RUNNING

from tol_luigi.cluster import saved
from tol_luigi.core.errors import TolError

if TYPE_CHECKING:
    from luigi.metrics import MetricsCollector

__all__ = ["RunState"]

_LOG = logging.getLogger("luigi.scheduler")


class RunState(SimpleTaskState):
    """What luigid knows, on disk as well; and what becomes of the tasks of lost workers.

    Args:
        path: Where it is saved.
        losses: How many workers may be lost at a task before it is given up.
        collector: Where figures go.

    Attributes:
        changes: How often something has changed.
    """

    def __init__(self, path: Path, losses: int, collector: MetricsCollector) -> None:
        super().__init__(str(path))
        self.losses = losses
        self._metrics_collector = collector
        self.changes = self._saved = 0

    @property
    def is_saved(self) -> bool:
        """Whether nothing has changed since it was saved."""
        return self.changes == self._saved

    def dump(self) -> None:
        """Save everything, complete or not at all; luigid goes on without if it cannot."""
        try:
            saved.write(Path(self._state_path), self.get_state())
        except (TolError, OSError, RecursionError, TypeError, ValueError) as error:
            _LOG.warning("The state of luigid is not saved: %s", error)
        self._saved = self.changes

    def load(self) -> None:
        """Resume from what was saved, if it can be trusted; every worker gets time to be heard of again.

        Anything else is moved aside: luigid begins again, and the foreman reports all tasks once more.
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
                "%s cannot be used (%s): luigid begins again, and keeps it as %s", path, error, aside
            )
            return
        for task in self._tasks.values():
            self._status_tasks[task.status][task.id] = task
        for worker in self._active_workers.values():
            worker.last_active = time.time()

    def set_status(self, task: Any, new_status: str, config: Any = None) -> None:  # noqa: ANN401 (luigi's, untyped)
        """Note that something has changed."""
        self.changes += 1
        super().set_status(task, new_status, config)

    def inactivate_workers(self, delete_workers: list[str]) -> None:
        """Note that something has changed."""
        self.changes += len(delete_workers)
        super().inactivate_workers(delete_workers)

    def fail_dead_worker_task(self, task: Any, config: Any, assistants: set[str]) -> None:  # noqa: ANN401
        """Free the task of a worker that is lost, at once, and without counting it as a failure: nodes come and go.

        Luigi counts it, and waits. But a task at which worker after worker is lost is itself the reason.
        """
        if task.status != RUNNING or task.worker_running in task.stakeholders | assistants:
            return
        task.lost = [*getattr(task, "lost", []), task.worker_running]
        _LOG.info("Worker %s is lost, so %s is free again", task.worker_running, task.id)
        task.worker_running = None
        if len(task.lost) < self.losses:
            self.set_status(task, PENDING, config)
        else:
            workers = ", ".join(task.lost)
            self.give_up(
                task, f"{len(task.lost)} workers were lost at it, one after another: {workers}", config
            )

    def give_up(self, task: Any, reason: str, config: Any) -> None:  # noqa: ANN401
        """Have a task failed for good."""
        task.expl = json.dumps(reason)
        while task.num_failures() < task.retry_policy.retry_count - 1:
            task.add_failure()
        self.set_status(task, FAILED, config)

    def give_another_try(self, task: Any, config: Any) -> None:  # noqa: ANN401
        """Make a failed task one that can be run, at once."""
        if task.status == DISABLED:
            task.scheduler_disable_time = None
            self._status_tasks[DISABLED].pop(task.id)
            self._status_tasks[PENDING][task.id] = task
            task.status = PENDING
        self.set_status(task, PENDING, config)
