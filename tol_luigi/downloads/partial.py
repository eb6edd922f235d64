"""Store a partial download: a hidden file, and a journal of the byte ranges in it."""

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

__all__ = ["PartialFile", "partial_size", "split_ranges"]

_SYNC_BYTES = 1 << 28
"""At most this many bytes are lost if the machine crashes, not just the process."""

_SYNCED, _BOOT = "synced", "boot"


class PartialFile:
    """The received byte ranges of a file, in any order.

    After each range is written, a line is added to the journal. A killed process loses nothing, because its
    writes are in the page cache. A machine that crashes may have stored the line but not the bytes. So if the
    journal was written before the last boot, it counts only up to its last flush mark.

    Args:
        final: The path of the complete file. The two hidden files are in the same folder.
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
        """The descriptor of the open file."""
        return self._file

    def try_lock(self) -> bool:
        """Lock the file; return False if another process is writing it or has finished it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks on this file system; two writers of identical bytes do no harm
            return True
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        return False

    def resume(self, identity: dict[str, Any]) -> bool:
        """Resume if the stored bytes belong to the same content; return whether they do."""
        before = _read_journal(self._journal_path)
        if before is None or before[0] != identity:
            return False
        length = os.fstat(self._file).st_size
        self._start_journal(identity, _merge((a, min(b, length)) for a, b in before[1] if a < length))
        return True

    def restart(self, identity: dict[str, Any]) -> None:
        """Discard the stored bytes and start again."""
        os.ftruncate(self._file, 0)
        self._start_journal(identity, [])

    def _start_journal(self, identity: dict[str, Any], done: list[tuple[int, int]]) -> None:
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
        """Write bytes at an offset."""
        view = memoryview(content)
        written = 0
        while written < len(view):
            written += os.pwrite(self._file, view[written:], start + written)
        with self._lock:  # the flush mark covers all lines before it: no line may come between flush and mark
            os.write(self._journal, f"{start} {start + written}\n".encode())
            self._unsynced += written
            if self._unsynced >= _SYNC_BYTES:
                self._unsynced = 0
                os.fdatasync(self._file)
                os.write(self._journal, f"{_SYNCED}\n".encode())

    def missing(self, size: int) -> list[tuple[int, int]]:
        """Return the gaps between the ranges stored at the start, as (start, stop)."""
        edges = [0, *(edge for piece in self.done for edge in piece), size]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    def length(self) -> int:
        """Return the length of the partial file."""
        return os.fstat(self._file).st_size

    def commit(self, final: Path) -> None:
        """Flush the file and rename it to its final path."""
        flush_to_disk(self.path)
        os.replace(self.path, final)
        flush_to_disk(final.parent)
        self._journal_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete the partial file and its journal."""
        self.path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files, which releases the lock."""
        for descriptor in (self._file, self._journal):
            if descriptor >= 0:
                os.close(descriptor)


def partial_size(final: Path) -> int:
    """Return the bytes stored for an unfinished file."""
    path, _ = _names(final)
    try:
        return path.stat().st_blocks * 512  # the file may be sparse
    except OSError:
        return 0


def _names(final: Path) -> tuple[Path, Path]:
    return final.with_name(f".{final.name}.part"), final.with_name(f".{final.name}.part.journal")


def _read_journal(path: Path) -> tuple[Any, list[tuple[int, int]]] | None:
    """Return the identity and the ranges that are certainly stored, or None if the journal cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # an incomplete last line has no newline
        identity = json.loads(lines[0])
        flushed: list[tuple[int, int]] = []
        unflushed: list[tuple[int, int]] = []
        boot = ""
        for line in lines[1:]:
            if line == _SYNCED:
                flushed, unflushed = flushed + unflushed, []
            elif line.startswith(_BOOT):
                boot = line.partition(" ")[2]
            else:
                start, stop = line.split()
                unflushed.append((int(start), int(stop)))
    except (OSError, ValueError, IndexError):
        return None
    return identity, flushed + unflushed if boot and boot == boot_id() else flushed


def _merge(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(pieces):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def split_ranges(gaps: Iterable[tuple[int, int]], max_size: int) -> Iterator[tuple[int, int]]:
    """Split gaps into ranges of at most ``max_size`` bytes, in order."""
    for start, stop in gaps:
        for at in range(start, stop, max_size):
            yield at, min(stop, at + max_size)
