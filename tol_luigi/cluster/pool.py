"""The workers of a build that was submitted to Slurm: as many as there is work for, as long as there is work."""

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

if TYPE_CHECKING:
    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.tasks.settings import Settings

__all__ = ["Pool", "lead"]

_LOG = logging.getLogger("luigi-interface")

_LOOK_SECONDS = 20.0
_MOST_SECONDS = 640.0
"""So often, at the least, Slurm is asked for elements that it did not take before, as the user had too many jobs."""

_YOUNG_SECONDS = 60
"""An element that fails so soon has not come to work: its node, or the lines that it runs first, are not in order."""


def lead(settings: Settings) -> int:
    """Be the foreman, and see to the jobs of the run, if it was submitted; gives the foreman's exit code."""
    run = Run.of(settings.layout)
    own = os.environ.get("SLURM_JOB_ID", "")
    if not own or Jobs.read(run).foreman != own:
        return foreman.lead(settings)
    # Before its time is up, see sbatch/foreman.sbatch: this very job goes on later.
    signal.signal(signal.SIGUSR1, lambda *_: slurm.requeue(own))
    pool, over = Pool(settings, run), threading.Event()
    threading.Thread(target=pool.keep_luigid, args=[over], daemon=True).start()
    try:
        return foreman.lead(settings, pool=pool)
    finally:
        over.set()
        cancel(run, waiting_only=True)


class Pool:
    """The jobs of a run, as its foreman sees them.

    Args:
        settings: The settings.
        run: The run.
    """

    def __init__(self, settings: Settings, run: Run) -> None:
        self._settings, self._run = settings, run
        self._looked = self._not_before = 0.0
        self._patience = _LOOK_SECONDS
        self._replaced: set[str] = set()
        self._owed: int | None = None
        self._memory = slurm.max_memory(
            [settings.slurm.memory, *(array.memory for array in Jobs.read(run).workers)]
        )
        self._young = self._done = 0

    def tend(self, status: RunStatus) -> str:
        """Have workers where some are missing; called as often as is convenient; gives why it is of no use, or ""."""
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = time.monotonic()
            try:
                return self._tend(status)
            except ClusterError as error:
                _LOG.warning("%s It is tried again.", error)
        return ""

    def keep_luigid(self, over: threading.Event) -> None:
        """Have luigid start again where it has come to an end that it was not told to, until the foreman's work is over."""
        luigid = Jobs.read(self._run).luigid
        while not over.wait(_LOOK_SECONDS):
            try:
                if any(not (job.is_live or job.is_complete) for job in slurm.queue([luigid])):
                    _LOG.warning("luigid has ended; it is started again")
                    slurm.requeue(luigid)
            except ClusterError as error:
                _LOG.warning("%s It is tried again.", error)

    def _tend(self, status: RunStatus) -> str:
        arrays = {array.id: array for array in Jobs.read(self._run).workers}
        elements = slurm.queue(arrays)
        live = [job for job in elements if job.is_live]
        ended = [job for job in elements if not job.is_live and job.name not in self._replaced]
        self._replaced.update(job.name for job in ended)
        lost = [job for job in ended if self._is_lost(job)]
        more = [self._more(arrays[job.id].memory) if job.lacked_memory else None for job in lost]
        self._memory = slurm.max_memory([self._memory, *more])
        hopeless = [job for job, memory in zip(lost, more, strict=True) if memory is None]
        if self._only_die(status, hopeless) and not live:
            folder = self._run.logs / "slurm"
            return f"{self._young} elements have ended soon after their start, and none is left: see {folder}"
        wanted = elements_for(self._settings, _width(status))
        if self._owed is None:  # what Slurm did not take when the run was submitted
            self._owed = wanted - sum(array.elements for array in arrays.values())
        owed = self._owed + len(lost) if live else wanted
        self._owed = max(0, min(owed, wanted - len(live)))
        if self._owed and status.unfinished:
            self._add(self._owed)
        return ""

    def _add(self, elements: int) -> None:
        """Have more elements; where Slurm takes none or not all of them, the others later, and ever less often."""
        if time.monotonic() < self._not_before:
            return
        taken = 0
        with contextlib.suppress(slurm.RefusedError):
            taken = add_workers(self._settings, self._run, elements, self._memory)
        self._owed = elements - taken
        if self._owed:
            self._not_before = time.monotonic() + self._patience
            self._patience = min(2 * self._patience, _MOST_SECONDS)
        else:
            self._patience = _LOOK_SECONDS
        _LOG.warning("Workers are missing: %s elements are submitted of %s", taken, elements)

    def _is_lost(self, job: slurm.Job) -> bool:
        """Return whether an element has ended, but not because there was nothing to do."""
        given = self._settings.slurm
        drained = given.time is not None and job.seconds >= slurm.seconds(given.time) - given.warning_seconds
        return job.is_lost or drained

    def _more(self, memory: str | None) -> str | None:
        return slurm.double_memory(memory, self._settings.slurm.most_memory)

    def _only_die(self, status: RunStatus, lost: list[slurm.Job]) -> bool:
        """Tell whether elements only die, so that others like them would, too: as many as two times the array."""
        done = sum(counts.get("DONE", 0) for counts in status.counts.values())
        if done > self._done or status.running:
            self._done, self._young = done, 0
        self._young += sum(job.has_failed and job.seconds < _YOUNG_SECONDS for job in lost)
        return self._young >= 2 * elements_for(self._settings, _width(status))

    def revive(self, status: RunStatus) -> bool:
        """Give tasks whose process was killed another chance, with twice the memory; tells whether there is one.

        Args:
            status: How the run is doing: nothing is left but tasks that were given up, and what waits for them.
        """
        killed = [failure for failure in status.failures if failure.final and failure.was_killed]
        known = Jobs.read(self._run)
        memory = self._more(self._memory)
        if not killed or status.leaving or memory is None:
            return False
        try:
            # those with less memory would take the tasks again
            slurm.cancel(job.name for job in slurm.queue(array.id for array in known.workers) if job.is_live)
            add_workers(self._settings, self._run, elements_for(self._settings, len(killed)), memory)
            self._memory = memory
            Scheduler(self._run).retry_failed()
        except ClusterError as error:
            _LOG.warning("%s", error)
            return False
        _LOG.warning("%s tasks were killed, and are tried again with %s for each worker", len(killed), memory)
        return True


def _width(status: RunStatus) -> int:
    """Count the tasks that are left of the stage that has the most."""
    left = [sum(counts.values()) - counts.get("DONE", 0) for counts in status.counts.values()]
    return max(left, default=0)
