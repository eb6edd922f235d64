"""The identity of this machine, and of processes on it."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "boot_id"]


@functools.cache
def boot_id() -> str:
    """Return the boot id of this machine; "" if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Process:
    """What distinguishes a process from all others, also from later ones with the same id.

    Attributes:
        scope: A digest of boot id and PID namespace, within which process ids are unique; "" if unknown. Host names
            are no substitute: a container may have the name of its host, and machines of a cluster may share one.
        pid: The process id.
        start: The start time in clock ticks; "" if the process has ended or is not visible.
    """

    scope: str
    pid: int
    start: str

    @classmethod
    def own(cls) -> Process:
        """Return the process that calls this."""
        pid = os.getpid()
        return cls(_pid_scope(), pid, _start_time(pid))

    @property
    def is_local(self) -> bool:
        """Return whether it belongs to this machine and PID namespace, so that :attr:`is_running` knows."""
        return self.scope == _pid_scope()

    @property
    def is_running(self) -> bool:
        """Return whether a local process is running."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # a process of another user may be hidden
            return _start_time(self.pid) in {self.start, ""}
        return _start_time(self.pid) == self.start


@functools.cache
def _pid_scope() -> str:
    boot = boot_id()
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    if not boot:
        return ""
    return hashlib.sha256(f"{boot}\n{namespace}".encode()).hexdigest()[:8]


def _start_time(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()  # skip the program's name, which may contain anything
    return "" if fields[0] in {"Z", "X"} else fields[19]
