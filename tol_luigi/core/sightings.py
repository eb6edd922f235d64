"""Records of size and modification time of source files and folders, to detect later changes.

This is less certain than reading terabytes again, but fast. The records are not part of the dataset, because
a copy of the same sources has other times.
"""

from __future__ import annotations

import errno
import json
import stat
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SourceError
from tol_luigi.core.files import committed, read_object
from tol_luigi.core.limits import ALLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "changed_within",
    "file_state",
    "file_states",
    "find_change",
    "folders_of",
    "read_sightings",
    "write_sightings",
]

Sightings = dict[str, dict[str, list[int]]]
"""By name of a place in messages, then by path below it ("" for the place itself): size in bytes (0 for a
folder) and modification time in ns."""


def folders_of(members: Iterable[str]) -> list[str]:
    """Return the folders of files and all their parents, up to ""; an empty folder is passed as ``name/``."""
    found = {""}
    for member in members:
        parts = member.split("/")[:-1]
        while parts and (folder := "/".join(parts)) not in found:
            found.add(folder)
            parts.pop()
    return sorted(found)


def file_states(place: Path, parts: Iterable[str]) -> dict[str, list[int]]:
    """Return size and modification time of paths below a place; "" is the place itself."""
    return {part: file_state(place / part if part else place) for part in parts}


def write_sightings(path: Path, seen: Sightings) -> None:
    """Write the states of places, including names that are not UTF-8."""
    with committed(path) as scratch:
        scratch.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


def read_sightings(path: Path) -> Sightings:
    """Return the written states; invalid entries are skipped."""
    return {name: parts for name, parts in read_object(path).items() if isinstance(parts, dict)}


def changed_within(seen: Mapping[str, list[int]], start: int, end: int) -> str | None:
    """Return the first path whose modification time is within a period, in ns; None if there is none."""
    return next((part for part, sighting in seen.items() if sighting and start <= sighting[-1] <= end), None)


def find_change(seen: Sightings, places: Mapping[str, Path]) -> tuple[Path, str] | None:
    """Return the first changed place and its difference; None if nothing has changed.

    Args:
        seen: The recorded states.
        places: The places, by their names in messages; a place without a record counts as changed.
    """
    for name, place in places.items():
        if name not in seen:
            return place, f"was not read before, as {name}"
        for part, before in seen[name].items():
            path = place / part if part else place
            if (now := file_state(path)) != before:
                return path, _difference(before, now)
    return None


def file_state(path: Path) -> list[int]:
    """Return size in bytes (0 for a folder) and modification time in ns; an empty list for a missing path.

    Raises:
        SourceError: The state cannot be read, which does not count as a change.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if error.errno == errno.ELOOP:
            return []
        raise SourceError(path, f"cannot be read: {error.strerror}", ALLOW) from error
    return [0 if stat.S_ISDIR(status.st_mode) else status.st_size, status.st_mtime_ns]


def _difference(before: list[int], now: list[int]) -> str:
    if not now or not before:
        return "has been removed since it was read" if before else "has been added since the rest was read"
    if before[0] != now[0]:
        return f"has changed since it was read ({now[0]} bytes, not {before[0]})"
    return "has changed since it was read (by its modification time)"
