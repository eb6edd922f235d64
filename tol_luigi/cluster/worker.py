"""A worker of a run: it adds no tasks, gets them from luigid, and leaves nothing half done when it has to go."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
import os
import secrets
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import luigi.worker
from luigi.interface import core
from luigi.setup_logging import InterfaceLogging
from luigi.task import flatten
from luigi.worker import check_complete_cached

from tol_luigi.cluster import patches
from tol_luigi.cluster.client import Follower
from tol_luigi.cluster.logs import LINK, redirect
from tol_luigi.cluster.run import Run, node_name
from tol_luigi.core.errors import ClusterError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import remove_leftovers
from tol_luigi.tasks import error_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.tasks.run_sections import ClusterSection
    from tol_luigi.tasks.settings import Settings

__all__ = ["Assistant", "LoggedTask", "settled", "work"]

_LOG = logging.getLogger("luigi-interface")

_LAST_SECONDS = 10
"""How long a task may take to clear up after it was told to end. Slurm kills after 30 seconds."""

_PR_SET_PDEATHSIG = 1


class _TerminatedError(BaseException):
    """This process was told to end; no task's business, so no error that a task may catch."""


def _terminate(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise _TerminatedError


class Assistant(luigi.worker.Worker):
    """Luigi's worker, as one of many.

    Args:
        run: The run.
        follower: How to ask luigid.
        given: The settings.
        idle_seconds: After how long without a task it leaves.
    """

    def __init__(self, run: Run, follower: Follower, given: ClusterSection, idle_seconds: float) -> None:
        node = node_name()
        super().__init__(
            scheduler=follower,
            worker_id=f"{node}:{os.getpid()}:{secrets.token_hex(3)}",
            assistant=True,
            keep_alive=True,
            force_multiprocessing=True,
            check_complete_on_run=True,
            send_failure_email=False,
            ping_interval=given.ping_seconds,
            wait_interval=given.poll_seconds,
            wait_jitter=given.poll_seconds,
        )
        self.host = node  # nodes that are played by one machine have the same name there
        self._run, self._follower, self._given = run, follower, given
        self._idle_seconds = idle_seconds

    @property
    def name(self) -> str:
        """What luigid calls it."""
        return str(self._id)

    def _keep_alive(self, get_work_response: object) -> bool:
        del get_work_response
        if self._stop_requesting_work:
            return False
        since = self._idle_since or datetime.now()  # noqa: DTZ005 (as luigi notes it)
        return (datetime.now() - since).total_seconds() < self._idle_seconds  # noqa: DTZ005

    def _get_work(self) -> Any:  # noqa: ANN401 (luigi's, untyped)
        answer = super()._get_work()
        self._get_work_response_history.clear()  # for a summary that nobody reads, as long as everything that runs
        return answer

    def _run_task(self, task_id: str) -> None:
        self._follower.at_work = [task_id]
        super()._run_task(task_id)

    def _handle_next_task(self) -> None:
        super()._handle_next_task()
        self._follower.at_work = list(self._running_tasks)

    def _add_task(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (luigi's, untyped)
        process = self._running_tasks.get(kwargs["task_id"])
        if process is not None:
            kwargs["exit_code"] = process.exitcode
        super()._add_task(*args, **kwargs)

    def _create_task_process(self, task: luigi.Task) -> LoggedTask:
        reporter = _Reporter(self._follower, task.task_id, self._id, None)
        return LoggedTask(
            self._run,
            self._given.settle_seconds,
            task,
            self._id,
            self._task_result_queue,
            reporter,
            use_multiprocessing=True,
            worker_timeout=self._config.timeout,
            check_complete_on_run=True,
        )

    def hand_back(self) -> None:
        """End the task in hand, wait until it has cleared up, and have luigid hand it to another."""
        self._follower.at_work, self._follower.patience = [], _LAST_SECONDS
        for task_id, process in self._running_tasks.items():
            if process.is_alive():
                os.kill(process.pid, signal.SIGTERM)
            process.join(_LAST_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
                remove_leftovers(self._run.directory.parent, time.time())
            self._follower.call("give_back", task_id=task_id, worker=self._id)
            _LOG.info("%s is handed back", task_id)
        self._running_tasks.clear()


class _Reporter(luigi.worker.TaskStatusReporter):
    """What a task calls to report, with one more method."""

    def report_progress(self, message: str, percentage: int | None, images: int | None) -> None:
        """Report how far the task is, in one request."""
        given = {"message": message, "percentage": percentage, "images": images}
        self._scheduler.call("report_progress", task_id=self._task_id, **given)


class LoggedTask(luigi.worker.TaskProcess):
    """A task in its process: with a log of its own, and no longer there than its worker.

    Args:
        run: The run.
        settle_seconds: How long the file of another node may be late.
        *args: What Luigi gives.
        **kwargs: What Luigi gives.
    """

    def __init__(self, run: Run, settle_seconds: float, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._run, self._parent = run, os.getpid()
        self.check_complete = functools.partial(settled, seconds=settle_seconds)
        self.forward_reporter_attributes = {
            **self.forward_reporter_attributes,
            "report_progress": "report_progress",
        }

    def run(self) -> None:
        """Run the task."""
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the worker's business, also where it is sent to all
        signal.signal(signal.SIGTERM, _end_soon)
        _end_with(self._parent)
        log = redirect(self._run, self.task.task_id)
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {self.worker_id}: {self.task}\n")
        self.status_reporter.update_tracking_url(f"{LINK}{log.name}")
        super().run()

    def _run_get_new_deps(self) -> Any:  # noqa: ANN401 (luigi's, untyped)
        if (
            self.task.complete()
        ):  # made by a worker that was thought lost, or before luigid had saved that it is
            return None
        return super()._run_get_new_deps()

    def _handle_run_exception(self, ex: BaseException) -> Any:  # noqa: ANN401 (as above)
        if isinstance(ex, _TerminatedError):
            self.result_queue = (
                _Nowhere()
            )  # it has not failed; if nobody has told the worker to end, that sees it end
            raise SystemExit(128 + signal.SIGTERM)
        return super()._handle_run_exception(ex)


class _Nowhere:
    def put(self, item: object) -> None:
        pass


def _end_soon(number: int, frame: object) -> NoReturn:
    """Leave the task's code wherever it is, so that it clears up; and end whatever does not let go."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LAST_SECONDS)
    _terminate(number, frame)


def _end_with(parent: int) -> None:
    """Have the kernel tell this process to end when its parent has."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(128 + signal.SIGTERM)


def settled(task: luigi.Task, seconds: float) -> bool:
    """Tell whether a task is complete; if not, look again for so long.

    A network file system may remember for a while that a file is not there. Where the folder is listed, most look
    again.
    """
    deadline = time.monotonic() + seconds
    while not check_complete_cached(task):
        if time.monotonic() >= deadline:
            return False
        for path in _outputs(task):
            with contextlib.suppress(OSError):
                os.listdir(path.parent)  # noqa: PTH208 (iterdir may wait to look until it is asked for more)
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    return True


def _outputs(task: luigi.Task) -> Iterable[Path]:
    """Give the files of a task, or of those that it only gathers."""
    tasks = flatten(task.requires()) if isinstance(task, luigi.WrapperTask) else [task]
    return [
        Path(output.path) for each in tasks for output in flatten(each.output()) if hasattr(output, "path")
    ]


def _is_over(run: Run, seconds: float) -> bool:
    """Tell whether a run has ended; where a new one is just beginning, luigid will say so in a moment."""
    deadline = time.monotonic() + seconds
    while run.result.exists() and run.read_address() is None:
        if time.monotonic() >= deadline:
            return True
        time.sleep(1)
    return False


def work(settings: Settings, idle_seconds: float | None = None) -> int:
    """Run tasks that luigid hands out, until there are none for a while; gives the exit code.

    SIGTERM ends the task, hands it back, and leaves. SIGUSR1 finishes the task, and leaves.

    Args:
        settings: The settings.
        idle_seconds: After how long without a task to leave; as ``[cluster] idle_seconds`` if None.

    Returns:
        0; or 1 if it was sent away, as everything fails on its node.

    Raises:
        ClusterError: Luigid cannot be reached for longer than ``[cluster] patience_seconds``.
        SettingsError: This release of Luigi is not one that it is tested with.
    """
    patches.check()
    signal.signal(signal.SIGTERM, _terminate)
    given, run = settings.cluster, Run.of(settings.layout)
    InterfaceLogging.setup()
    _LOG.setLevel(core().log_level)
    error_lines.apply()
    run.make_folders()
    follower = Follower(run, given.patience_seconds)
    if _is_over(run, given.settle_seconds):
        sys.stderr.write(f"tol_luigi: {run.directory}: this run is over.\n")
        return 0
    assistant = Assistant(run, follower, given, given.idle_seconds if idle_seconds is None else idle_seconds)
    try:
        with assistant:
            try:
                assistant.run()
            except _TerminatedError:
                assistant.hand_back()
    except _TerminatedError:  # in the moment when it was leaving anyway
        pass
    follower.patience = _LAST_SECONDS
    with contextlib.suppress(ClusterError):  # that has ended, too
        follower.call("leave", worker=assistant.name)
    if follower.told_to_leave:
        sys.stderr.write(f"tol_luigi: {assistant.name} leaves: {follower.told_to_leave}.\n")
    return ExitCode.NEGATIVE if follower.is_on_bad_node else ExitCode.COMPLETE
