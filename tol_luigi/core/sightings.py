"""What files and folders outside the dataset looked like when they were read, to see whether they have changed.

Reading terabytes again would tell for sure; sizes and times of change tell at once. They are no part of the dataset, since
a copy of the same sources has other times.
"""

from __future__ import annotations

import errno
import json
import stat
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SourceError
from tol_luigi.core.files import committed, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "changed_within",
    "find_change",
    "folders_of",
    "look",
    "read_sightings",
    "sight",
    "write_sightings",
]

Sightings = dict[str, dict[str, list[int]]]
"""By what messages call a place, by path below it ("" for itself): size in bytes (0 for a folder) and time in ns."""


def folders_of(members: Iterable[str]) -> list[str]:
    """Return the folders that files lie in, up to the top, which is ""; also those in which nothing lies, as ``name/``."""
    found = {""}
    for member in members:
        parts = member.split("/")[:-1]
        while parts and (folder := "/".join(parts)) not in found:
            found.add(folder)
            parts.pop()
    return sorted(found)


def look(place: Path, parts: Iterable[str]) -> dict[str, list[int]]:
    """Return what a place looks like now: the paths below it that count, "" for itself."""
    return {part: sight(place / part if part else place) for part in parts}


def write_sightings(path: Path, seen: Sightings) -> None:
    """Write down what places look like, also those whose names are no UTF-8."""
    with committed(path) as scratch:
        scratch.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


def read_sightings(path: Path) -> Sightings:
    """Return what was written; nothing of what cannot be read."""
    return {name: parts for name, parts in read_object(path).items() if isinstance(parts, dict)}


def changed_within(seen: Mapping[str, list[int]], began: int, ended: int) -> str | None:
    """Return the first path whose time of change is within a time, in ns; None if there is none."""
    return next(
        (part for part, sighting in seen.items() if sighting and began <= sighting[-1] <= ended), None
    )


def find_change(seen: Sightings, places: Mapping[str, Path]) -> tuple[Path, str] | None:
    """Return the first place that is not as it was, and what is other; None if all are.

    Args:
        seen: What they looked like.
        places: The places, by what messages call them; one that was not seen before counts as changed.
    """
    for name, place in places.items():
        if name not in seen:
            return place, f"was not read before, as {name}"
        for part, before in seen[name].items():
            path = place / part if part else place
            if (now := sight(path)) != before:
                return path, _difference(before, now)
    return None


def sight(path: Path) -> list[int]:
    """Return size in bytes (0 for a folder) and time of change in ns of a file or folder; nothing if there is none.

    Raises:
        SourceError: The system does not say, which is no change.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if error.errno == errno.ELOOP:
            return []
        remedy = "See that you may read it and that its disk is there, and run the same command again"
        raise SourceError(path, f"cannot be read: {error.strerror}", remedy) from error
    return [0 if stat.S_ISDIR(status.st_mode) else status.st_size, status.st_mtime_ns]


def _difference(before: list[int], now: list[int]) -> str:
    if not now or not before:
        return "is gone since it was read" if before else "has come since the rest was read"
    if before[0] != now[0]:
        return f"has changed since it was read: {now[0]} bytes, not {before[0]}"
    return "has changed since it was read, by its time of change"
