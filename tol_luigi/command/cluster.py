"""The verbs for a build on several nodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ClusterError
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tol_luigi.cluster.run import Run

# Each verb imports its own part only: a worker needs nothing of Slurm, and luigid nothing of a worker.
# ruff: noqa: PLC0415

__all__ = ["foreman", "luigid", "retry", "stop", "submit", "worker"]


def luigid(given: argparse.Namespace) -> int:
    """Be the luigid."""
    from tol_luigi.cluster.luigid import serve

    del given
    return serve(settings())


def worker(given: argparse.Namespace) -> int:
    """Be a worker."""
    from tol_luigi.cluster.worker import work

    return work(settings(), given.idle_seconds)


def foreman(given: argparse.Namespace) -> int:
    """Be the foreman."""
    from tol_luigi.cluster.pool import lead

    del given
    return lead(settings())


def submit(given: argparse.Namespace) -> int:
    """Submit the build to Slurm."""
    from tol_luigi.cluster.submit import submit as submit_build

    return _say(submit_build(settings(), dry_run=given.dry_run))


def retry(given: argparse.Namespace) -> int:
    """Have failed tasks tried again: by luigid, or where it has gone, by submitting what is left to do."""
    from tol_luigi.cluster.client import Scheduler, UnreachableError
    from tol_luigi.cluster.run import Run

    del given
    run = Run.of(settings().layout)
    scheduler = Scheduler(run)
    try:
        labels = {task.task_id: task.label for task in scheduler.status().failures}
        again = scheduler.retry_failed()
    except UnreachableError as error:
        if not run.jobs.exists():
            remedy = "Run the build again, with all its tries: a new run begins where this one has ended"
            raise ClusterError(error.where, error.what, remedy) from error
        from tol_luigi.cluster.submit import submit as submit_build

        return _say(
            ["luigid has gone; what is left to do is submitted once more:", *submit_build(settings())]
        )
    if not again:
        return _say(["No task has failed"])
    return _say(["To be tried again:", *(f"  {labels.get(task, task)}" for task in again)])


def stop(given: argparse.Namespace) -> int:
    """Stop the run: luigid sends everybody home; where it has gone, what Slurm still has of the run is cancelled."""
    from tol_luigi.cluster.client import Scheduler, UnreachableError
    from tol_luigi.cluster.run import Run

    del given
    run = Run.of(settings().layout)
    try:
        Scheduler(run).stop()
    except UnreachableError as error:
        lines = [f"{error.where}: {error.what}", *_cancelled(run, waiting_only=False)]
        return _say(lines if len(lines) > 1 else [*lines, "There is nothing to stop"])
    return _say(
        ["Workers finish what they are at, and leave; luigid after them", *_cancelled(run, waiting_only=True)]
    )


def _cancelled(run: Run, *, waiting_only: bool) -> list[str]:
    """Cancel jobs of a run in Slurm, where it was submitted there; gives a line about them, or none."""
    if not run.jobs.exists():
        return []
    from tol_luigi.cluster.submit import cancel

    names = cancel(run, waiting_only=waiting_only)
    return [f"cancelled in Slurm: {' '.join(names)}"] if names else []


def _say(lines: Iterable[str]) -> int:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0
