"""A build on several nodes, submitted to Slurm: luigid, the foreman, and arrays of workers."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from importlib.resources import as_file, files
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi import slurm
from tol_luigi.cluster.run import Run
from tol_luigi.core.errors import ClusterError, SettingsError
from tol_luigi.core.files import read_json, remove
from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import luigi

    from tol_luigi.tasks.settings import Settings

__all__ = ["Array", "Jobs", "add_workers", "cancel", "elements_for", "jobs", "submit"]


@dataclass(frozen=True)
class Array:
    """An array of workers.

    Attributes:
        id: Its number.
        elements: How many elements it has.
        memory: The memory of each worker, None for the cluster's default.
    """

    id: str
    elements: int
    memory: str | None


@dataclass(frozen=True)
class Jobs:
    """The jobs of a run; "" for one that is not submitted yet."""

    luigid: str = ""
    foreman: str = ""
    workers: tuple[Array, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The numbers of all of them."""
        return [
            number for number in (self.foreman, *(array.id for array in self.workers), self.luigid) if number
        ]

    @classmethod
    def read(cls, run: Run) -> Jobs:
        """Read what was submitted for a run."""
        try:
            said = read_json(run.jobs)
        except FileNotFoundError:
            return cls()
        return cls(said["luigid"], said["foreman"], tuple(Array(**each) for each in said["workers"]))

    def write(self, run: Run) -> None:
        """Keep what was submitted."""
        run.write(run.jobs, asdict(self))


def jobs(run: Run) -> dict[str, list[slurm.Job]]:
    """Give what Slurm knows of the jobs of a run, by what they are: luigid, foreman, workers."""
    known = Jobs.read(run)
    found: dict[str, list[slurm.Job]] = {"luigid": [], "foreman": [], "workers": []}
    for job in slurm.queue(known.ids):
        what = {known.luigid: "luigid", known.foreman: "foreman"}.get(job.id, "workers")
        found[what].append(job)
    return found


def cancel(run: Run, *, waiting_only: bool = False) -> list[str]:
    """Cancel the jobs of a run; gives their names.

    Args:
        run: The run.
        waiting_only: Leave alone those that run: they leave by themselves when luigid says so.
    """
    live = [job for group in jobs(run).values() for job in group if job.is_live]
    names = [job.name for job in live if job.is_waiting or not waiting_only]
    slurm.cancel(names)
    return names


def submit(settings: Settings, *, dry_run: bool = False) -> list[str]:
    """Submit what is left to do of a build.

    Args:
        settings: The settings of the build.
        dry_run: Submit nothing.

    Returns:
        What was done, or would be, a line each.

    Raises:
        SettingsError: Luigid would listen where workers on other nodes do not reach it.
        ClusterError: The build runs already, or Slurm refuses it.
    """
    run = Run.of(settings.layout)
    _require_reachable(settings)
    width = _widest(BuildCatalog())
    if not width:
        return [f"{settings.directory} is whole: there is nothing to do."]
    elements = elements_for(settings, width)
    if dry_run:
        return [_shown(settings, part, options) for part, options in _plan(settings, elements)]
    _refuse_second(run)
    run.make_folders()
    remove(
        run.state
    )  # what a killed luigid knew: the files tell what is done, and the rest has all its tries again
    submitted = Jobs()
    submitted.write(run)
    try:
        submitted = replace(submitted, luigid=_sbatch(settings, "luigid"))
        submitted.write(run)
        after = f"--dependency=after:{submitted.luigid}"
        submitted = replace(submitted, foreman=_sbatch(settings, "foreman", after))
        submitted.write(run)
        add_workers(settings, run, elements, settings.slurm.memory, after)
    except ClusterError:
        slurm.cancel(Jobs.read(run).ids)
        raise
    return _told(run, Jobs.read(run), elements)


