"""Tasks that fail as they are told, for ``luigi --module failing_tasks``."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.errors import TableError
from tol_luigi.core.files import read_json
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.error_lines import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = Path("/nowhere/table.csv")
EXPECTED = TableError(PLACE, "is empty", "Fetch it again")


def fail(error: BaseException) -> None:
    raise error


def read_with_too_many_files() -> None:
    try:
        fail(OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(PLACE)))
    except OSError as error:
        raise TableError(PLACE, "cannot be read", "See that the settings name it") from error


def use_up_memory() -> None:
    # Enough is left to start a thread: where its start finds no memory, Python waits for it without end.
    used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), resource.RLIM_INFINITY))
    bytearray(2 << 30)


FAULTS: dict[str, Callable[[], Any]] = {
    "expected": lambda: fail(EXPECTED),
    "refused": lambda: refuse(EXPECTED),
    "memory": use_up_memory,
    "files": read_with_too_many_files,
    "threads": lambda: fail(RuntimeError("can't start new thread")),
    "bug": lambda: read_json(str(PLACE)),  # type: ignore[arg-type]
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


class Failing(DatasetTask):
    """A task that fails at one of its methods."""

    at: str = luigi.Parameter()
    fault: str = luigi.Parameter()

    def requires(self) -> list[luigi.Task]:
        self._meet("requires")
        return []

    def output(self) -> luigi.LocalTarget:
        self._meet("output")
        return luigi.LocalTarget("never")

    def complete(self) -> bool:
        self._meet("complete")
        return bool(super().complete())

    def run(self) -> None:
        self._meet("run")

    def _meet(self, place: str) -> None:
        if place == self.at:
            FAULTS[self.fault]()
