"""A transfer as a piece of work that can be handed to another process or machine: here, or as a Slurm job."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shlex
import shutil
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi import slurm
from tol_luigi.core.errors import ClusterError, DiskError, DownloadError, TolError
from tol_luigi.core.files import committed, read_json, write_json
from tol_luigi.downloads.catalogue import Remote
from tol_luigi.downloads.origins import Hosts
from tol_luigi.downloads.transfer import Fetched, Means, fetch_all

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Done", "Order", "SlurmJob", "run_here", "run_order", "run_slurm"]

_LOG = logging.getLogger("luigi-interface")

_TELL_SECONDS = 2.0
_ASK_SECONDS = 10.0
"""How often Slurm is asked whether a job has ended."""


@dataclass(frozen=True)
class Order:
    """What is to be fetched, and how; it holds no secret, since it is written down.

    Attributes:
        remotes: The files.
        lock: ``sources.lock``.
        means: Numbers for :class:`Means`: files, connections, retries, pause.
        hosts: The same for :class:`Hosts`: connections, stall_seconds; and token_host.
        token_variable: The environment variable that holds the access token.
    """

    remotes: list[Remote]
    lock: Path
    means: dict[str, Any]
    hosts: dict[str, Any]
    token_variable: str

    def to_means(self) -> Means:
        """Make it real, with the token of this process's environment."""
        token = os.environ.get(self.token_variable, "").strip()
        hosts = Hosts(token=token, **self.hosts)
        return dataclasses.replace(Means(hosts), **self.means)

    def to_json(self) -> dict[str, Any]:
        """Give what :meth:`from_json` takes."""
        return {**vars(self), "remotes": [one.to_json() for one in self.remotes], "lock": str(self.lock)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Order:
        """Take what :meth:`to_json` gives."""
        remotes = [Remote.from_json(one) for one in values["remotes"]]
        return cls(**{**values, "remotes": remotes, "lock": Path(values["lock"])})


@dataclass(frozen=True)
class Done:
    """What came of an order: the files, and where it was carried out."""

    fetched: list[Fetched]
    host: str
    job: str
    seconds: float


@dataclass(frozen=True)
class SlurmJob:
    """How Slurm is asked for a job.

    Attributes:
        name: The job's.
        folder: Where order, script, log and result are, on a file system that all nodes see.
        request: What the settings ask of Slurm.
        cores: How many.
        before: Bash to run first.
    """

    name: str
    folder: Path
    request: slurm.Request
    cores: str = "1"
    before: str = ""

    def file(self, kind: str) -> Path:
        """Return the path of the job's ``order``, ``progress`` or ``result``."""
        return self.folder / f"{self.name}.{kind}.json"

    def options(self) -> list[str]:
        """Return the options of sbatch."""
        own = {
            "job-name": self.name,
            "chdir": self.folder,
            "nodes": 1,
            "ntasks": 1,
            "cpus-per-task": self.cores,
        }
        log = slurm.log_option(self.folder, "%x-%j.log")
        return self.request.options(*(f"--{name}={value}" for name, value in own.items()), log)

    def write_script(self) -> Path:
        """Write the script that carries the order out; return its path."""
        run = shlex.join([sys.executable, "-m", "tol_luigi.downloads", str(self.file("order"))])
        path = self.folder / f"{self.name}.sbatch"
        with committed(path) as scratch:
            scratch.write_text(f"#!/usr/bin/env bash\nset -e\n{self.before}\nexec {run}\n", encoding="utf-8")
        return path


def run_here(order: Order, came: Callable[[int], None]) -> Done:
    """Carry an order out in this process.

    Raises:
        DownloadError: Not all could be fetched.
        DiskError: There is no space.
    """
    start = time.monotonic()
    fetched = fetch_all(order.remotes, order.lock, order.to_means(), came)
    return Done(fetched, socket.gethostname(), os.environ.get("SLURM_JOB_ID", ""), time.monotonic() - start)


def run_slurm(order: Order, job: SlurmJob, came: Callable[[int], None]) -> Done:
    """Carry an order out as a Slurm job, and wait for it; it is cancelled if this process is stopped.

    Raises:
        ClusterError: Slurm does not take the job.
        DownloadError: Not all could be fetched, or Slurm did not run it to its end.
        DiskError: There is no space.
    """
    if shutil.which("sbatch") is None:
        raise DownloadError(
            "sbatch", "is not to be found", "Set [download] where = here, or go to a node with Slurm"
        )
    job.folder.mkdir(parents=True, exist_ok=True)
    for kind in ("progress", "result"):
        job.file(kind).unlink(missing_ok=True)
    write_json(job.file("order"), order.to_json())
    number = slurm.submit(job.write_script(), job.options())
    try:
        end = _wait(number, job.file("progress"), came)
    except BaseException:  # an interrupt from the keyboard does not reach the job
        slurm.cancel([number])
        raise
    return _result(job, number, end)


def _wait(number: str, progress: Path, came: Callable[[int], None]) -> str:
    """Hand on a job's progress until it ends; return the state in which Slurm says that it ended."""
    seen, asked = 0, time.monotonic()
    while True:
        time.sleep(_TELL_SECONDS)
        seen = _follow(progress, seen, came)
        if time.monotonic() - asked < _ASK_SECONDS:
            continue
        asked = time.monotonic()
        try:
            known = slurm.queue([number])
        except ClusterError as error:
            _LOG.warning("%s The job goes on, and is asked for again.", error)
            continue
        if not any(job.is_live for job in known):
            _follow(progress, seen, came)
            return known[0].state if known else "a job that Slurm has forgotten"


def _follow(progress: Path, seen: int, came: Callable[[int], None]) -> int:
    """Hand on what a job has told of its progress."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        now = int(read_json(progress)["came"])
        if now != seen:
            came(now - seen)
        return now
    return seen


def _result(job: SlurmJob, number: str, end: str) -> Done:
    try:
        result = read_json(job.file("result"))
    except (OSError, ValueError) as error:
        what = f"Slurm job {number} ended before it was done, as {end}"
        log = job.folder / f"{job.name}-{number}.log"
        remedy = f"See {log}, perhaps raise [download] slurm_time, and run the same command again: it goes on"
        raise DownloadError(job.name, what, remedy) from error
    if "error" in result:
        kind = DiskError if result["kind"] == DiskError.__name__ else DownloadError
        raise kind(*result["error"])
    return Done([Fetched(**one) for one in result["fetched"]], result["host"], number, result["seconds"])


def run_order(path: Path) -> int:
    """Carry out an order that was written down; result and progress go beside it.

    Returns:
        The exit code.
    """
    order = Order.from_json(read_json(path))
    stem = path.name.removesuffix(".order.json")
    total, ended = 0, threading.Event()

    def came(count: int) -> None:
        nonlocal total
        total += count

    def tell() -> None:
        while not ended.wait(_TELL_SECONDS):
            write_json(path.with_name(f"{stem}.progress.json"), {"came": total})

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        done = run_here(order, came)
        result = {**vars(done), "fetched": [vars(one) for one in done.fetched]}
    except TolError as error:
        sys.stderr.write(f"tol_luigi: {error}\n")
        result = {"error": [str(arg) for arg in error.args], "kind": type(error).__name__}
    ended.set()
    teller.join()
    write_json(path.with_name(f"{stem}.progress.json"), {"came": total})
    write_json(path.with_name(f"{stem}.result.json"), json.loads(json.dumps(result)))
    return 1 if "error" in result else 0
