"""Clients of the luigid of a run."""

from __future__ import annotations

import base64
import contextlib
import logging
import signal
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from luigi.rpc import RemoteScheduler
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from tol_luigi.cluster.logs import log_path
from tol_luigi.cluster.run import USER, Address, Run
from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "EndingError",
    "Failure",
    "RemoteRunScheduler",
    "RunStatus",
    "RunningTask",
    "Scheduler",
    "UnreachableError",
]

_LOG = logging.getLogger("luigi-interface")


@dataclass(frozen=True)
class RunningTask:
    """A running task.

    Attributes:
        task_id: Luigi's task id.
        label: A short description, such as ``WriteShards train eol image_set_01``.
        family: The stage.
        parameters: The parameters by name, without the dataset.
        node: The node that runs the task.
        worker: The worker that runs the task.
        since: When the task was assigned, in seconds since 1970.
        percentage: The progress, if the task has reported it.
        message: The last message of the task, or "".
        log: The log of the task, if the task has reported its path.
    """

    task_id: str
    label: str
    family: str
    parameters: dict[str, str]
    node: str
    worker: str
    since: float
    percentage: int | None
    message: str
    log: Path | None


@dataclass(frozen=True)
class Failure:
    """A failed task.

    Attributes:
        task_id: Luigi's task id.
        label: A short description.
        family: The stage.
        parameters: The parameters by name, without the dataset.
        cause: The cause, in one line.
        log: The log of the last attempt, if it was created.
        attempts: How often the task has failed.
        final: Whether the task is retried only by :meth:`Scheduler.retry_failed`.
        exit_code: The exit code of the process of the last attempt, negative for a signal; None if unknown.
    """

    task_id: str
    label: str
    family: str
    parameters: dict[str, str]
    cause: str
    log: Path | None
    attempts: int
    final: bool
    exit_code: int | None = None

    @property
    def was_killed(self) -> bool:
        """Whether the kernel killed the process of the task, usually for lack of memory."""
        return self.exit_code == -signal.SIGKILL


@dataclass(frozen=True)
class RunStatus:
    """The status of a run.

    Attributes:
        counts: The number of tasks by family, then by state: PENDING, RUNNING, DONE, FAILED, DISABLED,
            UNKNOWN.
        running: The running tasks, the longest running first.
        failures: The failed tasks, the earliest failure first.
        workers: The number of workers, without the foreman.
        images: The number of processed images by family.
        images_per_second: The rate during the last minute by family.
        bad_nodes: The nodes that get no more tasks because every task failed there.
        unfinished: The number of tasks that can still complete, including failed tasks that will be retried.
        leaving: Why workers and luigid are stopping, "" if they are not.
    """

    counts: dict[str, dict[str, int]]
    running: list[RunningTask]
    failures: list[Failure]
    workers: int
    images: dict[str, int] = field(default_factory=dict)
    images_per_second: dict[str, float] = field(default_factory=dict)
    bad_nodes: list[str] = field(default_factory=list)
    unfinished: int = 0
    leaving: str = ""


class UnreachableError(ClusterError):
    """luigid does not answer; it may be restarting on another node."""


class EndingError(ClusterError):
    """luigid still answers, but the run is ending."""


