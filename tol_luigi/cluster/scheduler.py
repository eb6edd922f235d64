"""The scheduler of a run: Luigi's, made robust against lost workers, lost nodes and restarts."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any

from luigi.metrics import MetricsCollectors
from luigi.scheduler import rpc_method, scheduler
from luigi.task_status import DISABLED, DONE, FAILED, PENDING, RUNNING, UNKNOWN

from tol_luigi.cluster.page_scheduler import PageScheduler
from tol_luigi.cluster.state import RunState
from tol_luigi.cluster.task_reports import Report, failure_fields, task_fields
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from tol_luigi.cluster.run import Run
    from tol_luigi.tasks.run_sections import ClusterSection

__all__ = ["PRUNE_SECONDS", "RunScheduler"]

_LOG = logging.getLogger("luigi.scheduler")

PRUNE_SECONDS = 10
"""The shortest interval between two checks for lost workers."""

_WEEK = 7 * 24 * 60 * 60
_RATE_SECONDS = 60.0
_STATUSES = (PENDING, RUNNING, DONE, FAILED, DISABLED, UNKNOWN)
_FOREMAN_POLLS = 3
"""How many polls of the foreman luigid waits for before it stops, if another client ends the run."""


class RunScheduler(PageScheduler):
    """Luigi's scheduler, which also avoids bad nodes.

    A failed task is retried on another node, as long as a node exists that has not tried it. So a node where
    every task fails cannot use up the retries of a task. A node is bad if several tasks fail there in a row,
    have failed on no other node, and another node has no such failures. The failures on a bad node are not
    counted, and its workers are asked to stop. The last node is never bad.

    Args:
        run: The run.
        section: The settings.
    """

    def __init__(self, run: Run, section: ClusterSection) -> None:
        super().__init__(
            scheduler(
                state_path=str(run.state),
                retry_count=section.retries,
                retry_delay=section.retry_seconds,
                disable_window=_WEEK,
                disable_persist=52 * _WEEK,
                worker_disconnect_delay=section.lost_seconds,
                remove_delay=_WEEK,
                stable_done_cooldown_secs=600,
                max_shown_tasks=2000,
                max_graph_nodes=1000,
                batch_emails=False,
                record_task_history=False,
            )
        )
        collector = (
            _metrics(self.run_status) if section.metrics else MetricsCollectors.get(MetricsCollectors.none)
        )
        self._state = RunState(run.state, section.losses, collector)
        self.run, self.section = run, section
        self.leaving, self.discards_state = "", False
        self._stop_time = 0.0
        self._failed_in_a_row: dict[str, set[str]] = defaultdict(set)
        self._stopped: set[str] = set()
        self._asking_node = ""
        self._no_work_at: dict[str, tuple[int, bool]] = {}
        self._no_work_before = 0.0
        self._images = Counter[str]()
        self._samples: deque[tuple[float, dict[str, int]]] = deque()

    # Called by luigid itself.

    def load(self) -> None:
        """Load the saved state; assign no tasks until workers have reported theirs, which may be newer."""
        self._state.load()
        for task in self._state.get_active_tasks():
            if images := getattr(task, "images_done", 0):
                self._images[task.family] += images
        if self._state.get_active_task_count_for_status(""):
            self._no_work_before = time.time() + 2 * self.section.ping_seconds

    def sample(self) -> None:
        """Record the number of processed images, for the rate."""
        now = time.monotonic()
        self._samples.append((now, dict(self._images)))
        while now - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()

    @property
    def can_stop(self) -> bool:
        """Whether all workers have stopped, and the foreman has had time to read the status."""
        is_alone = not any(True for _ in self._state.get_assistants())
        return bool(self.leaving) and is_alone and time.monotonic() >= self._stop_time

    # Called by workers.

    def get_work(
        self,
        host: str = "",
        assistant: bool = False,
        worker: str = "",
        **kwargs: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Assign a task, or ask a worker to stop."""
        self._asking_node = host
        if not assistant:
            plain: dict[str, Any] = super().get_work(host=host, worker=worker, **kwargs)
            return plain
        self._update_worker(worker, {"host": host}, get_work=True)
        self.add_worker(worker, {"assistant": True})
        if reason := self._leave_reason(host):
            request = {"leave": reason, "is_bad_node": host in self._bad_nodes()}
            return {**_NO_WORK, "worker_state": "disabled", "task_id": None, **request}
        if self._no_work_at.get(host) == self._version and not self._has_task(worker):
            return {**_NO_WORK, "task_id": None}
        answer: dict[str, Any] = super().get_work(host=host, assistant=True, worker=worker, **kwargs)
        if answer["task_id"] is not None:
            task = self._state.get_task(answer["task_id"])
            task.exit_code, task.is_final = None, False  # of an earlier attempt
        elif time.time() >= self._no_work_before:
            self._no_work_at[host] = self._version
        return answer

    def _leave_reason(self, node: str) -> str:
        if node in self._bad_nodes():
            failures = counted(self.section.bad_node_failures, "failure")
            return f"{failures} in a row on node {node}, and on no other node"
        return self.leaving

    @property
    def _version(self) -> tuple[int, bool]:
        """The version of the state: the slow search for idle workers is repeated only after a change."""
        return self._state.changes, self._paused

    def _schedulable(self, task: Any) -> bool:  # noqa: ANN401 (luigi's, untyped)
        if time.time() < self._no_work_before or self.leaving:
            return False
        return bool(super()._schedulable(task)) and not self._is_for_another_node(task)

    def _is_for_another_node(self, task: Any) -> bool:  # noqa: ANN401
        tried: set[str] = getattr(task, "failed_on", set())
        return self._asking_node in tried and bool(self._nodes() - tried - self._bad_nodes())

    def count_pending(self, worker: str) -> dict[str, Any]:
        """Count pending tasks; skip the slow count for workers that add no tasks, which do not use it."""
        if self._state.get_worker(worker).assistant:
            return {**_NO_WORK, "worker_state": self._state.get_worker(worker).state}
        counts: dict[str, Any] = super().count_pending(worker)
        return counts

    def ping(self, worker: str = "", tasks: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Record that a worker is alive, and its running tasks, which luigid may have lost in a restart."""
        if worker in self._stopped:
            return {"rpc_messages": []}
        answer: dict[str, Any] = super().ping(worker=worker, **kwargs)
        for task in map(self._state.get_task, tasks or []):
            if task is not None and task.status == PENDING:
                self.add_worker(worker, {"assistant": True})
                self._state.set_status(task, RUNNING, self._config)
                task.worker_running, task.time_running = worker, time.time()
                task.resources_running = task.resources.copy()
        return answer

    def add_task(self, exit_code: int | None = None, **fields: Any) -> None:  # noqa: ANN401
        """Add or update a task; if the worker has run it, record exit code and outcome on the node."""
        self._state.changes += 1
        task, worker, status = self._state.get_task(fields["task_id"]), fields["worker"], fields.get("status")
        has_run_it = task is not None and task.worker_running == worker and task.status == RUNNING
        link = task.tracking_url if task is not None else None
        super().add_task(**fields)
        if task is not None and fields.get("tracking_url") is None:
            task.tracking_url = link
        if has_run_it and status in {DONE, FAILED}:
            task.exit_code = exit_code
            if status == FAILED and getattr(task, "is_final", False):
                self._state.disable(task, self._config)
            node = (self._state.get_worker(worker).reference or {}).get("host", worker)
            self._record_outcome(task, node, status)

    @rpc_method()  # type: ignore[untyped-decorator]
    def add_tasks(self, tasks: list[dict[str, Any]]) -> None:
        """Add or update several tasks in one request, since most of the time of a request for one is spent on HTTP."""
        for fields in tasks:
            self.add_task(**fields)

    @rpc_method()  # type: ignore[untyped-decorator]
    def report_progress(
        self, task_id: str, message: str, percentage: int | None = None, images: int | None = None
    ) -> None:
        """Record the progress of a task in one request, since hundreds of tasks report it."""
        task = self._state.get_task(task_id)
        if task is not None:
            task.status_message = message
            task.progress_percentage = task.progress_percentage if percentage is None else percentage
            if images is not None:
                self._images[task.family] += images - getattr(task, "images_done", 0)
                task.images_done = images

    @rpc_method()  # type: ignore[untyped-decorator]
    def report_final(self, task_id: str) -> None:
        """Record that every further attempt at a running task, which is about to fail, would fail as well."""
        task = self._state.get_task(task_id)
        if task is not None:
            task.is_final = True

    @rpc_method()  # type: ignore[untyped-decorator]
    def give_back(self, task_id: str, worker: str) -> None:
        """Make a task pending again that its worker cannot finish in time; this is not a failure."""
        task = self._state.get_task(task_id)
        if task is not None and task.status == RUNNING and task.worker_running == worker:
            task.worker_running = None
            self._state.set_status(task, PENDING, self._config)

    @rpc_method()  # type: ignore[untyped-decorator]
    def leave(self, worker: str) -> None:
        """Remove a worker that stops, and make its tasks pending again."""
        for task in list(self._state.get_active_tasks_by_status(RUNNING)):
            self.give_back(task.id, worker)
        if worker in self._state.get_worker_ids():
            self._state.inactivate_workers([worker])
        self._stopped.add(worker)

    # Bad nodes.

    def _nodes(self) -> set[str]:
        return {(worker.reference or {}).get("host", "") for worker in self._state.get_assistants()} - {""}

    def _bad_nodes(self) -> set[str]:
        limit = self.section.bad_node_failures
        suspects = {node for node, failed in self._failed_in_a_row.items() if len(failed) >= limit}
        healthy = {node for node in self._nodes() if not self._failed_in_a_row.get(node)}
        return suspects if healthy else set()

    def _record_outcome(self, task: Any, node: str, status: str) -> None:  # noqa: ANN401
        if status == DONE:
            self._failed_in_a_row.pop(node, None)
            return
        task.failed_on = {*getattr(task, "failed_on", set()), node}
        if len(task.failed_on) > 1:  # the task is broken, not the node
            for failed in self._failed_in_a_row.values():
                failed.discard(task.id)
            return
        before = self._bad_nodes()
        self._failed_in_a_row[node].add(task.id)
        if node in self._bad_nodes() - before:
            _LOG.warning("Every task fails on %s: it gets no more tasks", node)
            for failed_task in map(self._state.get_task, self._failed_in_a_row[node]):
                self._discount_failure(failed_task)

    def _discount_failure(self, task: Any) -> None:  # noqa: ANN401
        if task is not None and task.status in {FAILED, DISABLED}:
            if task.failures:
                task.failures.pop()
            self._state.retry(task, self._config)

    # Called by `tol` and the foreman.

    @rpc_method()  # type: ignore[untyped-decorator]
    def retry_failed(self) -> list[str] | None:
        """Retry every failed task on any node, with its full number of attempts.

        Returns:
            The task ids; None if the run is ending, so that no task is assigned any more.
        """
        if self.leaving:
            return None
        failed = list(self._state.get_active_tasks_by_status(FAILED, DISABLED))
        for task in failed:
            task.clear_failures()
            task.failed_on, task.lost = set(), []
            self._state.retry(task, self._config)
        self._failed_in_a_row.clear()
        return [task.id for task in failed]

    @rpc_method()  # type: ignore[untyped-decorator]
    def serves(self) -> str:
        """Return the folder of the run."""
        return str(self.run.directory)

    @rpc_method()  # type: ignore[untyped-decorator]
    def finish(self, reason: str, forget: bool = False, unfinished: int | None = None) -> bool:
        """Stop all workers, then luigid.

        Args:
            reason: Why the run ends.
            forget: Whether the state is deleted instead of saved.
            unfinished: How many unfinished tasks the caller knows; None if they do not matter.

        Returns:
            False if nothing is stopped, because more tasks are unfinished: failed ones are tried again since.
        """
        if unfinished is not None and self._unfinished() > unfinished:
            return False
        self.leaving, self.discards_state = reason, forget
        self._stop_time = time.monotonic() + (0 if forget else _FOREMAN_POLLS * self.section.poll_seconds)
        return True

    @rpc_method()  # type: ignore[untyped-decorator]
    def run_status(self) -> Report:
        """Return the status of the run."""
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for status in _STATUSES:
            families = Counter(map(_family, self._state.get_active_tasks_by_status(status)))
            for family, count in families.items():
                counts[family][status] = count
        running = sorted(self._state.get_active_tasks_by_status(RUNNING), key=lambda task: task.time_running)
        failed = sorted(
            self._state.get_active_tasks_by_status(FAILED, DISABLED),
            key=lambda task: task.failures[0] if task.failures else task.updated,
        )
        return {
            "counts": counts,
            "running": [self._running(task) for task in running],
            "failures": [failure_fields(task) for task in failed],
            "workers": sum(1 for _ in self._state.get_assistants()),
            "images": dict(self._images),
            "images_per_second": self._images_per_second(),
            "bad_nodes": sorted(self._bad_nodes()),
            "unfinished": self._unfinished(),
            "leaving": self.leaving,
        }

    def _running(self, task: Any) -> dict[str, Any]:  # noqa: ANN401
        worker = self._state.get_worker(task.worker_running) if task.worker_running else None
        return {
            **task_fields(task),
            "node": (worker.reference or {}).get("host", "") if worker else "",
            "worker": task.worker_running or "",
            "since": task.time_running,
            "percentage": task.progress_percentage,
            "message": task.status_message or "",
        }

    def _unfinished(self) -> int:
        """Count the tasks that run or can still run: not those that depend on a disabled or an unknown task."""
        count = self._state.get_active_task_count_for_status
        unfinished: int = count(PENDING) + count(FAILED) + count(RUNNING)
        blocked = {task.id for task in self._state.get_active_tasks_by_status(DISABLED, UNKNOWN)}
        if not blocked and not self._state.has_removed_tasks:
            return unfinished
        tasks, before = self._state.get_state()[0], -1
        possible = list(self._state.get_active_tasks_by_status(PENDING, FAILED, RUNNING))
        while before != len(blocked):
            before = len(blocked)
            blocked |= {
                task.id
                for task in possible
                if not (task.deps.isdisjoint(blocked) and tasks.keys() >= task.deps)
            }
        return unfinished - sum(tasks[each].status in {PENDING, FAILED} for each in blocked)

    def _images_per_second(self) -> dict[str, float]:
        if not self._samples:
            return {}
        (start, before), now = self._samples[0], time.monotonic()
        seconds = max(now - start, 1.0)
        return {family: (count - before.get(family, 0)) / seconds for family, count in self._images.items()}


_NO_WORK = {
    "n_pending_tasks": 0,
    "n_unique_pending": 0,
    "n_pending_last_scheduled": 0,
    "running_tasks": [],
    "worker_state": "active",
}


def _family(task: Any) -> str:  # noqa: ANN401 (luigi's, untyped)
    """Return the family of a task; one that is only required so far has none."""
    return str(task.family or task.id.partition("_")[0])


def _metrics(report: Any) -> Any:  # noqa: ANN401 (the library is imported only if metrics are on)
    from tol_luigi.cluster.metrics import Metrics  # noqa: PLC0415

    return Metrics(report)
