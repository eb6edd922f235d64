"""The workers of a build that was submitted to Slurm: lost ones are replaced as long as tasks are left."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from tol_luigi import slurm
from tol_luigi.cluster import foreman
from tol_luigi.cluster.client import Scheduler
from tol_luigi.cluster.run import Run
from tol_luigi.cluster.submit import Jobs, add_workers, cancel, elements_for
from tol_luigi.core.errors import ClusterError
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.tasks.settings import Settings

__all__ = ["Pool", "lead"]

_LOG = logging.getLogger("luigi-interface")

_POLL_SECONDS = 20.0
_MAX_RETRY_SECONDS = 640.0
"""The longest wait before a retry of elements that Slurm refused because the user had too many jobs."""

_EARLY_SECONDS = 60
"""An element that fails this early did no work: its node is broken, or the commands of [slurm] before are."""


def lead(settings: Settings) -> int:
    """Run the foreman, and manage the jobs of the run if it was submitted; return the foreman's exit code."""
    run = Run.of(settings.layout)
    own = os.environ.get("SLURM_JOB_ID", "")
    if not own or Jobs.read(run).foreman != own:
        return foreman.lead(settings)
    # Slurm sends it before the time limit, see sbatch/foreman.sbatch: the job resumes later.
    signal.signal(signal.SIGUSR1, lambda *_: slurm.requeue(own))
    pool, stop = Pool(settings, run), threading.Event()
    threading.Thread(target=pool.keep_luigid_running, args=[stop], daemon=True).start()
    try:
        return foreman.lead(settings, pool=pool)
    finally:
        stop.set()
        cancel(run, waiting_only=True)


class Pool:
    """The jobs of a run, managed by its foreman.

    Args:
        settings: The settings.
        run: The run.
    """

    def __init__(self, settings: Settings, run: Run) -> None:
        self._settings, self._run = settings, run
        self._checked_at = self._next_submission = 0.0
        self._retry_seconds = _POLL_SECONDS
        self._counted: set[str] = set()
        self._missing: int | None = None
        self._memory = slurm.max_memory(
            [settings.slurm.memory, *(array.memory for array in Jobs.read(run).workers)]
        )
        self._early_failures = self._done = 0

    def reconcile(self, status: RunStatus) -> str:
        """Submit missing workers, at most every 20 seconds; return why more would not help, or ""."""
        if time.monotonic() - self._checked_at >= _POLL_SECONDS:
            self._checked_at = time.monotonic()
            try:
                return self._reconcile(status)
            except ClusterError as error:
                _LOG.warning("%s Trying again later.", error)
        return ""

    def keep_luigid_running(self, stop: threading.Event) -> None:
        """Requeue luigid whenever it ends unexpectedly, until the foreman stops."""
        luigid = Jobs.read(self._run).luigid
        while not stop.wait(_POLL_SECONDS):
            try:
                if any(not (job.is_live or job.is_complete) for job in slurm.queue([luigid])):
                    _LOG.warning("luigid has ended; it is requeued")
                    slurm.requeue(luigid)
            except ClusterError as error:
                _LOG.warning("%s Trying again later.", error)

    def _reconcile(self, status: RunStatus) -> str:
        arrays = {array.id: array for array in Jobs.read(self._run).workers}
        elements = slurm.queue(arrays)
        live = [job for job in elements if job.is_live]
        ended = [job for job in elements if not job.is_live and job.name not in self._counted]
        self._counted.update(job.name for job in ended)
        lost = [job for job in ended if self._is_lost(job)]
        doubled = [self._double(arrays[job.id].memory) if job.lacked_memory else None for job in lost]
        self._memory = slurm.max_memory([self._memory, *doubled])
        unchanged = [job for job, memory in zip(lost, doubled, strict=True) if memory is None]
        if self._is_hopeless(status, unchanged) and not live:
            failures, folder = self._early_failures, self._run.logs / "slurm"
            return f"{failures} elements ended soon after their start, and none are left: see {folder}"
        wanted = elements_for(self._settings, _max_tasks_left(status))
        if self._missing is None:  # elements that Slurm refused when the run was submitted
            self._missing = wanted - sum(array.elements for array in arrays.values())
        missing = self._missing + len(lost) if live else wanted
        self._missing = max(0, min(missing, wanted - len(live)))
        if self._missing and status.unfinished:
            self._add(self._missing)
        return ""

    def _add(self, elements: int) -> None:
        """Submit elements; if Slurm refuses some of them, retry with increasing waits."""
        if time.monotonic() < self._next_submission:
            return
        accepted = 0
        with contextlib.suppress(slurm.RefusedError):
            accepted = add_workers(self._settings, self._run, elements, self._memory)
        self._missing = elements - accepted
        if self._missing:
            self._next_submission = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, _MAX_RETRY_SECONDS)
        else:
            self._retry_seconds = _POLL_SECONDS
        _LOG.warning("Workers are missing: submitted %s of %s", accepted, counted(elements, "element"))

    def _is_lost(self, job: slurm.Job) -> bool:
        """Return whether an element ended for another reason than a lack of tasks."""
        section = self._settings.slurm
        is_drained = (
            section.time is not None and job.seconds >= slurm.seconds(section.time) - section.warning_seconds
        )
        return job.is_lost or is_drained

    def _double(self, memory: str | None) -> str | None:
        return slurm.double_memory(memory, self._settings.slurm.most_memory)

    def _is_hopeless(self, status: RunStatus, lost: list[slurm.Job]) -> bool:
        """Return whether new elements would fail too: twice the size of the array failed early in a row."""
        done = sum(counts.get("DONE", 0) for counts in status.counts.values())
        if done > self._done or status.running:
            self._done, self._early_failures = done, 0
        self._early_failures += sum(job.has_failed and job.seconds < _EARLY_SECONDS for job in lost)
        return self._early_failures >= 2 * elements_for(self._settings, _max_tasks_left(status))

    def revive(self, status: RunStatus) -> bool:
        """Retry tasks whose process was killed, with twice the memory; return whether any task is retried.

        Args:
            status: The status of the run. Only tasks without retries, and tasks that depend on them, are
                left.
        """
        killed = [failure for failure in status.failures if failure.final and failure.was_killed]
        known = Jobs.read(self._run)
        memory = self._double(self._memory)
        if not killed or status.leaving or memory is None:
            return False
        try:
            # workers with less memory would get the tasks again
            slurm.cancel(job.name for job in slurm.queue(array.id for array in known.workers) if job.is_live)
            add_workers(self._settings, self._run, elements_for(self._settings, len(killed)), memory)
            self._memory = memory
            Scheduler(self._run).retry_failed()
        except ClusterError as error:
            _LOG.warning("%s", error)
            return False
        _LOG.warning("%s killed, to be retried with %s per worker", counted(len(killed), "task"), memory)
        return True


def _max_tasks_left(status: RunStatus) -> int:
    """Return the largest number of tasks left in one stage."""
    left = [sum(counts.values()) - counts.get("DONE", 0) for counts in status.counts.values()]
    return max(left, default=0)
