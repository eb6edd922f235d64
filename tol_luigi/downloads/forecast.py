"""What a download will cost, asked from the servers before anything is fetched."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import DiskError, DownloadError
from tol_luigi.downloads.lockfile import is_fetched, read_lock
from tol_luigi.downloads.origins import shown_url
from tol_luigi.downloads.partial import partial_bytes
from tol_luigi.downloads.transfer import Means, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["Row", "forecast", "forecast_text", "require_space"]

_ASKED_AT_ONCE = 8
_GB = 1e9


@dataclass(frozen=True)
class Row:
    """A file to fetch.

    Attributes:
        source: What it is fetched with.
        what: Its name in ``sources.lock``.
        url: Where it comes from.
        path: Where it goes.
        bytes: Its size, None where the server does not say.
        present: Whether it is there, so that nothing is left to fetch.
        partly: How many of its bytes are there, of a transfer that was interrupted.
        trouble: Why the server could not be asked, "" if it could.
    """

    source: str
    what: str
    url: str
    path: Path
    bytes: int | None
    present: bool
    partly: int = 0
    trouble: str = ""

    @property
    def left(self) -> int:
        """Bytes that still have to come, as far as is known."""
        return 0 if self.present else max(0, (self.bytes or 0) - self.partly)


def forecast(remotes: Iterable[Remote], lock: Path, means: Means) -> list[Row]:
    """Ask the servers for the sizes of what is not there yet.

    A server that does not answer costs its own rows their size: the others can be fetched all the same.

    Args:
        remotes: The files.
        lock: ``sources.lock``.
        means: How servers are spoken to.
    """
    entries = read_lock(lock)

    def row(remote: Remote) -> Row:
        url = shown_url(remote.url)
        if is_fetched(remote, entries):
            return Row(
                remote.source, remote.name, url, remote.path, entries[remote.name]["size"], present=True
            )
        partly, size, trouble = partial_bytes(remote.path), None, ""
        try:
            size = ask(remote.url, means).size
        except DownloadError as error:
            trouble = error.what
        return Row(remote.source, remote.name, url, remote.path, size, False, partly, trouble)

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return list(pool.map(row, remotes))


def forecast_text(rows: Sequence[Row]) -> str:
    """Sum up by source what is there and what is to come, a line each."""
    lines = [f"{'':10} {'files':>6} {'there':>6} {'GB':>10} {'to fetch':>10}"]
    groups = defaultdict(list)
    for row in rows:
        groups[row.source].append(row)
    for name, group in [*groups.items(), ("all", list(rows))]:
        total, left = sum(row.bytes or 0 for row in group) / _GB, sum(row.left for row in group) / _GB
        there = sum(row.present for row in group)
        unknown = sum(row.bytes is None for row in group)
        note = f"  and {unknown} of unknown size" if unknown else ""
        lines.append(f"{name:10} {len(group):6} {there:6} {total:10.3f} {left:10.3f}{note}")
    lines += [f"{row.what}: {row.url}: {row.trouble}" for row in rows if row.trouble]
    return "\n".join(lines) + "\n"


def require_space(rows: Iterable[Row], more_bytes: int = 0, more_files: int = 0) -> None:
    """See that the disks can hold what is to come.

    Args:
        rows: The files to fetch.
        more_bytes: What else is to be written beside the first of them, such as what is unpacked.
        more_files: As how many files.

    Raises:
        DiskError: A file system has too little space, or may hold too few files more.
    """
    needed: dict[int, list[int]] = {}
    folders: dict[int, Path] = {}
    extra = (more_bytes, more_files)
    for row in rows:
        folder = next(folder for folder in row.path.parents if folder.is_dir())
        device = folder.stat().st_dev
        folders.setdefault(device, folder)
        need = needed.setdefault(device, [0, 0])
        need[0] += row.left + extra[0]
        need[1] += (0 if row.present else 2) + extra[1]
        extra = (0, 0)
    for device, (size, files) in needed.items():
        state = os.statvfs(folders[device])
        free = state.f_bavail * state.f_frsize
        if size > free:
            what = f"{size / _GB:,.3f} GB are to come, and {free / _GB:,.3f} GB are free"
            raise DiskError(folders[device], what, "Make space, or fetch fewer [download] sources")
        if state.f_files and files > state.f_favail:  # some file systems do not count
            what = f"{files:,} files are to come, and there is room for {state.f_favail:,} more (see df -i)"
            raise DiskError(
                folders[device], what, "Choose another [download] folder, or leave archives as they are"
            )
