"""The foreman of a run, who knows the graph: tells luigid of it, waits, and says how it has ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import luigi
import luigi.worker
from luigi.setup_logging import InterfaceLogging
from luigi.task_register import Register

from tol_luigi.cluster import patches
from tol_luigi.cluster.client import Follower, Scheduler
from tol_luigi.cluster.run import Run, node_name
from tol_luigi.cluster.worker import settled
from tol_luigi.core.errors import ClusterError, SettingsError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import remove
from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog

if TYPE_CHECKING:
    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.cluster.pool import Pool
    from tol_luigi.tasks.run_sections import ClusterSection
    from tol_luigi.tasks.settings import Settings

__all__ = ["check_round_trips", "lead"]


def check_round_trips(root: luigi.Task) -> None:
    """Look whether each task of a graph is the same one to a worker, which knows it by the texts of its parameters.

    Raises:
        SettingsError: One is not: a worker would make another task of it.
    """
    for task in in_order(root):
        Register.clear_instance_cache()
        again = type(task).from_str_params(task.to_str_params())
        if again.task_id != task.task_id:
            what = f"a worker would make {again.task_id} of its parameters"
            raise SettingsError(task.task_id, what, "Give each parameter a value of its own kind")


def lead(settings: Settings, task: luigi.Task | None = None, pool: Pool | None = None) -> int:
    """Tell luigid what is to be done, and wait for the end; gives the exit code, which is the truth.

    It can be killed and started again at any time.

    Args:
        settings: The settings.
        task: What is to be built; everything if None.
        pool: The jobs of the run, where it was submitted to Slurm.

    Returns:
        0: it is complete; 30: a task has failed as often as it may; 35: luigid could not be told of everything;
        25: something else is in the way, such as :meth:`~tol_luigi.cluster.client.Scheduler.stop`.

    Raises:
        ClusterError: Luigid cannot be reached for longer than ``[cluster] patience_seconds``.
        SettingsError: A task does not survive the way to a worker, or Luigi is of another release.
    """
    patches.check()
    given, run, root = settings.cluster, Run.of(settings.layout), task or BuildCatalog()
    InterfaceLogging.setup(_Quiet)
    run.make_folders()
    remove(run.result)
    check_round_trips(root)
    scheduler = Scheduler(run, given.patience_seconds)
    with _member(run, given) as foreman:
        is_told = bool(foreman.add(root))
        status = _wait(foreman, scheduler, root, given, pool)
    code = _exit_code(root, status, given, is_told=is_told)
    _end(run, scheduler, given, code, status)
    if code is ExitCode.COMPLETE and isinstance(root, luigi.WrapperTask):
        root.run()  # which says what was built
    return code


class _Quiet:
    logging_conf_file, log_level, background, logdir = "", "WARNING", False, None


def _member(run: Run, given: ClusterSection) -> luigi.worker.Worker:
    """Be a worker to luigid that runs nothing."""
    return luigi.worker.Worker(
        scheduler=Follower(run, given.patience_seconds),
        worker_id=f"foreman:{node_name()}:{os.getpid()}:{secrets.token_hex(3)}",
        worker_processes=0,
        no_install_shutdown_handler=True,  # it has no task to finish
        ping_interval=given.ping_seconds,
    )


def _wait(
    foreman: luigi.worker.Worker,
    scheduler: Scheduler,
    root: luigi.Task,
    given: ClusterSection,
    pool: Pool | None,
) -> RunStatus:
    """Wait until nothing can be done any more, and say now and then how far it is."""
    said = ""
    while True:
        status = scheduler.status()
        if (line := _line(status)) != said:
            said = line
            _say(line)
        if not status.counts.get(
            root.task_family
        ):  # luigid has begun anew, as what it knew could not be read
            foreman.add(root)
        elif status.leaving or not (status.unfinished or (pool and pool.revive(status))):
            return status
        elif pool and (reason := pool.tend(status)):
            return replace(status, leaving=reason)
        time.sleep(given.poll_seconds)


def _exit_code(root: luigi.Task, status: RunStatus, given: ClusterSection, *, is_told: bool) -> ExitCode:
    if any(failure.final for failure in status.failures):
        return ExitCode.COMPLETE if root.complete() else ExitCode.TASK_FAILED
    if settled(root, 0 if status.unfinished else given.settle_seconds):
        return ExitCode.COMPLETE
    return ExitCode.NOT_RUN if is_told else ExitCode.SCHEDULING_ERROR


def _end(run: Run, scheduler: Scheduler, given: ClusterSection, code: ExitCode, status: RunStatus) -> None:
    texts = {
        ExitCode.COMPLETE: "complete",
        ExitCode.TASK_FAILED: f"{sum(failure.final for failure in status.failures)} tasks have failed",
        ExitCode.SCHEDULING_ERROR: "luigid could not be told of all tasks: what is in the way stands above",
        ExitCode.NOT_RUN: status.leaving or "tasks are left that luigid cannot hand out",
    }
    failures = [{**asdict(each), "log": str(each.log) if each.log else None} for each in status.failures]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run.write(run.result, {"code": code, "ended": now, "text": texts[code], "failures": failures})
    for failure in status.failures:
        _say(f"{failure.label}: {failure.cause} ({failure.attempts} times; {failure.log or 'no log'})")
    _say(texts[code])
    if given.finish:
        with contextlib.suppress(ClusterError):  # it has ended before
            scheduler.finish()


def _line(status: RunStatus) -> str:
    """Say in a line how far a run is."""
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
    parts.append(f"{status.workers} workers")
    if status.bad_nodes:
        parts.append(f"not used as everything fails there: {', '.join(status.bad_nodes)}")
    return ", ".join(parts)


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
    sys.stdout.flush()