class RemoteRunScheduler(RemoteScheduler):
    """Luigi's client for luigid, which reads the address of luigid again after each failed request.

    Args:
        run: The run.
        patience: For how many seconds a request is repeated while luigid is unreachable.

    Attributes:
        task_ids: The running tasks of this worker. Each ping reports them, since luigid may have lost them in
            a restart.
        leave_reason: Why luigid asks this worker to stop, "" if it does not.
        is_on_bad_node: Whether luigid asks it because every task fails on this node.
    """

    def __init__(self, run: Run, patience: float) -> None:
        super().__init__(url="http://luigid")  # a placeholder for the current address
        self.run, self.patience = run, patience
        self.task_ids: list[str] = []
        self.leave_reason, self.is_on_bad_node = "", False
        self._address: Address | None = None
        self._added: list[dict[str, Any]] | None = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Send the tasks that are added meanwhile in few requests, each of which luigid handles in some milliseconds."""
        self._added = []
        try:
            yield
            self._send_added()
        finally:
            self._added = None

    def _send_added(self) -> None:
        if self._added:
            self.call("add_tasks", tasks=self._added)
            self._added = []

    def add_task(self, **fields: Any) -> None:  # noqa: ANN401 (luigi's, untyped)
        """Add or update a task."""
        if self._added is None:
            self.call("add_task", **fields)
            return
        self._added.append(fields)
        if sum(1 + len(each.get("deps") or ()) for each in self._added) >= _SENT_TOGETHER:
            self._send_added()

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 (JSON is any)
        """Call a method that Luigi's own luigid lacks."""
        return self._request(f"/api/{method}", arguments)

    def ping(self, worker: str) -> Any:  # noqa: ANN401 (as above)
        """Report that a worker is alive, and its running tasks."""
        return self._request("/api/ping", {"worker": worker, "tasks": self.task_ids}, attempts=1)

    def get_work(self, **arguments: Any) -> Any:  # noqa: ANN401 (as above)
        """Request a task."""
        answer = self._request("/api/get_work", arguments, allow_null=False)
        self.leave_reason, self.is_on_bad_node = answer.get("leave", ""), answer.get("is_bad_node", False)
        return answer

    def _fetch(self, url_suffix: str, body: dict[str, str]) -> str:
        """Send a request, and repeat it while luigid is unreachable; pings are not repeated."""
        patience = 0 if url_suffix == "/api/ping" else self.patience
        retrying = Retrying(
            retry=retry_if_exception_type(UnreachableError),
            stop=stop_after_delay(patience),
            wait=wait_random_exponential(max=_LONGEST_WAIT),
            before_sleep=_log_first_retry,
            reraise=True,
        )
        return str(retrying(self._send, url_suffix, urlencode(body).encode()))

    def _send(self, url_suffix: str, body: bytes) -> str:
        address = self._address or self.run.read_address()
        if address is None:
            what = "luigid has not written its address"
            raise UnreachableError(self.run.address, what, "Start it: tol luigid")
        request = Request(address.url + url_suffix, body)  # noqa: S310 (our own address)
        if password := self.run.read_password():
            login = base64.b64encode(f"{USER}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as answer:
                self._address = address
                return str(answer.read().decode())
        except HTTPError as error:
            self._address = None
            with error:
                raise _status_error(address, error.code) from error
        except (OSError, HTTPException) as error:
            self._address = None
            remedy = f"See its log; {self.run.address} contains its last address"
            raise UnreachableError(address.url, f"luigid does not answer ({error})", remedy) from error


_OPENER = build_opener(ProxyHandler({}))  # luigid is on the local network: no proxy
_TIMEOUT = 30.0
_LONGEST_WAIT = 5.0
_SENT_TOGETHER = 250
"""How many tasks and requirements are sent in a request."""


def _status_error(address: Address, code: int) -> ClusterError:
    """Return the error for an HTTP status; another program may listen at an old address of luigid."""
    if code == HTTPStatus.UNAUTHORIZED:
        return UnreachableError(
            address.url, "luigid refuses the password", "Use the password in its run/password"
        )
    if code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return ClusterError(address.url, "luigid answers with an error", "See its log")
    return UnreachableError(
        address.url, f"another program answers (HTTP status {code})", "See the log of luigid"
    )


def _log_first_retry(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        _LOG.warning("%s The request is repeated.", state.outcome.exception())


class Scheduler:
    """The luigid of a run.

    Args:
        run: The run.
        patience: For how many seconds a request is repeated while luigid is unreachable.

    Every method raises :class:`~tol_luigi.core.errors.ClusterError` if luigid cannot be reached.
    """

    def __init__(self, run: Run, patience: float = 0) -> None:
        self.run = run
        self._remote = RemoteRunScheduler(run, patience)

    def status(self) -> RunStatus:
        """Return the status of the run."""
        report = self._remote.call("run_status")
        return RunStatus(
            counts=report["counts"],
            running=[
                RunningTask(**{**task, "log": log_path(self.run, task["log"])}) for task in report["running"]
            ],
            failures=[
                Failure(**{**task, "log": log_path(self.run, task["log"])}) for task in report["failures"]
            ],
            workers=report["workers"],
            images=report["images"],
            images_per_second=report["images_per_second"],
            bad_nodes=report["bad_nodes"],
            unfinished=report["unfinished"],
            leaving=report["leaving"],
        )

    def retry_failed(self) -> list[str]:
        """Retry every failed task with its full number of attempts; return the task ids.

        Raises:
            EndingError: The run is ending: luigid assigns no more tasks.
        """
        retried = self._remote.call("retry_failed")
        if retried is None:
            what = "the run is ending, so no task can be retried in it"
            raise EndingError(self.run.directory, what, "Wait for the end of luigid")
        return list(retried)

    def stop(self) -> None:
        """Stop workers and luigid after the running tasks; a later run resumes from there."""
        self._remote.call("finish", reason="the run was stopped")

    def finish(self, unfinished: int) -> bool:
        """Stop workers and luigid at the end of the run, and delete the state of luigid.

        Args:
            unfinished: The number of unfinished tasks in the last status.

        Returns:
            False if failed tasks are retried since that status: then nothing is stopped.
        """
        reason = "the run has ended"
        return bool(self._remote.call("finish", reason=reason, forget=True, unfinished=unfinished))
