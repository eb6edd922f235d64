"""The files in ``<dataset>/run``, which all nodes can read: they connect the parts of a run."""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING

from tol_luigi.core.errors import ClusterError
from tol_luigi.core.files import clear_disk_errors, committed, read_json, remove, write_json

if TYPE_CHECKING:
    from tol_luigi.core.layout import Layout

__all__ = ["USER", "Address", "Run", "node_name", "validate_owner"]

USER = "tol"
"""The user name for luigid's password."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def validate_owner(path: Path) -> None:
    """Check that no other user can write to a file or folder of the run.

    luigid and workers trust these files: they contain the address, the password and the tasks to run.

    Raises:
        ClusterError: Another user owns it, or can write to it.
        OSError: It does not exist, or its status cannot be read.
    """
    status = path.stat()
    if status.st_uid != os.geteuid():
        what = f"another user owns it (uid {status.st_uid})"
        raise ClusterError(path, what, "A run belongs to one user: let that user continue it, or delete it")
    if status.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(status.st_mode)
        raise ClusterError(path, f"other users can write to it (mode {mode:o})", f"Run: chmod -R go-w {path}")


def node_name() -> str:
    """Return the name of this node in Slurm, or the host name outside Slurm."""
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


@dataclass(frozen=True)
class Address:
    """The address of luigid.

    Attributes:
        url: The base URL, without a password.
        host: The host name that other nodes use.
        port: The port.
        started: When luigid started to listen, in seconds since 1970.
    """

    url: str
    host: str
    port: int
    started: float


@dataclass(frozen=True)
class Run:
    """The files of a run. They are not part of the dataset and need not be copied with it.

    Attributes:
        directory: The folder of the files.
    """

    directory: Path

    @classmethod
    def of(cls, layout: Layout) -> Run:
        """Return the run that builds a dataset."""
        return cls(layout.directory / "run")

    @property
    def address(self) -> Path:
        """The address of luigid, replaced at each start."""
        return self.directory / "address.json"

    @property
    def password(self) -> Path:
        """The password of luigid, readable by its owner only."""
        return self.directory / "password"

    @property
    def state(self) -> Path:
        """The state of luigid: tasks and workers."""
        return self.directory / "state.json"

    @property
    def jobs(self) -> Path:
        """The submitted jobs."""
        return self.directory / "jobs.json"

    @property
    def result(self) -> Path:
        """The result of the run: exit code, time, text and failed tasks."""
        return self.directory / "result.json"

    @property
    def logs(self) -> Path:
        """The folder of the logs of tasks."""
        return self.directory / "logs"

    def make_folders(self) -> None:
        """Create the folders of the run, writable by their owner only, whatever the umask.

        Raises:
            ClusterError: A folder exists, and other users can write to it.
            DiskError: A folder cannot be created.
        """
        for folder in (self.directory, self.logs):
            with clear_disk_errors(folder):
                folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            validate_owner(folder)

    def write(self, path: Path, content: object) -> None:
        """Write a file of the run as JSON, writable by its owner only, whatever the umask.

        Raises:
            DiskError: The disk is full or not writable.
        """
        write_json(path, content, mode=0o644)

    def log(self, task_id: str, attempt: int) -> Path:
        """Return the path of the log of one attempt at a task.

        Args:
            task_id: Luigi's task id.
            attempt: The number of the attempt, from 1.
        """
        return self.logs / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', task_id)}.{attempt}.log"

    def write_address(self, address: Address) -> None:
        """Write the address of luigid."""
        self.write(self.address, asdict(address))

    def read_address(self) -> Address | None:
        """Read the address of luigid, None if it has not written one.

        Raises:
            ClusterError: Other users can write to the file.
        """
        try:
            os.listdir(self.directory)  # noqa: PTH208 (makes a network file system refresh its cache)
            validate_owner(self.directory)
            validate_owner(self.address)
            return Address(**read_json(self.address))
        except (OSError, ValueError, TypeError):
            return None

    def set_password(self, own: Path | None, *, wanted: bool) -> str:
        """Set the password of the run and return it; "" if none is wanted.

        Args:
            own: The user's own password file, which is copied. If None, a password is generated at the first
                start.
            wanted: Whether luigid requires a password.

        Raises:
            ClusterError: The user's own file cannot be read, or other users can read it.
        """
        if not wanted:
            remove(self.password)
            return ""
        if own:
            self._write_password(_read_secret(own))
        elif not self.password.exists():
            self._write_password(secrets.token_urlsafe(24))
        return self.read_password()

    def _write_password(self, text: str) -> None:
        with committed(self.password) as scratch:
            scratch.touch(mode=0o600)
            scratch.write_text(f"{text}\n", encoding="utf-8")

    def read_password(self) -> str:
        """Return the password that luigid requires, "" if it requires none.

        Raises:
            ClusterError: It cannot be read, or other users can read it.
        """
        return _read_secret(self.password) if self.password.exists() else ""


def _read_secret(path: Path) -> str:
    """Read the only line of a file that no other user can read or write."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except OSError as error:
        what = f"the password cannot be read ({error.strerror})"
        raise ClusterError(path, what, "Ask as the user who started luigid") from error
    if mode & 0o077:
        raise ClusterError(path, "other users can read or change the password", f"Run: chmod 600 {path}")
    if not text or "\n" in text:
        lines = len(text.splitlines())
        raise ClusterError(path, f"the password is not one line (found {lines})", "Write one line into it")
    return text
