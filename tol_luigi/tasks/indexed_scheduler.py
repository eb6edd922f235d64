"""Luigi's scheduler, whose work for a task does not grow with the number of tasks.

To assign a task, Luigi's scheduler sorts and looks at all pending ones, and counts all of them: a build grows with the
square of the number of tasks. Which task a worker gets, and in which order, is the same here: Luigi's own code decides, but is
shown only those pending tasks that can make a difference.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from typing import TYPE_CHECKING, Any

import luigi.interface
import luigi.scheduler
from luigi.task_status import BATCH_RUNNING, DISABLED, DONE, FAILED, PENDING, RUNNING

from tol_luigi.tasks.ready_tasks import ReadyTasks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tol_luigi.tasks.ready_tasks import Kind

__all__ = ["EmbeddedScheduler", "IndexedScheduler", "IndexedState", "KnownWorker", "apply"]

_PRUNED_SHARE = 0.1
"""How often all tasks are looked at for those without any worker, as a share of the time after which Luigi removes these."""


class KnownWorker(luigi.scheduler.Worker):
    """A worker, as the scheduler knows it."""

    def is_trivial_worker(self, state: luigi.scheduler.SimpleTaskState) -> bool:
        """Return False: Luigi's short cut for tasks without resources looks at all tasks of the worker."""
        del state
        return False


