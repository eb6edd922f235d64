"""What people and programs ask a run's luigid."""

from __future__ import annotations

import base64
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

from tol_luigi.cluster.logs import log_of
from tol_luigi.cluster.run import USER, Address, Run
from tol_luigi.core.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AwayError", "Failure", "Follower", "RunStatus", "Running", "Scheduler"]

_LOG = logging.getLogger("luigi-interface")


@dataclass(frozen=True)
class Running:
    """A task at work.

    Attributes:
        task_id: As Luigi makes it.
        label: In a few words, such as ``WriteShards train eol image_set_01``.
        family: The stage.
        parameters: Its parameters by name, but for the dataset.
        node: Where it runs.
        worker: Who runs it.
        since: When it was handed out, in seconds since 1970.
        percentage: How far it is, if it has said so.
        message: What it has said last, or "".
        log: What it writes, if it has said where.
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
    """A task that has failed.

    Attributes:
        task_id: As Luigi makes it.
        label: In a few words.
        family: The stage.
        parameters: Its parameters by name, but for the dataset.
        cause: Why, in one line.
        log: What the last attempt has written, if it has come so far.
        attempts: How often it has failed.
        final: Whether it will not be tried again, unless :meth:`Scheduler.retry_failed` says so.
        exit_code: That of the process of the last attempt, negative for a signal; None if it is not known.
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
        """Whether the kernel has killed the task's process, mostly for lack of memory."""
        return self.exit_code == -signal.SIGKILL


@dataclass(frozen=True)
class RunStatus:
    """How a run is doing.

    Attributes:
        counts: How many tasks by family, then by state: PENDING, RUNNING, DONE, FAILED, DISABLED, UNKNOWN.
        running: The tasks at work, the longest running first.
        failures: The tasks that have failed, the earliest first.
        workers: How many workers there are; the foreman is none.
        images: How many images have been worked on, by family.
        images_per_second: At what rate in the last minute, by family.
        bad_nodes: The nodes that get no tasks, as everything has failed there.
        unfinished: How many tasks may still get done, failed ones that will be tried again among them.
        leaving: Why workers and luigid are about to leave, "" if they are not.
    """

    counts: dict[str, dict[str, int]]
    running: list[Running]
    failures: list[Failure]
    workers: int
    images: dict[str, int] = field(default_factory=dict)
    images_per_second: dict[str, float] = field(default_factory=dict)
    bad_nodes: list[str] = field(default_factory=list)
    unfinished: int = 0
    leaving: str = ""


class AwayError(ClusterError):
    """Luigid does not answer; it may be on its way to another node."""


class Follower(RemoteScheduler):
    """Luigi's way to ask luigid, which follows it wherever it goes.

    Args:
        run: The run.
        patience: For how many seconds luigid may be away.

    Attributes:
        at_work: The tasks that this worker has in hand, which each ping tells: luigid may have forgotten.
        told_to_leave: Why luigid wants this worker to leave, "" if it does not.
        is_on_bad_node: Whether that is because everything fails on its node.
    """

    def __init__(self, run: Run, patience: float) -> None:
        super().__init__(url="http://luigid")  # stands for wherever it is
        self.run, self.patience = run, patience
        self.at_work: list[str] = []
        self.told_to_leave, self.is_on_bad_node = "", False
        self._address: Address | None = None

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 (JSON is any)
        """Call one of the methods that luigi's own luigid has not."""
        return self._request(f"/api/{method}", arguments)

    def ping(self, worker: str) -> Any:  # noqa: ANN401 (as above)
        """Say that a worker is there, and what it is at."""
        return self._request("/api/ping", {"worker": worker, "tasks": self.at_work}, attempts=1)

    def get_work(self, **arguments: Any) -> Any:  # noqa: ANN401 (as above)
        """Ask for a task."""
        answer = self._request("/api/get_work", arguments, allow_null=False)
        self.told_to_leave, self.is_on_bad_node = answer.get("leave", ""), answer.get("is_bad_node", False)
        return answer

    def _fetch(self, url_suffix: str, body: dict[str, str]) -> str:
        """Ask, and ask again while luigid is away; a ping is not worth waiting."""
        patience = 0 if url_suffix == "/api/ping" else self.patience
        again = Retrying(
            retry=retry_if_exception_type(AwayError),
            stop=stop_after_delay(patience),
            wait=wait_random_exponential(max=_LONGEST_WAIT),
            before_sleep=_say_once,
            reraise=True,
        )
        return str(again(self._ask, url_suffix, urlencode(body).encode()))

    def _ask(self, url_suffix: str, body: bytes) -> str:
        address = self._address or self.run.read_address()
        if address is None:
            what = "luigid has not said where it listens"
            raise AwayError(self.run.address, what, "Start it: tol luigid")
        request = Request(address.url + url_suffix, body)  # noqa: S310 (an address of ours)
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
                raise _refused(address, error.code) from error
        except (OSError, HTTPException) as error:
            self._address = None
            remedy = f"See its log; {self.run.address} says where it was last"
            raise AwayError(address.url, f"luigid does not answer ({error})", remedy) from error


_OPENER = build_opener(ProxyHandler({}))  # what a proxy is for is elsewhere
_TIMEOUT = 30.0
_LONGEST_WAIT = 5.0


def _refused(address: Address, code: int) -> ClusterError:
    """Say what an answer means; where luigid has moved on, another program may listen at its old place."""
    if code == HTTPStatus.UNAUTHORIZED:
        return AwayError(address.url, "luigid refuses the password", "Take that of its run/password")
    if code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return ClusterError(address.url, "luigid answers with an error", "See its log")
    return AwayError(address.url, f"something else answers ({code})", "See the log of luigid")


def _say_once(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        _LOG.warning("%s It is asked again.", state.outcome.exception())


class Scheduler:
    """The luigid of a run.

    Args:
        run: The run.
        patience: For how many seconds it may be away.

    Every method raises :class:`~tol_luigi.core.errors.ClusterError` where it cannot be reached.
    """

    def __init__(self, run: Run, patience: float = 0) -> None:
        self.run = run
        self._follower = Follower(run, patience)

    def status(self) -> RunStatus:
        """Ask how the run is doing."""
        said = self._follower.call("run_status")
        return RunStatus(
            counts=said["counts"],
            running=[Running(**{**task, "log": log_of(self.run, task["log"])}) for task in said["running"]],
            failures=[Failure(**{**task, "log": log_of(self.run, task["log"])}) for task in said["failures"]],
            workers=said["workers"],
            images=said["images"],
            images_per_second=said["images_per_second"],
            bad_nodes=said["bad_nodes"],
            unfinished=said["unfinished"],
            leaving=said["leaving"],
        )

    def retry_failed(self) -> list[str]:
        """Have every failed task tried again, with all its tries; gives their ids."""
        return list(self._follower.call("retry_failed"))

    def stop(self) -> None:
        """Have workers and luigid leave, what is being worked on first finished; a later run goes on from there."""
        self._follower.call("finish", reason="it was told to stop")

    def finish(self) -> None:
        """Have workers and luigid leave for good."""
        self._follower.call("finish", reason="the run is over", forget=True)
