"""``sources.lock``: what was fetched at first, so that something else under its name is noticed later."""

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
    """What is known of a file that was fetched."""

    url: str
    size: int
    sha256: str


def read_lock(path: Path) -> dict[str, Entry]:
    """Read the entries by name; none where there is no file yet.

    Raises:
        DownloadError: It is damaged.
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
        remedy = "Bring it back, or delete it to take the files that are there for the right ones"
        raise DownloadError(path, f"cannot be read ({error})", remedy) from error


def record(path: Path, name: str, entry: Entry) -> None:
    """Add an entry, while other processes and machines may do the same.

    File systems without locks are met by looking afterwards whether the entry is still there.
    """
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    while (entries := read_lock(path)).get(name) != entry:
        with _alone(path):
            entries = {**read_lock(path), name: entry}
            write_json(path, dict(sorted(entries.items())))


def is_fetched(remote: Remote, entries: dict[str, Entry]) -> bool:
    """Tell whether a file is there, and is recorded with its size."""
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