class IndexedState(luigi.scheduler.SimpleTaskState):
    """Luigi's state, with the tasks that can be assigned next.

    Args:
        path: Luigi's argument.

    Attributes:
        ready: The tasks that can be assigned next.
        adding: The workers that have added tasks.
        has_removed_tasks: Whether tasks that others require may be unknown, since they were removed.
        has_lost_workers: Whether such workers were removed since all tasks were last checked for that.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.has_lost_workers = False
        self.build_index()
        self._asking = ""

    @contextlib.contextmanager
    def only_first(self, worker: str) -> Iterator[None]:
        """Make Luigi see only those pending tasks that decide which task a worker gets.

        Luigi goes through the pending tasks by rank. If one of a kind cannot be assigned, it may still keep its resources from
        tasks after it, once for each process of a worker that could run it. Further ones of that kind change nothing.
        """
        self._asking = worker
        try:
            yield
        finally:
            self._asking = ""

    def get_active_tasks_by_status(self, *statuses: str) -> Iterable[Any]:
        """Return the tasks of some statuses."""
        if not self._asking or statuses != (PENDING, RUNNING) or self._task_batchers:
            found: Iterable[Any] = super().get_active_tasks_by_status(*statuses)
            return found
        return itertools.chain(self.ready.first(self._deciding), self._status_tasks[RUNNING].values())

    def _deciding(self, kind: Kind) -> int:
        workers = {*kind.workers, self._asking} & self._active_workers.keys()
        processes: int = sum(self._active_workers[name].info.get("workers", 1) for name in workers)
        return 1 + processes

    def build_index(self) -> None:
        """Find the tasks that can be assigned next among all tasks, such as those of a saved state."""
        self.ready, self.adding = ReadyTasks(self._tasks.get), set[str]()
        self.has_removed_tasks = any(not self._tasks.keys() >= task.deps for task in self._tasks.values())
        for task in self._tasks.values():
            self.ready.update(task)
            self.adding |= task.stakeholders | set(task.workers)

    def get_worker(self, worker_id: str) -> Any:  # noqa: ANN401 (luigi's, untyped)
        """Return a worker, which may be new."""
        if worker_id not in self._active_workers:
            self._active_workers[worker_id] = KnownWorker(worker_id)
        return self._active_workers[worker_id]

    def set_status(self, task: Any, new_status: str, config: Any = None) -> None:  # noqa: ANN401 (as above)
        """Set the status of a task."""
        super().set_status(task, new_status, config)
        if task.status == DONE:
            self.ready.finish(task.id)
        self.ready.update(task)

    def inactivate_tasks(self, delete_tasks: Collection[str]) -> None:
        """Remove tasks."""
        super().inactivate_tasks(delete_tasks)
        self.has_removed_tasks |= bool(delete_tasks)
        for task_id in delete_tasks:
            self.ready.forget(task_id)

    def _remove_workers_from_tasks(self, workers: Collection[str], remove_stakeholders: bool = True) -> None:
        if not self.adding.isdisjoint(workers):  # others only run tasks
            self.has_lost_workers = True
            super()._remove_workers_from_tasks(workers, remove_stakeholders)
            self.ready.remove_workers(workers)


class IndexedScheduler(luigi.scheduler.Scheduler):
    """Luigi's scheduler with an index of the tasks that can be assigned next.

    Args:
        config: Luigi's settings of the scheduler.
    """

    _state: IndexedState

    def __init__(self, config: luigi.scheduler.scheduler) -> None:
        super().__init__(config)
        collector = self._state._metrics_collector  # noqa: SLF001 (luigi's)
        self._state = IndexedState(config.state_path)
        self._state._metrics_collector = collector  # noqa: SLF001 (as above)
        self._is_assigning = False
        self._all_pruned = -math.inf

    def add_task(self, **fields: Any) -> None:  # noqa: ANN401 (luigi's, untyped)
        """Add or update a task."""
        super().add_task(**fields)
        if not fields.get("assistant"):
            self._state.adding.add(fields["worker"])
        if (task := self._state.get_task(fields["task_id"])) is not None:
            self._state.ready.update(task)

    def _update_priority(self, task: Any, prio: float, worker: str) -> None:  # noqa: ANN401 (as above)
        super()._update_priority(task, prio, worker)
        self._state.ready.update(task)

    def get_work(self, *, worker: str = "", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
        """Assign a task; count all pending tasks only for a worker that runs none, since it may end because of their number."""
        self._is_assigning = True
        try:
            with self._state.only_first(worker):
                answer: dict[str, Any] = super().get_work(worker=worker, **fields)
        finally:
            self._is_assigning = False
        is_idle = answer.get("task_id") is None and "batch_id" not in answer and not self._has_task(worker)
        if is_idle and self._state.get_worker(worker).enabled:
            answer |= self.count_pending(worker)
        return answer

    def _has_task(self, worker: str) -> bool:
        running = self._state.get_active_tasks_by_status(RUNNING)
        return any(task.worker_running == worker for task in running)

    def count_pending(self, worker: str) -> dict[str, Any]:
        """Count the pending tasks of a worker; while a task is assigned, those of all workers, which need no search."""
        if not self._is_assigning:
            counts: dict[str, Any] = super().count_pending(worker)
            return counts
        known, count = self._state.get_worker(worker), self._state.get_active_task_count_for_status
        running = known.get_tasks(self._state, RUNNING)
        return {
            "n_pending_tasks": count(PENDING) + count(FAILED),
            "n_unique_pending": 0,
            "n_pending_last_scheduled": 0,
            "worker_state": known.state,
            "running_tasks": [
                {"task_id": task.id, "worker": other.id, **other.info}
                for task in running
                for other in [self._state.get_worker(task.worker_running)]
            ],
        }

    def _prune_tasks(self) -> None:
        """Look at the tasks that time changes; at all tasks now and then, and after the loss of a worker."""
        now = time.monotonic()
        if (
            self._state.has_lost_workers
            or now - self._all_pruned >= self._config.remove_delay * _PRUNED_SHARE
        ):
            self._state.has_lost_workers, self._all_pruned = False, now
            super()._prune_tasks()
            return
        assistants = {each.id for each in self._state.get_assistants()}
        changing = self._state.get_active_tasks_by_status(RUNNING, BATCH_RUNNING, FAILED, DISABLED)
        for task in list(changing):
            self._state.fail_dead_worker_task(task, self._config, assistants)
            self._state.update_status(task, self._config)


class EmbeddedScheduler(IndexedScheduler):
    """The scheduler of a build that has no luigid, as a part of its process."""

    def __init__(self) -> None:
        super().__init__(luigi.scheduler.scheduler(prune_on_get_work=False, record_task_history=False))

    def get_work(self, *, worker: str = "", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (luigi's, untyped)
        """Assign a task; Luigi's embedded scheduler looks each time for tasks to retry, this one if no other task is left."""
        answer = super().get_work(worker=worker, **fields)
        if answer.get("task_id") is None and "batch_id" not in answer:
            self.prune()
            answer = super().get_work(worker=worker, **fields)
        return answer


def apply() -> None:
    """Make Luigi use this scheduler in every build without a luigid: ``tol build``, ``luigi --local-scheduler``, ``luigi.build``."""
    factory: Any = luigi.interface._WorkerSchedulerFactory  # noqa: SLF001 (Luigi has no setting for it)
    factory.create_local_scheduler = lambda self: EmbeddedScheduler()  # noqa: ARG005 (a method)
