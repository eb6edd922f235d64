"""Estimate a download: ask the servers for all sizes before anything is fetched."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tol_luigi.core.errors import DiskError, DownloadError
from tol_luigi.downloads.lockfile import is_fetched, read_lock
from tol_luigi.downloads.origins import RetryableError, shown_url
from tol_luigi.downloads.partial import partial_size
from tol_luigi.downloads.transfer import FetchConfig, probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["FileEstimate", "estimate", "estimate_text", "require_answers", "require_space", "troubles"]

_CONCURRENT_REQUESTS = 8
_GB = 1e9


@dataclass(frozen=True)
class FileEstimate:
    """The size of a file to fetch.

    Attributes:
        source: Its group.
        what: Its name in ``sources.lock``.
        url: Its address.
        path: The path of the fetched file.
        bytes: Its size, or None if the server does not report it.
        present: Whether the file has been fetched.
        partly: The bytes that an interrupted transfer has stored.
        trouble: The error of the request, or "".
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
    def remaining(self) -> int:
        """The bytes to fetch, or 0 if the size is unknown."""
        return 0 if self.present else max(0, (self.bytes or 0) - self.partly)


def estimate(remotes: Iterable[Remote], lock: Path, config: FetchConfig) -> list[FileEstimate]:
    """Ask the servers for the sizes of files that have not been fetched.

    If a server does not respond, the sizes of its files are unknown, and it is not asked again; the files of
    other servers are not affected.

    Args:
        remotes: The files.
        lock: The path of ``sources.lock``.
        config: The configuration of transfers.
    """
    entries, silent = read_lock(lock), dict[str, str]()

    def row(remote: Remote) -> FileEstimate:
        url = shown_url(remote.url)
        if is_fetched(remote, entries):
            return FileEstimate(
                remote.source, remote.name, url, remote.path, entries[remote.name]["size"], present=True
            )
        server = urlsplit(url).netloc
        partly, size, trouble = partial_size(remote.path), None, silent.get(server, "")
        try:
            size = None if trouble else probe(remote.url, config).size
        except DownloadError as error:
            trouble = error.what
            if isinstance(error.__cause__, RetryableError):
                silent[server] = trouble
        return FileEstimate(remote.source, remote.name, url, remote.path, size, False, partly, trouble)

    with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
        return list(pool.map(row, remotes))


def estimate_text(rows: Sequence[FileEstimate]) -> str:
    """Return a table of fetched and missing files with one line per source."""
    lines = [f"{'':10} {'files':>6} {'done':>6} {'GB':>10} {'to fetch':>10}"]
    groups = defaultdict(list)
    for row in rows:
        groups[row.source].append(row)
    for name, group in [*groups.items(), ("all", list(rows))]:
        total, remaining = (
            sum(row.bytes or 0 for row in group) / _GB,
            sum(row.remaining for row in group) / _GB,
        )
        present = sum(row.present for row in group)
        unknown = sum(row.bytes is None for row in group)
        note = f"  plus {unknown} of unknown size" if unknown else ""
        lines.append(f"{name:10} {len(group):6} {present:6} {total:10.3f} {remaining:10.3f}{note}")
    return "\n".join([*lines, *troubles(rows)]) + "\n"


def troubles(rows: Iterable[FileEstimate]) -> list[str]:
    """Return one line for each error of the requests, with the first file and the number of further files."""
    groups = defaultdict[str, list[FileEstimate]](list)
    for row in rows:
        if row.trouble:
            groups[row.trouble].append(row)
    return [f"{group[0].url}: {trouble}{_and_more(len(group) - 1)}" for trouble, group in groups.items()]


def _and_more(count: int) -> str:
    return f" (and {count} more {'file' if count == 1 else 'files'})" if count else ""


def require_answers(rows: Sequence[FileEstimate]) -> None:
    """Check that a server has answered for at least one of the files to fetch, if there are any.

    Raises:
        DownloadError: No server has answered.
    """
    missing = [row for row in rows if not row.present]
    if missing and all(row.trouble for row in missing):
        what = f"{missing[0].trouble}{_and_more(len(missing) - 1)}"
        remedy = "Check the connection and the base addresses in [download], and run the same command again"
        raise DownloadError(missing[0].url, what, remedy)


def require_space(rows: Iterable[FileEstimate], more_bytes: int = 0, more_files: int = 0) -> None:
    """Check that the disks have space for the files to fetch.

    Args:
        rows: The files to fetch.
        more_bytes: Further bytes to write on the file system of the first file, such as extracted images.
        more_files: The number of further files.

    Raises:
        DiskError: A file system has too little space or too few free inodes.
    """
    needed: dict[int, list[int]] = {}
    folders: dict[int, Path] = {}
    extra = (more_bytes, more_files)
    for row in rows:
        folder = next(folder for folder in row.path.parents if folder.is_dir())
        device = folder.stat().st_dev
        folders.setdefault(device, folder)
        need = needed.setdefault(device, [0, 0])
        need[0] += row.remaining + extra[0]
        need[1] += (0 if row.present else 2) + extra[1]
        extra = (0, 0)
    for device, (size, files) in needed.items():
        state = os.statvfs(folders[device])
        free = state.f_bavail * state.f_frsize
        if size > free:
            what = f"has too little space (needed: {size / _GB:,.3f} GB, free: {free / _GB:,.3f} GB)"
            raise DiskError(folders[device], what, "Free some space, or reduce [download] sources")
        if state.f_files and files > state.f_favail:  # some file systems do not report it
            what = f"has too few free inodes (needed: {files:,}, free: {state.f_favail:,}; see df -i)"
            raise DiskError(
                folders[device], what, "Set [download] folder to another disk, or [download] extract = false"
            )
