"""What luigid does with the tasks and workers of a run: as Luigi does, but that nothing that is lost on a cluster confuses it."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, TypedDict

import luigi.scheduler
from luigi.metrics import MetricsCollectors
from luigi.scheduler import rpc_method
from luigi.task_status import DISABLED, DONE, FAILED, PENDING, RUNNING, UNKNOWN

from tol_luigi.cluster.state import RunState

if TYPE_CHECKING:
    from tol_luigi.cluster.run import Run
    from tol_luigi.tasks.run_sections import ClusterSection

__all__ = ["SECONDS_BETWEEN_LOOKS", "Report", "RunScheduler"]

_LOG = logging.getLogger("luigi.scheduler")

SECONDS_BETWEEN_LOOKS = 10
"""How often luigid looks for lost workers, at most."""

_WEEK = 7 * 24 * 60 * 60
_RATE_SECONDS = 60.0
_POLLS_TO_HEAR = 3
"""So many times the foreman may ask before luigid leaves, where it is not the foreman who ends the run."""


class Report(TypedDict):
    """How a run is doing, as :class:`~tol_luigi.cluster.client.RunStatus` explains."""

    counts: dict[str, dict[str, int]]
    running: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    workers: int
    images: dict[str, int]
    images_per_second: dict[str, float]
    bad_nodes: list[str]
    unfinished: int
    leaving: str


class RunScheduler(luigi.scheduler.Scheduler):
    """Who gets which task.

    A task that has failed on a node is tried on another one, as long as there is one that has not tried it: so a
    node on which everything fails cannot use up the tries of a task. And where tasks fail one after another that
    have failed on no other node, while another node does well, it is the node: its failures are forgiven, and its
    workers told to leave. The last node is never told so.

    Args:
        run: The run.
        given: The settings.
    """

    def __init__(self, run: Run, given: ClusterSection) -> None:
        super().__init__(
            luigi.scheduler.scheduler(
                state_path=str(run.state),
                retry_count=given.retries,
                retry_delay=given.retry_seconds,
                disable_window=_WEEK,
                disable_persist=52 * _WEEK,
                worker_disconnect_delay=given.lost_seconds,
                remove_delay=_WEEK,
                stable_done_cooldown_secs=600,
                max_shown_tasks=2000,
                max_graph_nodes=1000,
                batch_emails=False,
                record_task_history=False,
            )
        )
        collector = (
            _metrics(self.run_status) if given.metrics else MetricsCollectors.get(MetricsCollectors.none)
        )
        self._state: RunState = RunState(run.state, given.losses, collector)
        self.run, self.given = run, given
        self.leaving, self.forgets = "", False
        self._leaves_at = 0.0
        self._streaks: dict[str, set[str]] = defaultdict(set)
        self._gone: set[str] = set()
        self._asking = ""
        self._nothing_for: dict[str, tuple[int, bool]] = {}
        self._no_work_before = 0.0
        self._samples: deque[tuple[float, dict[str, int]]] = deque()

    # What luigid does by itself.

    def load(self) -> None:
        """Go on from what was saved; workers first tell what they have in hand, which may be newer."""
        self._state.load()
        if self._state.get_active_task_count_for_status(""):
            self._no_work_before = time.time() + 2 * self.given.ping_seconds

    def sample(self) -> None:
        """Note how many images are done, for their rate."""
        now = time.monotonic()
        self._samples.append((now, self._images()))
        while now - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()

    @property
    def may_leave(self) -> bool:
        """Whether all workers have left, and the foreman has had the time to hear of it."""
        is_alone = not any(True for _ in self._state.get_assistants())
        return bool(self.leaving) and is_alone and time.monotonic() >= self._leaves_at

    # What workers ask, and tell.

    def get_work(
        self,
        host: str = "",
        assistant: bool = False,
        worker: str = "",
        **kwargs: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Hand out a task, or tell a worker to leave."""
        self._asking = host
        if not assistant:
            plain: dict[str, Any] = super().get_work(host=host, worker=worker, **kwargs)
            return plain
        self._update_worker(worker, {"host": host}, get_work=True)
        self.add_worker(worker, {"assistant": True})
        if reason := self._reason_to_leave(host):
            why = {"leave": reason, "is_bad_node": host in self._bad_nodes()}
            return {**_NOTHING, "worker_state": "disabled", "task_id": None, **why}
        if self._nothing_for.get(host) == self._moment and not self._has_a_task(worker):
            return {**_NOTHING, "task_id": None}
        answer: dict[str, Any] = super().get_work(host=host, assistant=True, worker=worker, **kwargs)
        if answer["task_id"] is not None:
            self._state.get_task(answer["task_id"]).exit_code = None  # of an earlier attempt
        elif time.time() >= self._no_work_before:
            self._nothing_for[host] = self._moment
        return answer

    def _reason_to_leave(self, node: str) -> str:
        if node in self._bad_nodes():
            return f"{self.given.bad_node_failures} tasks have failed on {node} in a row, and not elsewhere"
        return self.leaving

    @property
    def _moment(self) -> tuple[int, bool]:
        """What tells whether anything can have come to be free: idle workers ask often, and looking takes long."""
        return self._state.changes, self._paused

    def _has_a_task(self, worker: str) -> bool:
        running = self._state.get_active_tasks_by_status(RUNNING)
        return any(task.worker_running == worker for task in running)

    def _schedulable(self, task: Any) -> bool:  # noqa: ANN401 (luigi's, untyped)
        if time.time() < self._no_work_before or self.leaving:
            return False
        return bool(super()._schedulable(task)) and not self._is_for_another_node(task)

    def _is_for_another_node(self, task: Any) -> bool:  # noqa: ANN401
        tried: set[str] = getattr(task, "failed_on", set())
        return self._asking in tried and bool(self._nodes() - tried - self._bad_nodes())

    def count_pending(self, worker: str) -> dict[str, Any]:
        """Count nothing for a worker that adds no tasks: it has no use for it, and there are many of them."""
        if self._state.get_worker(worker).assistant:
            return {**_NOTHING, "worker_state": self._state.get_worker(worker).state}
        counts: dict[str, Any] = super().count_pending(worker)
        return counts

    def ping(self, worker: str = "", tasks: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Hear that a worker is there; tasks that it has in hand may have been handed out after the last save."""
        if worker in self._gone:
            return {"rpc_messages": []}
        answer: dict[str, Any] = super().ping(worker=worker, **kwargs)
        for task in map(self._state.get_task, tasks or []):
            if task is not None and task.status == PENDING:
                self.add_worker(worker, {"assistant": True})
                self._state.set_status(task, RUNNING, self._config)
                task.worker_running, task.time_running = worker, time.time()
                task.resources_running = task.resources.copy()
        return answer

    def add_task(self, exit_code: int | None = None, **given: Any) -> None:  # noqa: ANN401
        """Take what a worker reports of a task, with the exit code of its process; if it has run it, judge the node."""
        self._state.changes += 1
        task, worker, status = self._state.get_task(given["task_id"]), given["worker"], given.get("status")
        has_run_it = task is not None and task.worker_running == worker and task.status == RUNNING
        link = task.tracking_url if task is not None else None
        super().add_task(**given)
        if task is not None and given.get("tracking_url") is None:
            task.tracking_url = link
        if has_run_it and status in {DONE, FAILED}:
            task.exit_code = exit_code
            self._judge(task, (self._state.get_worker(worker).reference or {}).get("host", worker), status)

    @rpc_method()  # type: ignore[untyped-decorator]
    def report_progress(
        self, task_id: str, message: str, percentage: int | None = None, images: int | None = None
    ) -> None:
        """Take how far a task is, all in one request: there are hundreds of tasks to listen to."""
        task = self._state.get_task(task_id)
        if task is not None:
            task.status_message = message
            task.progress_percentage = task.progress_percentage if percentage is None else percentage
            task.images_done = getattr(task, "images_done", 0) if images is None else images

    @rpc_method()  # type: ignore[untyped-decorator]
    def give_back(self, task_id: str, worker: str) -> None:
        """Take a task back that a worker cannot finish, as its time is up; it is free at once, and has not failed."""
        task = self._state.get_task(task_id)
        if task is not None and task.status == RUNNING and task.worker_running == worker:
            task.worker_running = None
            self._state.set_status(task, PENDING, self._config)

    @rpc_method()  # type: ignore[untyped-decorator]
    def leave(self, worker: str) -> None:
        """See a worker off."""
        for task in list(self._state.get_active_tasks_by_status(RUNNING)):
            self.give_back(task.id, worker)
        if worker in self._state.get_worker_ids():
            self._state.inactivate_workers([worker])
        self._gone.add(worker)

    # Bad nodes.

    def _nodes(self) -> set[str]:
        return {(worker.reference or {}).get("host", "") for worker in self._state.get_assistants()} - {""}

    def _bad_nodes(self) -> set[str]:
        suspects = {
            node for node, streak in self._streaks.items() if len(streak) >= self.given.bad_node_failures
        }
        well = {node for node in self._nodes() if not self._streaks.get(node)}
        return suspects if well else set()

    def _judge(self, task: Any, node: str, status: str) -> None:  # noqa: ANN401
        if status == DONE:
            self._streaks.pop(node, None)
            return
        task.failed_on = {*getattr(task, "failed_on", set()), node}
        if len(task.failed_on) > 1:  # so it is the task
            for streak in self._streaks.values():
                streak.discard(task.id)
            return
        before = self._bad_nodes()
        self._streaks[node].add(task.id)
        if node in self._bad_nodes() - before:
            _LOG.warning("Everything fails on %s: it gets no more tasks", node)
            for failed in map(self._state.get_task, self._streaks[node]):
                self._forgive(failed)

    def _forgive(self, task: Any) -> None:  # noqa: ANN401
        if task is not None and task.status in {FAILED, DISABLED}:
            if task.failures:
                task.failures.pop()
            self._state.give_another_try(task, self._config)

    # What people and the foreman ask.

    @rpc_method()  # type: ignore[untyped-decorator]
    def retry_failed(self) -> list[str]:
        """Have every failed task tried again, on any node, with all its tries; gives their ids."""
        failed = list(self._state.get_active_tasks_by_status(FAILED, DISABLED))
        for task in failed:
            task.clear_failures()
            task.failed_on, task.lost = set(), []
            self._state.give_another_try(task, self._config)
        self._streaks.clear()
        return [task.id for task in failed]

    @rpc_method()  # type: ignore[untyped-decorator]
    def serves(self) -> str:
        """Tell which run this is."""
        return str(self.run.directory)

    @rpc_method()  # type: ignore[untyped-decorator]
    def finish(self, reason: str, forget: bool = False) -> None:
        """Have all workers leave, then luigid; forget what it knows, where nobody is to go on from that."""
        self.leaving, self.forgets = reason, forget
        self._leaves_at = time.monotonic() + (0 if forget else _POLLS_TO_HEAR * self.given.poll_seconds)

    @rpc_method()  # type: ignore[untyped-decorator]
    def run_status(self) -> Report:
        """Tell how the run is doing."""
        counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for task in self._state.get_active_tasks():
            counts[task.family or task.id.partition("_")[0]][task.status] += 1
        running = sorted(self._state.get_active_tasks_by_status(RUNNING), key=lambda task: task.time_running)
        failed = sorted(
            self._state.get_active_tasks_by_status(FAILED, DISABLED),
            key=lambda task: task.failures[0] if task.failures else task.updated,
        )
        return {
            "counts": counts,
            "running": [self._running(task) for task in running],
            "failures": [_failure(task) for task in failed],
            "workers": sum(1 for _ in self._state.get_assistants()),
            "images": self._images(),
            "images_per_second": self._images_per_second(),
            "bad_nodes": sorted(self._bad_nodes()),
            "unfinished": self._unfinished(),
            "leaving": self.leaving,
        }

    def _running(self, task: Any) -> dict[str, Any]:  # noqa: ANN401
        worker = self._state.get_worker(task.worker_running) if task.worker_running else None
        return {
            **_about(task),
            "node": (worker.reference or {}).get("host", "") if worker else "",
            "worker": task.worker_running or "",
            "since": task.time_running,
            "percentage": task.progress_percentage,
            "message": task.status_message or "",
        }

    def _unfinished(self) -> int:
        """Count what runs, and what can still be run."""
        blocked: dict[str, bool] = {}
        waiting = self._state.get_active_tasks_by_status(PENDING, FAILED)
        possible = sum(not self._is_blocked(task.id, blocked) for task in waiting)
        running: int = self._state.get_active_task_count_for_status(RUNNING)
        return possible + running

    def _is_blocked(self, task_id: str, known: dict[str, bool]) -> bool:
        """Tell whether a task stands behind one that is given up, or that luigid could not be told of."""
        if task_id not in known:
            task = self._state.get_task(task_id)
            status = task.status if task is not None else UNKNOWN
            known[task_id] = status in {DISABLED, UNKNOWN} or (
                status != DONE and any(self._is_blocked(each, known) for each in task.deps)
            )
        return known[task_id]

    def _images(self) -> dict[str, int]:
        """Add up the images that tasks have reported as done."""
        images: dict[str, int] = defaultdict(int)
        for task in self._state.get_active_tasks():
            if done := getattr(task, "images_done", 0):
                images[task.family] += done
        return images

    def _images_per_second(self) -> dict[str, float]:
        if not self._samples:
            return {}
        (start, before), now = self._samples[0], time.monotonic()
        seconds = max(now - start, 1.0)
        return {family: (count - before.get(family, 0)) / seconds for family, count in self._images().items()}


_NOTHING = {
    "n_pending_tasks": 0,
    "n_unique_pending": 0,
    "n_pending_last_scheduled": 0,
    "running_tasks": [],
    "worker_state": "active",
}


def _metrics(report: Any) -> Any:  # noqa: ANN401 (the library is asked for only where it is wanted)
    from tol_luigi.cluster.metrics import Metrics  # noqa: PLC0415

    return Metrics(report)


def _about(task: Any) -> dict[str, Any]:  # noqa: ANN401
    parameters = {key: value for key, value in task.params.items() if key != "dataset"}
    return {
        "task_id": task.id,
        "label": " ".join([task.family, *parameters.values()]),
        "family": task.family,
        "parameters": parameters,
        "log": task.tracking_url,
    }


def _failure(task: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        **_about(task),
        "cause": _cause(task.expl),
        "attempts": len(task.failures),
        "final": task.status == DISABLED,
        "exit_code": getattr(task, "exit_code", None),
    }


def _cause(told: str | None) -> str:
    """Give the line of a message or a trace that says what has happened: the last."""
    try:
        text = json.loads(told or '""')
    except ValueError:
        text = told
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1] if lines else "unknown"
