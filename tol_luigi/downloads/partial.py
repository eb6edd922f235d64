"""A file in the making: its bytes under a hidden name, and a journal of those that have come."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from tol_luigi.core.files import flush_to_disk
from tol_luigi.core.machine import boot_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Partial", "partial_bytes", "pieces_of"]

_SYNC_BYTES = 1 << 28
"""So much is lost at the most where a machine, and not only the process, breaks down."""

_SYNCED, _BOOT = "synced", "boot"


class Partial:
    """The bytes of a file that have come so far, in any order.

    Of every piece written a line in the journal tells, after the piece. A killed process loses nothing by
    that: what it wrote is the system's. A machine that breaks down may have written the line and not the
    piece, so a journal that another start of a machine has left counts up to the last line that says that
    all before it was flushed.

    Args:
        final: The name of the file once it is whole. The two hidden files lie beside it.
    """

    def __init__(self, final: Path) -> None:
        self.path, self._journal_path = _names(final)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._journal = -1
        self._lock = threading.Lock()
        self._unsynced = 0
        self.done: list[tuple[int, int]] = []

    @property
    def descriptor(self) -> int:
        """The open file."""
        return self._file

    def take(self) -> bool:
        """Try to be the only one that writes; False where another process is at it, or has finished it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: two that write the same bytes do no harm
            return True
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        return False

    def resume(self, identity: dict[str, Any]) -> bool:
        """Go on with what is there, if it is of the same content; tell whether it is."""
        before = _read_journal(self._journal_path)
        if before is None or before[0] != identity:
            return False
        length = os.fstat(self._file).st_size
        self._begin(identity, _merged((a, min(b, length)) for a, b in before[1] if a < length))
        return True

    def restart(self, identity: dict[str, Any]) -> None:
        """Throw away what is there."""
        os.ftruncate(self._file, 0)
        self._begin(identity, [])

    def _begin(self, identity: dict[str, Any], done: list[tuple[int, int]]) -> None:
        if self._journal >= 0:
            os.close(self._journal)
        self.done, self._unsynced = done, 0
        os.fdatasync(self._file)
        scratch = self._journal_path.with_name(f"{self._journal_path.name}.new")
        lines = [json.dumps(identity), *(f"{a} {b}" for a, b in done), f"{_BOOT} {boot_id()}", _SYNCED]
        scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(scratch, self._journal_path)
        self._journal = os.open(self._journal_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, start: int, content: bytes) -> None:
        """Write a piece."""
        view = memoryview(content)
        written = 0
        while written < len(view):
            written += os.pwrite(self._file, view[written:], start + written)
        with (
            self._lock
        ):  # no line may come between the flush and the mark, which speaks of all lines before it
            os.write(self._journal, f"{start} {start + written}\n".encode())
            self._unsynced += written
            if self._unsynced >= _SYNC_BYTES:
                self._unsynced = 0
                os.fdatasync(self._file)
                os.write(self._journal, f"{_SYNCED}\n".encode())

    def missing(self, size: int) -> list[tuple[int, int]]:
        """List the gaps between what was there at the start, as (start, stop)."""
        edges = [0, *(edge for piece in self.done for edge in piece), size]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def length(self) -> int:
        """Give the length of what lies there."""
        return os.fstat(self._file).st_size

    def commit(self, final: Path) -> None:
        """Flush, and give the file its name."""
        flush_to_disk(self.path)
        os.replace(self.path, final)
        flush_to_disk(final.parent)
        self._journal_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        for descriptor in (self._file, self._journal):
            if descriptor >= 0:
                os.close(descriptor)


def partial_bytes(final: Path) -> int:
    """Tell how much of a file lies there unfinished, in bytes."""
    path, _ = _names(final)
    try:
        return path.stat().st_blocks * 512  # it may have holes
    except OSError:
        return 0


def _names(final: Path) -> tuple[Path, Path]:
    return final.with_name(f".{final.name}.part"), final.with_name(f".{final.name}.part.journal")


def _read_journal(path: Path) -> tuple[Any, list[tuple[int, int]]] | None:
    """Give the identity and the pieces that surely are there, or None."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a line that breaks off has no end
        identity = json.loads(lines[0])
        sure: list[tuple[int, int]] = []
        since: list[tuple[int, int]] = []
        boot = ""
        for line in lines[1:]:
            if line == _SYNCED:
                sure, since = sure + since, []
            elif line.startswith(_BOOT):
                boot = line.partition(" ")[2]
            else:
                start, stop = line.split()
                since.append((int(start), int(stop)))
    except (OSError, ValueError, IndexError):
        return None
    return identity, sure + since if boot and boot == boot_id() else sure


def _merged(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(pieces):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def pieces_of(gaps: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
    """Cut gaps into pieces of at most so many bytes, in order."""
    for start, stop in gaps:
        for at in range(start, stop, most):
            yield at, min(stop, at + most)
