"""Record fetched files in ``sources.lock``, so that a later change of their content is detected."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, TypedDict

from tol_luigi.core.errors import DownloadError
from tol_luigi.core.files import clear_disk_errors, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["LOCK_NAME", "Entry", "is_fetched", "read_lock", "record"]

LOCK_NAME = "sources.lock"


class Entry(TypedDict):
    """The address, size and SHA-256 of a fetched file."""

    url: str
    size: int
    sha256: str


def read_lock(path: Path) -> dict[str, Entry]:
    """Return the entries by name, or no entries if the file does not exist.

    Raises:
        DownloadError: The file is damaged.
    """
    try:
        entries = read_json(path)
        return {
            str(name): Entry(url=e["url"], size=int(e["size"]), sha256=e["sha256"])
            for name, e in entries.items()
        }
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        remedy = "Restore it, or delete it to accept the existing files"
        raise DownloadError(path, f"cannot be read ({error})", remedy) from error


def record(path: Path, name: str, entry: Entry) -> None:
    """Add an entry. Other processes and machines may do the same at the same time.

    For file systems without locks, the entry is read back and written again if it is missing.
    """
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    while (entries := read_lock(path)).get(name) != entry:
        with _alone(path):
            entries = {**read_lock(path), name: entry}
            write_json(path, dict(sorted(entries.items())))


def is_fetched(remote: Remote, entries: dict[str, Entry]) -> bool:
    """Return whether a file exists and has the recorded size."""
    try:
        return remote.path.stat().st_size == entries[remote.name]["size"]
    except (OSError, KeyError):
        return False


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
