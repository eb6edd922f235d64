"""Where the parts of one run find each other: the files of ``<dataset>/run``, which all nodes see."""

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

__all__ = ["USER", "Address", "Run", "node_name", "require_own"]

USER = "tol"
"""Who logs in, where luigid has a password."""


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def require_own(path: Path) -> None:
    """Check that nobody else can have written a file of the run, or put one into a folder of it.

    Luigid and workers run what they are told there: where to ask, with which password, and which tasks there are.

    Raises:
        ClusterError: Another user owns it, or may write to it.
        OSError: It does not exist, or cannot be looked at.
    """
    status = path.stat()
    if status.st_uid != os.geteuid():
        what = f"another user owns it (uid {status.st_uid})"
        raise ClusterError(path, what, "A run is for one user: let that one go on with it, or remove it")
    if status.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(status.st_mode)
        raise ClusterError(path, f"other users may write to it (mode {mode:o})", f"chmod -R go-w {path}")


def node_name() -> str:
    """Name this node as the batch system does; without one, as the machine does."""
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


@dataclass(frozen=True)
class Address:
    """Where luigid listens.

    Attributes:
        url: What to ask, without a password.
        host: The node, as others call it.
        port: The port.
        started: When luigid has begun to listen there, in seconds since 1970.
    """

    url: str
    host: str
    port: int
    started: float


@dataclass(frozen=True)
class Run:
    """The files of a run. They belong to no dataset: whoever copies one may leave them out.

    Attributes:
        directory: Their folder.
    """

    directory: Path

    @classmethod
    def of(cls, layout: Layout) -> Run:
        """Give the run that builds a dataset."""
        return cls(layout.directory / "run")

    @property
    def address(self) -> Path:
        """Where luigid listens, replaced whenever it starts."""
        return self.directory / "address.json"

    @property
    def password(self) -> Path:
        """The password that luigid makes itself, which its owner alone may read."""
        return self.directory / "password"

    @property
    def state(self) -> Path:
        """What luigid knows of the tasks."""
        return self.directory / "state.json"

    @property
    def jobs(self) -> Path:
        """The jobs that were submitted."""
        return self.directory / "jobs.json"

    @property
    def result(self) -> Path:
        """How the run has ended: exit code, when, in words, and what has failed."""
        return self.directory / "result.json"

    @property
    def logs(self) -> Path:
        """The folder of what the tasks have said."""
        return self.directory / "logs"

    def make_folders(self) -> None:
        """Make the folders of the run, to which nobody else may write, whatever the umask.

        Raises:
            ClusterError: One exists, and others may write to it.
            DiskError: One cannot be made.
        """
        for folder in (self.directory, self.logs):
            with clear_disk_errors(folder):
                folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            require_own(folder)

    def write(self, path: Path, content: object) -> None:
        """Write a file of the run as JSON, to which nobody else may write, whatever the umask.

        Raises:
            DiskError: The disk is full, or may not be written to.
        """
        write_json(path, content, mode=0o644)

    def log(self, task_id: str, attempt: int) -> Path:
        """Give the path of what one attempt at a task has said.

        Args:
            task_id: As Luigi makes it.
            attempt: From 1.
        """
        return self.logs / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', task_id)}.{attempt}.log"

    def write_address(self, address: Address) -> None:
        """Tell where luigid listens."""
        self.write(self.address, asdict(address))

    def read_address(self) -> Address | None:
        """Give where luigid listens, None where it has not said so.

        Raises:
            ClusterError: Others may have written it.
        """
        try:
            os.listdir(self.directory)  # noqa: PTH208 (a network file system then looks again)
            require_own(self.directory)
            require_own(self.address)
            return Address(**read_json(self.address))
        except (OSError, ValueError, TypeError):
            return None

    def set_password(self, own: Path | None, *, wanted: bool) -> str:
        """Settle the password of the run, and give it; "" where none is wanted.

        Args:
            own: The user's own file, which is copied here; without it a password is made at the first start.
            wanted: Whether luigid is to ask for one.

        Raises:
            ClusterError: The user's own file cannot be read, or others can read it.
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
        """Give the password that luigid asks for, "" where there is none.

        Raises:
            ClusterError: It cannot be read, or others can read it.
        """
        return _read_secret(self.password) if self.password.exists() else ""


def _read_secret(path: Path) -> str:
    """Read the line of a file that nobody else may read or write."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except OSError as error:
        what = f"the password cannot be read ({error.strerror})"
        raise ClusterError(path, what, "Only who has started luigid may read it") from error
    if mode & 0o077:
        raise ClusterError(path, "others may read or change the password", f"chmod 600 {path}")
    if not text or "\n" in text:
        raise ClusterError(path, "a password is one line", "Write one into it")
    return text
