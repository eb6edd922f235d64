"""A worker of a run: it runs the tasks that luigid assigns, and returns unfinished ones if it must stop."""

from __future__ import annotations

import contextlib
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
from tol_luigi.cluster.client import RemoteRunScheduler
from tol_luigi.cluster.logs import LINK, redirect_output
from tol_luigi.cluster.parents import end_with_parent
from tol_luigi.cluster.run import Run, node_name
from tol_luigi.core.errors import ClusterError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import remove_leftovers
from tol_luigi.tasks import error_lines, interrupts
from tol_luigi.tasks.error_lines import is_final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.tasks.run_sections import ClusterSection
    from tol_luigi.tasks.settings import Settings

__all__ = ["Assistant", "LoggedTask", "wait_until_complete", "work"]

_LOG = logging.getLogger("luigi-interface")

_CLEANUP_SECONDS = 10
"""How long a task may clean up after SIGTERM. Slurm kills after 30 seconds."""


class _TerminatedError(BaseException):
    """This process received SIGTERM; not an Exception, so that tasks do not catch it."""


def _terminate(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise _TerminatedError


class Assistant(luigi.worker.Worker):
    """Luigi's worker in the role of an assistant, which adds no tasks.

    Args:
        run: The run.
        remote: The client for luigid.
        section: The settings.
        idle_seconds: Stop after this time without a task.
    """

    def __init__(
        self, run: Run, remote: RemoteRunScheduler, section: ClusterSection, idle_seconds: float
    ) -> None:
        node = node_name()
        super().__init__(
            scheduler=remote,
            worker_id=f"{node}:{os.getpid()}:{secrets.token_hex(3)}",
            assistant=True,
            keep_alive=True,
            force_multiprocessing=True,
            check_complete_on_run=True,
            send_failure_email=False,
            ping_interval=section.ping_seconds,
            wait_interval=section.poll_seconds,
            wait_jitter=section.poll_seconds,
        )
        self.host = node  # in tests, one machine acts as several nodes under one host name
        self._run, self._remote, self._section = run, remote, section
        self._idle_seconds = idle_seconds

    @property
    def name(self) -> str:
        """The id of this worker at luigid."""
        return str(self._id)

    def _keep_alive(self, get_work_response: object) -> bool:
        del get_work_response
        if self._stop_requesting_work:
            return False
        since = self._idle_since or datetime.now()  # noqa: DTZ005 (as Luigi does)
        return (datetime.now() - since).total_seconds() < self._idle_seconds  # noqa: DTZ005

    def _get_work(self) -> Any:  # noqa: ANN401 (luigi's, untyped)
        answer = super()._get_work()
        self._get_work_response_history.clear()  # grows with each request, for a summary that is not used
        return answer

    def _run_task(self, task_id: str) -> None:
        self._remote.task_ids = [task_id]
        super()._run_task(task_id)

    def _handle_next_task(self) -> None:
        super()._handle_next_task()
        self._remote.task_ids = list(self._running_tasks)

    def _add_task(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (luigi's, untyped)
        process = self._running_tasks.get(kwargs["task_id"])
        if process is not None:
            kwargs["exit_code"] = process.exitcode
        super()._add_task(*args, **kwargs)

    def _create_task_process(self, task: luigi.Task) -> LoggedTask:
        reporter = _Reporter(self._remote, task.task_id, self._id, None)
        return LoggedTask(
            self._run,
            self._section.settle_seconds,
            task,
            self._id,
            self._task_result_queue,
            reporter,
            use_multiprocessing=True,
            worker_timeout=self._config.timeout,
            check_complete_on_run=True,
        )

    def return_task(self) -> None:
        """Terminate the running task, wait for its cleanup, and let luigid assign it to another worker."""
        self._remote.task_ids, self._remote.patience = [], _CLEANUP_SECONDS
        for task_id, process in self._running_tasks.items():
            if process.is_alive():
                os.kill(process.pid, signal.SIGTERM)
            process.join(_CLEANUP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
                remove_leftovers(self._run.directory.parent, time.time())
            self._remote.call("give_back", task_id=task_id, worker=self._id)
            _LOG.info("%s was returned to luigid", task_id)
        self._running_tasks.clear()


class _Reporter(luigi.worker.TaskStatusReporter):
    """Luigi's reporter for a task, with two more methods."""

    def report_progress(self, message: str, percentage: int | None, images: int | None) -> None:
        """Report the progress of the task in one request."""
        fields = {"message": message, "percentage": percentage, "images": images}
        self._scheduler.call("report_progress", task_id=self._task_id, **fields)

    def report_final(self) -> None:
        """Report that every further attempt at the task would fail as well."""
        self._scheduler.call("report_final", task_id=self._task_id)


class LoggedTask(luigi.worker.TaskProcess):
    """The process of a task, with its own log; it ends with its worker.

    Args:
        run: The run.
        settle_seconds: How long files of other nodes may take to become visible.
        *args: Luigi's arguments.
        **kwargs: Luigi's arguments.
    """

    def __init__(self, run: Run, settle_seconds: float, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._run, self._parent = run, os.getpid()
        self.check_complete = functools.partial(wait_until_complete, seconds=settle_seconds)
        self.forward_reporter_attributes = {
            **self.forward_reporter_attributes,
            "report_progress": "report_progress",
        }

    def run(self) -> None:
        """Run the task."""
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the worker handles it, even if it is sent to all
        signal.signal(signal.SIGTERM, _terminate_with_deadline)
        end_with_parent(self._parent)
        log = redirect_output(self._run, self.task.task_id)
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {self.worker_id}: {self.task}\n")
        self.status_reporter.update_tracking_url(f"{LINK}{log.name}")
        super().run()

    def _run_get_new_deps(self) -> Any:  # noqa: ANN401 (luigi's, untyped)
        # a worker that was considered lost may have built it, or a restart of luigid may have lost its status
        if self.task.complete():
            return None
        return super()._run_get_new_deps()

    def _handle_run_exception(self, ex: BaseException) -> Any:  # noqa: ANN401 (as above)
        if isinstance(ex, _TerminatedError):
            # not a failure; a worker that did not send SIGTERM sees the exit code
            self.result_queue = _NullQueue()
            raise SystemExit(128 + signal.SIGTERM)
        text = super()._handle_run_exception(ex)
        if is_final(ex):
            with contextlib.suppress(ClusterError):  # it is tried again, then
                self.status_reporter.report_final()
        return text


class _NullQueue:
    def put(self, item: object) -> None:
        pass


def _terminate_with_deadline(number: int, frame: object) -> NoReturn:
    """Raise in the code of the task, so that it cleans up; kill the process if that takes too long."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_CLEANUP_SECONDS)
    _terminate(number, frame)


def wait_until_complete(task: luigi.Task, seconds: float) -> bool:
    """Return whether a task is complete, or becomes complete within some seconds.

    A network file system may cache for a while that a file does not exist. Most refresh the cache when the
    folder is listed.
    """
    deadline = time.monotonic() + seconds
    while not check_complete_cached(task):
        if time.monotonic() >= deadline:
            return False
        for path in _outputs(task):
            with contextlib.suppress(OSError):
                os.listdir(path.parent)  # noqa: PTH208 (iterdir may be lazy)
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    return True


def _outputs(task: luigi.Task) -> Iterable[Path]:
    """Return the output files of a task, or of the requirements of a wrapper task."""
    tasks = flatten(task.requires()) if isinstance(task, luigi.WrapperTask) else [task]
    return [
        Path(output.path) for each in tasks for output in flatten(each.output()) if hasattr(output, "path")
    ]


def _is_over(run: Run, seconds: float) -> bool:
    """Return whether a run has ended; wait some seconds for the luigid of a new run."""
    deadline = time.monotonic() + seconds
    while run.result.exists() and run.read_address() is None:
        if time.monotonic() >= deadline:
            return True
        time.sleep(1)
    return False


def work(settings: Settings, idle_seconds: float | None = None) -> int:
    """Run the tasks that luigid assigns until none is assigned for a while; return the exit code.

    SIGTERM terminates the task, returns it to luigid and stops the worker. SIGUSR1 stops the worker after the
    task.

    Args:
        settings: The settings.
        idle_seconds: Stop after this time without a task; ``[cluster] idle_seconds`` if None.

    Returns:
        0, or 1 if luigid stopped the worker because every task fails on its node.

    Raises:
        ClusterError: luigid cannot be reached for longer than ``[cluster] patience_seconds``.
        SettingsError: The release of Luigi is not supported.
    """
    patches.check()
    signal.signal(signal.SIGTERM, _terminate)
    section, run = settings.cluster, Run.of(settings.layout)
    InterfaceLogging.setup()
    _LOG.setLevel(core().log_level)
    if _LOG.level > logging.INFO:  # its log is a file of its own
        _LOG.setLevel(logging.INFO)
    error_lines.apply()
    interrupts.apply()
    run.make_folders()
    remote = RemoteRunScheduler(run, section.patience_seconds)
    if _is_over(run, section.settle_seconds):
        sys.stderr.write(f"tol_luigi: {run.directory}: this run has ended.\n")
        return 0
    assistant = Assistant(
        run, remote, section, section.idle_seconds if idle_seconds is None else idle_seconds
    )
    try:
        with assistant:
            try:
                assistant.run()
            except _TerminatedError:
                assistant.return_task()
    except _TerminatedError:  # received while the worker was stopping
        pass
    remote.patience = _CLEANUP_SECONDS
    with contextlib.suppress(ClusterError):  # luigid may have stopped
        remote.call("leave", worker=assistant.name)
    if remote.leave_reason:
        sys.stderr.write(f"tol_luigi: {assistant.name} stops: {remote.leave_reason}.\n")
    return ExitCode.NEGATIVE if remote.is_on_bad_node else ExitCode.COMPLETE
