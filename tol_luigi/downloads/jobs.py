"""Run a transfer in this process or as a Slurm job."""

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
from tol_luigi.downloads.origins import HttpConfig
from tol_luigi.downloads.transfer import FetchConfig, FetchedFile, fetch_all

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Order", "OrderResult", "SlurmJob", "run_here", "run_order", "run_slurm"]

_LOG = logging.getLogger("luigi-interface")

_PROGRESS_SECONDS = 2.0
_QUEUE_SECONDS = 10.0
"""The interval at which Slurm is asked whether a job has ended."""


@dataclass(frozen=True)
class Order:
    """The files to fetch and the configuration. It is written to disk, so it contains no secret.

    Attributes:
        remotes: The files.
        lock: The path of ``sources.lock``.
        config: Fields of :class:`FetchConfig`: files, connections, retries, pause.
        http: Fields of :class:`HttpConfig`: connections, stall_seconds, token_host.
        token_variable: The environment variable with the access token.
    """

    remotes: list[Remote]
    lock: Path
    config: dict[str, Any]
    http: dict[str, Any]
    token_variable: str

    def to_config(self) -> FetchConfig:
        """Return the configuration, with the token from the environment of this process."""
        token = os.environ.get(self.token_variable, "").strip()
        http = HttpConfig(token=token, **self.http)
        return dataclasses.replace(FetchConfig(http), **self.config)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object for :meth:`from_json`."""
        return {
            "remotes": [one.to_json() for one in self.remotes],
            "lock": str(self.lock),
            "means": self.config,
            "hosts": self.http,
            "token_variable": self.token_variable,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Order:
        """Parse the result of :meth:`to_json`."""
        remotes = [Remote.from_json(one) for one in values["remotes"]]
        return cls(remotes, Path(values["lock"]), values["means"], values["hosts"], values["token_variable"])


@dataclass(frozen=True)
class OrderResult:
    """The result of an order: the fetched files, the host, the Slurm job, and the seconds it took."""

    fetched: list[FetchedFile]
    host: str
    job: str
    seconds: float


@dataclass(frozen=True)
class SlurmJob:
    """A Slurm job.

    Attributes:
        name: The job name.
        folder: The folder of order, script, log and result, on a file system that all nodes share.
        request: The sbatch options from the settings.
        cores: The number of cores.
        before: Bash commands to run first.
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
        """Return the options for sbatch."""
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
        """Write the script that runs the order; return its path."""
        run = shlex.join([sys.executable, "-m", "tol_luigi.downloads", str(self.file("order"))])
        path = self.folder / f"{self.name}.sbatch"
        with committed(path) as scratch:
            scratch.write_text(f"#!/usr/bin/env bash\nset -e\n{self.before}\nexec {run}\n", encoding="utf-8")
        return path


def run_here(order: Order, on_bytes: Callable[[int], None]) -> OrderResult:
    """Run an order in this process.

    Raises:
        DownloadError: A file could not be fetched.
        DiskError: The disk is full.
    """
    start = time.monotonic()
    fetched = fetch_all(order.remotes, order.lock, order.to_config(), on_bytes)
    return OrderResult(
        fetched, socket.gethostname(), os.environ.get("SLURM_JOB_ID", ""), time.monotonic() - start
    )


def run_slurm(order: Order, job: SlurmJob, on_bytes: Callable[[int], None]) -> OrderResult:
    """Run an order as a Slurm job and wait for its end. The job is cancelled if this process is interrupted.

    Raises:
        ClusterError: Slurm rejects the job.
        DownloadError: A file could not be fetched, or the job ended early.
        DiskError: The disk is full.
    """
    if shutil.which("sbatch") is None:
        raise DownloadError(
            "sbatch", "is not installed here", "Set [download] where = here, or use a node with Slurm"
        )
    job.folder.mkdir(parents=True, exist_ok=True)
    for kind in ("progress", "result"):
        job.file(kind).unlink(missing_ok=True)
    write_json(job.file("order"), order.to_json())
    job_id = slurm.submit(job.write_script(), job.options())
    try:
        end = _wait(job_id, job.file("progress"), on_bytes)
    except BaseException:  # a keyboard interrupt does not reach the job
        slurm.cancel([job_id])
        raise
    return _result(job, job_id, end)


def _wait(job_id: str, progress: Path, on_bytes: Callable[[int], None]) -> str:
    """Forward a job's progress until it ends; return its final state as reported by Slurm."""
    seen, asked = 0, time.monotonic()
    while True:
        time.sleep(_PROGRESS_SECONDS)
        seen = _forward_progress(progress, seen, on_bytes)
        if time.monotonic() - asked < _QUEUE_SECONDS:
            continue
        asked = time.monotonic()
        try:
            known = slurm.queue([job_id])
        except ClusterError as error:
            _LOG.warning("%s The job keeps running. Its state will be requested again.", error)
            continue
        if not any(job.is_live for job in known):
            _forward_progress(progress, seen, on_bytes)
            return known[0].state if known else "UNKNOWN: Slurm no longer lists it"


def _forward_progress(progress: Path, seen: int, on_bytes: Callable[[int], None]) -> int:
    """Forward the bytes that a job has reported since the last call; return their total."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        now = int(read_json(progress)["came"])
        if now != seen:
            on_bytes(now - seen)
        return now
    return seen


def _result(job: SlurmJob, job_id: str, end: str) -> OrderResult:
    try:
        result = read_json(job.file("result"))
    except (OSError, ValueError) as error:
        what = f"Slurm job {job_id} ended early (state {end})"
        log = job.folder / f"{job.name}-{job_id}.log"
        remedy = (
            f"See {log}, increase [download] slurm_time if needed, and run the same command again to resume"
        )
        raise DownloadError(job.name, what, remedy) from error
    if "error" in result:
        kind = DiskError if result["kind"] == DiskError.__name__ else DownloadError
        raise kind(*result["error"])
    return OrderResult(
        [FetchedFile(**one) for one in result["fetched"]], result["host"], job_id, result["seconds"]
    )


def run_order(path: Path) -> int:
    """Run the order in a file; write progress and result next to it.

    Returns:
        The exit code.
    """
    order = Order.from_json(read_json(path))
    stem = path.name.removesuffix(".order.json")
    total, ended = 0, threading.Event()

    def on_bytes(count: int) -> None:
        nonlocal total
        total += count

    def report() -> None:
        while not ended.wait(_PROGRESS_SECONDS):
            write_json(path.with_name(f"{stem}.progress.json"), {"came": total})

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        done = run_here(order, on_bytes)
        result = {**vars(done), "fetched": [vars(one) for one in done.fetched]}
    except TolError as error:
        sys.stderr.write(f"tol_luigi: {error}\n")
        result = {"error": [str(arg) for arg in error.args], "kind": type(error).__name__}
    ended.set()
    reporter.join()
    write_json(path.with_name(f"{stem}.progress.json"), {"came": total})
    write_json(path.with_name(f"{stem}.result.json"), json.loads(json.dumps(result)))
    return 1 if "error" in result else 0
