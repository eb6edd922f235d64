"""The subcommands for builds on several nodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ClusterError
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tol_luigi.cluster.run import Run

# Each subcommand imports only its own part: a worker does not need Slurm, and luigid does not need a worker.
# ruff: noqa: PLC0415

__all__ = ["foreman", "luigid", "retry", "stop", "submit", "worker"]


def luigid(arguments: argparse.Namespace) -> int:
    """Run luigid."""
    from tol_luigi.cluster.luigid import serve

    del arguments
    return serve(settings())


def worker(arguments: argparse.Namespace) -> int:
    """Run a worker."""
    from tol_luigi.cluster.worker import work

    return work(settings(), arguments.idle_seconds)


def foreman(arguments: argparse.Namespace) -> int:
    """Run the foreman."""
    from tol_luigi.cluster.pool import lead

    del arguments
    return lead(settings())


def submit(arguments: argparse.Namespace) -> int:
    """Submit the build to Slurm."""
    from tol_luigi.cluster.submit import submit as submit_build

    return _print(submit_build(settings(), dry_run=arguments.dry_run))


def retry(arguments: argparse.Namespace) -> int:
    """Retry failed tasks; if luigid is not running, submit the remaining tasks instead.

    Raises:
        ClusterError: Nothing would run: luigid is ending, or the run was not submitted.
    """
    from tol_luigi.cluster.client import EndingError, Scheduler, UnreachableError
    from tol_luigi.cluster.run import Run

    del arguments
    run = Run.of(settings().layout)
    scheduler = Scheduler(run)
    again = "a new run continues where this one ended, with all retries"
    try:
        status = scheduler.status()
        retried = scheduler.retry_failed()
    except EndingError as error:
        command = "tol retry" if run.jobs.exists() else "the build again"
        remedy = f"Wait until `tol status` reports that luigid is not running, then run {command}: {again}"
        raise ClusterError(error.where, error.what, remedy) from error
    except UnreachableError as error:
        if not run.jobs.exists():
            raise ClusterError(error.where, error.what, f"Run the build again: {again}") from error
        from tol_luigi.cluster.submit import submit as submit_build

        return _print(["luigid is not running. Submitting the remaining tasks:", *submit_build(settings())])
    if not retried:
        return _print(["No task has failed"])
    labels = {task.task_id: task.label for task in status.failures}
    waiting = [] if status.workers else ["No worker is connected: they wait for one (tol worker)"]
    return _print(["Tasks to retry:", *(f"  {labels.get(task, task)}" for task in retried), *waiting])


def stop(arguments: argparse.Namespace) -> int:
    """Stop the run through luigid; if luigid is not running, cancel the remaining Slurm jobs of the run."""
    from tol_luigi.cluster.client import Scheduler, UnreachableError
    from tol_luigi.cluster.run import Run

    del arguments
    run = Run.of(settings().layout)
    try:
        Scheduler(run).stop()
    except UnreachableError as error:
        lines = [f"{error.where}: {error.what}", *_cancel(run, waiting_only=False)]
        return _print(lines if len(lines) > 1 else [*lines, "There is nothing to stop"])
    lines = ["Workers stop after their current tasks, then luigid stops", *_cancel(run, waiting_only=True)]
    return _print(lines)


def _cancel(run: Run, *, waiting_only: bool) -> list[str]:
    """Cancel the Slurm jobs of a run, if it was submitted; return a line about them, or no line."""
    if not run.jobs.exists():
        return []
    from tol_luigi.cluster.submit import cancel

    names = cancel(run, waiting_only=waiting_only)
    return [f"cancelled in Slurm: {' '.join(names)}"] if names else []


def _print(lines: Iterable[str]) -> int:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0
