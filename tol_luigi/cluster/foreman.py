"""The foreman of a run: it schedules the graph with luigid, waits for the end and reports the result."""

from __future__ import annotations

import os
import secrets
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import luigi
import luigi.worker
from luigi.setup_logging import InterfaceLogging
from luigi.task_register import Register

from tol_luigi.cluster import patches
from tol_luigi.cluster.client import RemoteRunScheduler, Scheduler
from tol_luigi.cluster.run import Run, node_name
from tol_luigi.cluster.worker import wait_until_complete
from tol_luigi.core.errors import ClusterError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import remove
from tol_luigi.report.status import by_cause
from tol_luigi.report.text import counted
from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.table_checks import validate_tables

if TYPE_CHECKING:
    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.cluster.pool import Pool
    from tol_luigi.tasks.run_sections import ClusterSection
    from tol_luigi.tasks.settings import Settings

__all__ = ["check_round_trips", "lead"]


def check_round_trips(root: luigi.Task) -> None:
    """Check that a worker builds the same tasks from the serialized parameters of a graph.

    Raises:
        SettingsError: A worker would build another task.
    """
    for task in in_order(root):
        Register.clear_instance_cache()
        parsed = type(task).from_str_params(task.to_str_params())
        if parsed.task_id != task.task_id:
            what = f"a worker would build {parsed.task_id} from its parameters"
            raise SettingsError(task.task_id, what, "Pass each parameter a value of its own type")


def lead(settings: Settings, task: luigi.Task | None = None, pool: Pool | None = None) -> int:
    """Schedule the graph with luigid, wait for the end and return the exit code of the run.

    The process can be killed and started again at any time.

    Args:
        settings: The settings.
        task: The task to build; the complete dataset if None.
        pool: The jobs of the run, if it was submitted to Slurm.

    Returns:
        0: the task is complete; 30: a task has failed and has no retries left; 35: luigid could not schedule
        every task; 25: the run ended for another reason, such as
        :meth:`~tol_luigi.cluster.client.Scheduler.stop`.

    Raises:
        ClusterError: luigid cannot be reached for longer than ``[cluster] patience_seconds``.
        TableError: A table cannot be used.
        SettingsError: A worker would build another task, or the release of Luigi is not supported.
    """
    patches.check()
    section, run, root = settings.cluster, Run.of(settings.layout), task or BuildCatalog()
    InterfaceLogging.setup(_QuietLogging)
    run.make_folders()
    remove(run.result)
    if task is None and not root.complete():
        validate_tables(settings)
    check_round_trips(root)
    scheduler = Scheduler(run, section.patience_seconds)
    with _register(run, section) as foreman:
        is_scheduled = foreman.add(root)
        while True:
            status = _wait(foreman, scheduler, root, section, pool)
            code = _exit_code(root, status, section, is_scheduled=is_scheduled)
            result = _write_result(run, code, status)
            if not section.finish or _finish(scheduler, status):
                break
            remove(run.result)
    _print_failures(status)
    _print(result)
    if code is ExitCode.COMPLETE and isinstance(root, luigi.WrapperTask):
        root.run()  # logs what was built
    return code


class _QuietLogging:
    logging_conf_file, log_level, background, logdir = "", "WARNING", False, None


class _Foreman(luigi.worker.Worker):
    """A worker that adds tasks to luigid and runs none.

    Args:
        remote: The client for luigid.
        **kwargs: Luigi's arguments.
    """

    def __init__(self, remote: RemoteRunScheduler, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(scheduler=remote, worker_processes=0, **kwargs)
        self._remote = remote

    def add(self, task: luigi.Task, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 (luigi's, untyped)
        """Add a task and all that it requires."""
        with self._remote.together():
            return bool(super().add(task, *args, **kwargs))


def _register(run: Run, section: ClusterSection) -> _Foreman:
    return _Foreman(
        RemoteRunScheduler(run, section.patience_seconds),
        worker_id=f"foreman:{node_name()}:{os.getpid()}:{secrets.token_hex(3)}",
        no_install_shutdown_handler=True,  # there is no task to finish
        ping_interval=section.ping_seconds,
    )


def _wait(
    foreman: _Foreman,
    scheduler: Scheduler,
    root: luigi.Task,
    section: ClusterSection,
    pool: Pool | None,
) -> RunStatus:
    """Wait until no task can run any more; print the progress whenever it changes."""
    last_line = ""
    while True:
        status = scheduler.status()
        if (line := _progress_line(status)) != last_line:
            last_line = line
            _print(line)
        if not status.counts.get(root.task_family):  # luigid has lost its state
            foreman.add(root)
        elif status.leaving or not (status.unfinished or (pool and pool.revive(status))):
            return status
        elif pool and (reason := pool.reconcile(status)):
            return replace(status, leaving=reason)
        time.sleep(section.poll_seconds)


def _exit_code(
    root: luigi.Task, status: RunStatus, section: ClusterSection, *, is_scheduled: bool
) -> ExitCode:
    if any(failure.final for failure in status.failures):
        return ExitCode.COMPLETE if root.complete() else ExitCode.TASK_FAILED
    if wait_until_complete(root, 0 if status.unfinished else section.settle_seconds):
        return ExitCode.COMPLETE
    return ExitCode.NOT_RUN if is_scheduled else ExitCode.SCHEDULING_ERROR


def _write_result(run: Run, code: ExitCode, status: RunStatus) -> str:
    """Write the result of the run; return it in a few words."""
    texts = {
        ExitCode.COMPLETE: "complete",
        ExitCode.TASK_FAILED: f"{counted(sum(failure.final for failure in status.failures), 'task')} failed",
        ExitCode.SCHEDULING_ERROR: "luigid could not schedule all tasks: see the errors above",
        ExitCode.NOT_RUN: status.leaving or "tasks are left that luigid cannot assign",
    }
    failures = [{**asdict(each), "log": str(each.log) if each.log else None} for each in status.failures]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run.write(run.result, {"code": code, "ended": now, "text": texts[code], "failures": failures})
    return texts[code]


def _finish(scheduler: Scheduler, status: RunStatus) -> bool:
    """End the run; return False if a user has failed tasks retried since its last status, so that it goes on."""
    try:
        return scheduler.finish(status.unfinished)
    except ClusterError:  # luigid has already stopped
        return True


def _print_failures(status: RunStatus) -> None:
    """Print each cause of failures once, with the first task that failed for it."""
    failures = [(each.label, each.cause, str(each.log or ""), each.final) for each in status.failures]
    for cause in by_cause(failures):
        others = f" and {counted(len(cause.labels) - 1, 'other task')}" if cause.labels[1:] else ""
        _print(f"{cause.labels[0]}{others}: {cause.cause} ({cause.log or 'no log'})")


def _progress_line(status: RunStatus) -> str:
    """Return the progress of a run in one line."""
    states: dict[str, int] = {}
    for counts in status.counts.values():
        for state, count in counts.items():
            states[state] = states.get(state, 0) + count
    parts = [
        f"{states.get('DONE', 0)} of {sum(states.values())} tasks done",
        f"{len(status.running)} running",
    ]
    if status.failures:
        parts.append(f"{len(status.failures)} failed")
    parts.append(counted(status.workers, "worker"))
    if status.bad_nodes:
        parts.append(f"excluded nodes, where every task fails: {', '.join(status.bad_nodes)}")
    return ", ".join(parts)


def _print(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
    sys.stdout.flush()
