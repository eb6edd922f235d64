"""Submission of a build to Slurm: luigid, the foreman, and arrays of workers."""

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
from tol_luigi.report.text import counted
from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.table_checks import validate_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    import luigi

    from tol_luigi.tasks.settings import Settings

__all__ = ["Array", "Jobs", "add_workers", "cancel", "elements_for", "jobs", "submit"]


@dataclass(frozen=True)
class Array:
    """An array of workers.

    Attributes:
        id: The job id.
        elements: The number of elements.
        memory: The memory per worker, None for the cluster's default.
    """

    id: str
    elements: int
    memory: str | None


@dataclass(frozen=True)
class Jobs:
    """The job ids of a run; "" for a job that is not submitted yet."""

    luigid: str = ""
    foreman: str = ""
    workers: tuple[Array, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The ids of all submitted jobs."""
        return [id_ for id_ in (self.foreman, *(array.id for array in self.workers), self.luigid) if id_]

    @classmethod
    def read(cls, run: Run) -> Jobs:
        """Read the submitted jobs of a run."""
        try:
            saved = read_json(run.jobs)
        except FileNotFoundError:
            return cls()
        return cls(saved["luigid"], saved["foreman"], tuple(Array(**each) for each in saved["workers"]))

    def write(self, run: Run) -> None:
        """Write the submitted jobs of a run."""
        run.write(run.jobs, asdict(self))


def jobs(run: Run) -> dict[str, list[slurm.Job]]:
    """Return the jobs of a run that Slurm knows, by part: luigid, foreman, workers."""
    submitted = Jobs.read(run)
    found: dict[str, list[slurm.Job]] = {"luigid": [], "foreman": [], "workers": []}
    for job in slurm.queue(submitted.ids):
        part = {submitted.luigid: "luigid", submitted.foreman: "foreman"}.get(job.id, "workers")
        found[part].append(job)
    return found


def cancel(run: Run, *, waiting_only: bool = False) -> list[str]:
    """Cancel the jobs of a run; return their names.

    Args:
        run: The run.
        waiting_only: Cancel pending jobs only: running jobs end when luigid asks them to stop.
    """
    live = [job for group in jobs(run).values() for job in group if job.is_live]
    names = [job.name for job in live if job.is_waiting or not waiting_only]
    slurm.cancel(names)
    return names


def submit(settings: Settings, *, dry_run: bool = False) -> list[str]:
    """Submit the remaining tasks of a build.

    Args:
        settings: The settings of the build.
        dry_run: Submit nothing.

    Returns:
        Lines that describe what was submitted, or the lines of a shell script that submits it.

    Raises:
        SettingsError: Workers on other nodes could not reach luigid.
        TableError: A table cannot be used.
        ClusterError: The build is already running, or Slurm refuses it.
    """
    run = Run.of(settings.layout)
    if not dry_run:
        _validate_bind(settings)
    tasks = _max_tasks_left(BuildCatalog())
    if not tasks:
        return [f"{settings.directory} is complete: there is nothing to do."]
    validate_tables(settings)
    elements = elements_for(settings, tasks)
    if dry_run:
        return list(_script(settings, run, elements))
    _validate_not_running(run)
    run.make_folders()
    # the state of a killed luigid: files show what is complete, and the rest gets all its retries again
    remove(run.state)
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
    return _summary(run, Jobs.read(run), elements)


def add_workers(settings: Settings, run: Run, elements: int, memory: str | None, *options: str) -> int:
    """Submit elements in as few arrays as Slurm accepts, and record the job ids.

    If Slurm refuses a number of elements, half of it is submitted, and so on: without an accounting database,
    Slurm does not report the limits of a user.

    Returns:
        The number of elements that Slurm accepted.

    Raises:
        RefusedError: Slurm accepts no element.
    """
    submitted, limits = Jobs.read(run), slurm.limits()
    largest = min(limits.array, max(1, limits.jobs - slurm.count()))
    left = elements
    while left:
        size = min(left, largest)
        try:
            job_id = _sbatch(settings, "workers", *_array(settings, size, memory), *options)
        except slurm.RefusedError:
            largest = size // 2
            if largest:
                continue
            if left == elements:
                raise
            break
        left -= size
        submitted = replace(submitted, workers=(*submitted.workers, Array(job_id, size, memory)))
        submitted.write(run)
    return elements - left


def elements_for(settings: Settings, tasks: int) -> int:
    """Return the number of elements needed to run this many tasks at once, up to ``[slurm] array``."""
    return min(settings.slurm.array, -(-tasks // settings.slurm.cpus))


def _max_tasks_left(root: luigi.Task) -> int:
    """Return the largest number of incomplete tasks in one stage: hardly more can run at once."""
    left = in_order(root, lambda task: not task.complete())
    return max(Counter(task.task_family for task in left).values(), default=0)


def _validate_bind(settings: Settings) -> None:
    bind = settings.cluster.bind
    try:
        is_loopback = ip_address(bind).is_loopback
    except ValueError:  # a host name
        is_loopback = bind == "localhost"
    if is_loopback:
        what = "workers on other nodes cannot reach luigid at this address"
        raise SettingsError(f"[cluster] bind = {bind}", what, "Set it to 0.0.0.0; luigid requires a password")


def _validate_not_running(run: Run) -> None:
    live = [job for group in jobs(run).values() for job in group if job.is_live]
    if live:
        names = ", ".join(sorted({job.id for job in live}, key=int))
        what = f"its jobs are still in Slurm's queue ({names})"
        raise ClusterError(run.directory.parent, what, "See `tol status`, or stop them with `tol stop` first")


def _script(settings: Settings, run: Run, elements: int) -> Iterator[str]:
    """Yield the lines of a shell script that submits the build."""
    try:
        _validate_bind(settings)
    except SettingsError as error:
        yield f"# First correct the settings. {error}"
    yield f"(umask 022 && {shlex.join(['mkdir', '-p', str(run.logs / 'slurm')])})"
    yield shlex.join(["rm", "-f", str(run.state)])
    yield f'export PATH={shlex.quote(_programs())}:"$PATH"'
    for name, value in _environment(settings).items():
        yield f"export {name}={shlex.quote(value)}"
    after = '"--dependency=after:${luigid%%;*}"'  # the name of the cluster follows if there are several
    yield f"luigid=$({_command_line(settings, 'luigid')})"
    yield _command_line(settings, "foreman", after)
    yield _command_line(
        settings, "workers", shlex.join(_array(settings, elements, settings.slurm.memory)), after
    )


def _array(settings: Settings, elements: int, memory: str | None) -> list[str]:
    section = settings.slurm
    running_limit = f"%{section.limit}" if section.limit else ""
    return [
        f"--array=0-{elements - 1}{running_limit}",
        f"--ntasks={section.cpus}",
        f"--signal=USR1@{section.warning_seconds}",
        *([f"--mem-per-cpu={memory}"] if memory else []),
    ]


def _options(settings: Settings, part: str) -> list[str]:
    """Return the options of every submission of a part; the user's options come last and take precedence."""
    name = f"{part}-%A_%a.log" if part == "workers" else f"{part}-%j.log"
    log = slurm.log_option(Run.of(settings.layout).logs / "slurm", name)
    return settings.slurm.request().options("--export=ALL", log)


def _programs() -> str:
    """Return the folder of the programs of this environment."""
    return str(Path(sys.executable).parent)


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables of a submission, apart from the search path."""
    config = os.environ.get("LUIGI_CONFIG_PATH")
    return {
        **({"LUIGI_CONFIG_PATH": str(Path(config).absolute())} if config else {}),
        **({"TOL_BEFORE": settings.slurm.before} if settings.slurm.before else {}),
    }


def _sbatch(settings: Settings, part: str, *options: str) -> str:
    """Submit a script with the settings file and the Python of this process; return the job id."""
    path = os.pathsep.join([_programs(), os.environ.get("PATH", "")])
    (Run.of(settings.layout).logs / "slurm").mkdir(mode=0o755, exist_ok=True)
    with as_file(_sbatch_script(part)) as script:
        return slurm.submit(
            script, [*options, *_options(settings, part)], {"PATH": path, **_environment(settings)}
        )


def _sbatch_script(part: str) -> Traversable:
    return files(__package__) / "sbatch" / f"{part}.sbatch"


def _command_line(settings: Settings, part: str, *options: str) -> str:
    """Return the command that submits a script; the options are quoted already."""
    with as_file(_sbatch_script(part)) as script:
        rest = shlex.join([*_options(settings, part), str(script)])
    return " ".join(["sbatch --parsable", *options, rest])


def _summary(run: Run, submitted: Jobs, wanted: int) -> list[str]:
    accepted = sum(array.elements for array in submitted.workers)
    arrays = ", ".join(f"{array.id} ({counted(array.elements, 'element')})" for array in submitted.workers)
    lines = [
        f"luigid   {submitted.luigid}",
        f"foreman  {submitted.foreman}",
        f"workers  {arrays}",
        f"logs     {run.logs / 'slurm'}",
    ]
    if accepted < wanted:
        lines.append(
            f"Slurm accepted {accepted} of {counted(wanted, 'element')}; the foreman submits the others later."
        )
    return [*lines, "Use `tol status` to see the progress, and `tol stop` to stop the build."]