def add_workers(settings: Settings, run: Run, elements: int, memory: str | None, *options: str) -> int:
    """Submit elements, as few arrays as Slurm allows, and keep their numbers.

    Where Slurm says that it would be too many, it is asked to take half as many, and so on: nothing else tells
    how many a user may have, where there is no accounting database.

    Returns:
        How many Slurm has taken.

    Raises:
        RefusedError: It takes none at all.
    """
    known, bears = Jobs.read(run), slurm.limits()
    most = min(bears.array, max(1, bears.jobs - slurm.count()))
    left = elements
    while left:
        size = min(left, most)
        try:
            number = _sbatch(settings, "workers", *_array(settings, size, memory), *options)
        except slurm.RefusedError:
            most = size // 2
            if most:
                continue
            if left == elements:
                raise
            break
        left -= size
        known = replace(known, workers=(*known.workers, Array(number, size, memory)))
        known.write(run)
    return elements - left


def elements_for(settings: Settings, width: int) -> int:
    """Tell how many elements find work where so many tasks can run at once."""
    return min(settings.slurm.array, -(-width // settings.slurm.cpus))


def _widest(root: luigi.Task) -> int:
    """Count the tasks that are left of the stage that has the most: more can hardly run at once."""
    left = in_order(root, lambda task: not task.complete())
    return max(Counter(task.task_family for task in left).values(), default=0)


def _require_reachable(settings: Settings) -> None:
    bind = settings.cluster.bind
    try:
        is_loopback = ip_address(bind).is_loopback
    except ValueError:  # a name
        is_loopback = bind == "localhost"
    if is_loopback:
        what = "workers on other nodes do not reach luigid there"
        raise SettingsError(f"[cluster] bind = {bind}", what, "Set it to 0.0.0.0; luigid asks for a password")


def _refuse_second(run: Run) -> None:
    live = [job for group in jobs(run).values() for job in group if job.is_live]
    if live:
        names = ", ".join(sorted({job.id for job in live}, key=int))
        what = f"its jobs are still there ({names})"
        raise ClusterError(run.directory.parent, what, "See `tol status`, or stop them with `tol stop` first")


def _plan(settings: Settings, elements: int) -> Iterator[tuple[str, Sequence[str]]]:
    after = "--dependency=after:LUIGID"
    yield "luigid", ()
    yield "foreman", (after,)
    yield "workers", (*_array(settings, elements, settings.slurm.memory), after)


def _array(settings: Settings, elements: int, memory: str | None) -> list[str]:
    given = settings.slurm
    at_once = f"%{given.limit}" if given.limit else ""
    return [
        f"--array=0-{elements - 1}{at_once}",
        f"--ntasks={given.cpus}",
        f"--signal=USR1@{given.warning_seconds}",
        *([f"--mem-per-cpu={memory}"] if memory else []),
    ]


def _options(settings: Settings, part: str) -> list[str]:
    """Give the options that a part has with any submission; what the user adds comes last, and wins."""
    name = f"{part}-%A_%a.log" if part == "workers" else f"{part}-%j.log"
    log = slurm.log_option(Run.of(settings.layout).logs / "slurm", name)
    return settings.slurm.request().options("--export=ALL", log)


def _sbatch(settings: Settings, part: str, *options: str) -> str:
    """Submit one of the scripts, for the settings and the Python of this process."""
    (Run.of(settings.layout).logs / "slurm").mkdir(mode=0o755, exist_ok=True)
    environment = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    if named := os.environ.get("LUIGI_CONFIG_PATH"):
        environment["LUIGI_CONFIG_PATH"] = str(Path(named).absolute())
    if settings.slurm.before:
        environment["TOL_BEFORE"] = settings.slurm.before
    with as_file(files(__package__) / "sbatch" / f"{part}.sbatch") as script:
        return slurm.submit(script, [*options, *_options(settings, part)], environment)


def _shown(settings: Settings, part: str, options: Sequence[str]) -> str:
    return shlex.join(["sbatch", *options, *_options(settings, part), f"{part}.sbatch"])


def _told(run: Run, submitted: Jobs, wanted: int) -> list[str]:
    taken = sum(array.elements for array in submitted.workers)
    arrays = ", ".join(f"{array.id} ({array.elements} elements)" for array in submitted.workers)
    lines = [
        f"luigid   {submitted.luigid}",
        f"foreman  {submitted.foreman}",
        f"workers  {arrays}",
        f"logs     {run.logs / 'slurm'}",
    ]
    if taken < wanted:
        lines.append(f"Slurm takes {taken} of {wanted} elements now; the foreman asks for the others later.")
    return [*lines, "See `tol status` for how far it is, and `tol stop` to stop it."]
