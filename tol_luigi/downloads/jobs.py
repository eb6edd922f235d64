"""A transfer as a piece of work that can be handed to another process or machine: here, or as a Slurm job."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import DiskError, DownloadError, TolError
from tol_luigi.core.files import read_json, write_json
from tol_luigi.downloads.catalogue import Remote
from tol_luigi.downloads.origins import Hosts
from tol_luigi.downloads.transfer import Fetched, Means, fetch_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Done", "Order", "SlurmJob", "run_here", "run_order", "run_slurm"]

_TELL_SECONDS = 2.0


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
        folder: Where order, log and result lie, on a file system that all nodes see.
        time: The limit, as Slurm writes it.
        cores: How many.
        partition: "" for the default.
        account: "" for the default.
        options: What else sbatch is given; it comes last, and wins.
        before: Bash to run first.
    """

    name: str
    folder: Path
    time: str = ""
    cores: str = "1"
    partition: str = ""
    account: str = ""
    options: tuple[str, ...] = ()
    before: str = ""

    def command(self, order: Path) -> list[str]:
        """Give the command line that submits it and waits for its end."""
        run = f"exec {shlex.quote(sys.executable)} -m tol_luigi.downloads {shlex.quote(str(order))}"
        lines = f"set -e\n{self.before}\n{run}"
        options = {
            "job-name": self.name,
            "output": str(self.folder / "%x-%j.log"),
            "chdir": str(self.folder),
            "nodes": "1",
            "ntasks": "1",
            "cpus-per-task": self.cores,
            "time": self.time,
            "partition": self.partition,
            "account": self.account,
        }
        given = [f"--{option}={value}" for option, value in options.items() if value]
        return ["sbatch", "--wait", "--parsable", *given, *self.options, "--wrap", lines]


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
        DownloadError: Not all could be fetched, or Slurm did not run it to its end.
        DiskError: There is no space.
    """
    if shutil.which("sbatch") is None:
        raise DownloadError(
            "sbatch", "is not to be found", "Set [download] where = here, or go to a node with Slurm"
        )
    job.folder.mkdir(parents=True, exist_ok=True)
    paths = {kind: job.folder / f"{job.name}.{kind}.json" for kind in ("order", "progress", "result")}
    for kind in ("progress", "result"):
        paths[kind].unlink(missing_ok=True)
    write_json(paths["order"], order.to_json())
    with _submitted(job, paths["order"]) as (process, number):
        seen = 0
        while process.poll() is None:
            seen = _follow(paths["progress"], seen, came)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TELL_SECONDS)
        _follow(paths["progress"], seen, came)
    return _result(paths["result"], job, number, process.returncode)


@contextlib.contextmanager
def _submitted(job: SlurmJob, order: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(  # noqa: S603 (our own command)
        job.command(order),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    number = ""
    try:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        number = process.stdout.readline().strip().partition(";")[0]  # sbatch tells it at once
        if not number:
            _, said = process.communicate()
            what = f"did not take the job: {' '.join(said.split())}"
            raise DownloadError(  # noqa: TRY301 (before there is a job)
                "sbatch", what, "Mend [slurm], or [download] slurm_time and slurm_cores"
            )
        yield process, number
    except BaseException:  # an interrupt from the keyboard has reached sbatch as well, but not the job
        if number:
            subprocess.run(["scancel", number], check=False, capture_output=True)  # noqa: S603, S607 (as above)
        raise
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _follow(progress: Path, seen: int, came: Callable[[int], None]) -> int:
    """Hand on what a job has told of its progress."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        now = int(read_json(progress)["came"])
        if now != seen:
            came(now - seen)
        return now
    return seen


def _result(path: Path, job: SlurmJob, number: str, code: int) -> Done:
    log = job.folder / f"{job.name}-{number}.log"
    try:
        result = read_json(path)
    except (OSError, ValueError) as error:
        what = f"Slurm job {number} ended with exit code {code} before it was done: killed, or out of time"
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
