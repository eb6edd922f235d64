"""Fetch files: resume interrupted transfers, and name a file only when it is complete and verified."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tol_luigi.core.errors import DownloadError, TolError
from tol_luigi.core.files import clear_disk_errors
from tol_luigi.downloads.lockfile import Entry, is_fetched, read_lock, record
from tol_luigi.downloads.origins import (
    HttpConfig,
    Origin,
    RemoteChangedError,
    RetryableError,
    Version,
    origin_of,
    shown_url,
)
from tol_luigi.downloads.partial import PartialFile, split_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["FetchConfig", "FetchedFile", "fetch", "fetch_all", "probe"]

T = TypeVar("T")

_READ = 1 << 20
_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 23, 1 << 29
_LONGEST_PAUSE = 300.0
_VERSIONS = 3
"""A transfer starts at most this many times if the file changes while it is fetched."""
_BUSY_SECONDS = _POLL_SECONDS = 0.5


@dataclass
class FetchConfig:
    """The configuration of transfers.

    Attributes:
        http: The configuration of requests.
        files: The number of files fetched at the same time.
        connections: The number of connections per file.
        retries: The number of retries after failures in a row with no byte received between them.
        pause: The seconds to wait after the first failure; doubled after each further failure.
    """

    http: HttpConfig = field(default_factory=HttpConfig)
    files: int = 2
    connections: int = 4
    retries: int = 8
    pause: float = 1.0
    stopped: threading.Event = field(default_factory=threading.Event, repr=False)


@dataclass(frozen=True)
class FetchedFile:
    """A fetched file.

    Attributes:
        name: Its name in ``sources.lock``.
        size: Its size in bytes.
        came: The bytes received in this run.
        sha256: The SHA-256 of the complete file.
    """

    name: str
    size: int
    came: int
    sha256: str


class _StoppedError(Exception):
    """Another connection has failed permanently, or the transfer is stopped."""


class _Retries:
    """The count of failures in a row, and the pauses between them."""

    def __init__(
        self, config: FetchConfig, origin: Origin, url: str, failed: threading.Event | None = None
    ) -> None:
        self._config, self._origin, self._url, self._failures = config, origin, url, 0
        self._failed = failed or threading.Event()

    def progress(self) -> None:
        """Reset the count."""
        self._failures = 0

    def pause(self, failure: RetryableError) -> None:
        """Wait, twice as long each time, and at least as long as the server asks for.

        Raises:
            DownloadError: There were too many failures in a row.
        """
        self._failures += 1
        if self._failures > self._config.retries:
            what = f"{failure.reason} ({self._failures} times in a row)"
            remedy = "Run the same command again later to resume, or increase [download] retries"
            raise DownloadError(shown_url(self._url), what, remedy) from failure
        pause = min(self._config.pause * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        if failure.pause:
            self._origin.host.back_off(failure.pause)
        end = time.monotonic() + max(pause, failure.pause)
        while (remaining := end - time.monotonic()) > 0:
            if self._config.stopped.wait(min(remaining, _POLL_SECONDS)) or self._failed.is_set():
                raise _StoppedError


def probe(url: str, config: FetchConfig) -> Version:
    """Return the properties of a file on a server.

    Raises:
        DownloadError: The file does not exist, or the server cannot be reached.
    """
    origin = origin_of(url, config.http)
    return _version(origin, config, _Retries(config, origin, url))


def _version(origin: Origin, config: FetchConfig, retries: _Retries) -> Version:
    return _until(lambda: _probe_once(origin, config), retries)


def _probe_once(origin: Origin, config: FetchConfig) -> Version:
    with origin.host.connection(config.stopped):
        return origin.probe()


def _until(action: Callable[[], T], retries: _Retries) -> T:
    while True:
        try:
            return action()
        except RetryableError as failure:
            retries.pause(failure)


def fetch_all(
    remotes: Iterable[Remote], lock: Path, config: FetchConfig, on_bytes: Callable[[int], None]
) -> list[FetchedFile]:
    """Fetch several files at a time. The failure of one file does not stop the others.

    Args:
        remotes: The files.
        lock: The path of ``sources.lock``.
        config: The configuration of transfers.
        on_bytes: Called with the number of bytes received or already present; negative if bytes are
            discarded.

    Raises:
        DownloadError: A file could not be fetched (the first failure). All other files are fetched if
            possible.
    """
    counting = threading.Lock()

    def report(count: int) -> None:
        with counting:
            on_bytes(count)

    with ThreadPoolExecutor(config.files) as pool:
        futures = [(remote, pool.submit(fetch, remote, lock, config, report)) for remote in remotes]
        fetched, failed = [], []
        try:
            for remote, future in futures:
                try:
                    fetched.append(future.result())
                except TolError as error:
                    failed.append((remote, error))
        except BaseException:
            config.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failed:
        _, first = failed[0]
        if len(failed) > 1:
            names = ", ".join(remote.name for remote, _ in failed[1:])
            what = f"{first.what} (these files failed as well: {names})"
            raise type(first)(first.where, what, first.remedy) from first
        raise first
    return fetched


def fetch(remote: Remote, lock: Path, config: FetchConfig, on_bytes: Callable[[int], None]) -> FetchedFile:
    """Fetch one file if it is missing.

    Args:
        remote: The file.
        lock: The path of ``sources.lock``. A recorded file must match its entry; a new file is recorded.
        config: The configuration of transfers.
        on_bytes: Called with the number of bytes received or already present.

    Raises:
        DownloadError: The file cannot be fetched, or its content is wrong. It then does not exist under its
            name.
        DiskError: The disk is full.
    """
    with clear_disk_errors(remote.path):
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            entries = read_lock(lock)
            if is_fetched(remote, entries):
                entry = entries[remote.name]
                on_bytes(entry["size"])
                return FetchedFile(remote.name, entry["size"], 0, entry["sha256"])
            if remote.path.exists():
                return _adopt(remote, lock, config, on_bytes)
            partial = PartialFile(remote.path)
            try:
                if partial.try_lock():
                    if remote.path.exists():
                        partial.discard()
                        continue
                    return _Transfer(remote, lock, config, on_bytes, partial).run()
            except _StoppedError as stop:
                raise DownloadError(
                    remote.path, "the transfer was stopped", "Run the same command again to resume"
                ) from stop
            finally:
                partial.close()
            config.stopped.wait(_BUSY_SECONDS)  # another process is fetching it
            if config.stopped.is_set():
                what = "the wait for the transfer by another process was stopped"
                raise DownloadError(remote.path, what, "Run the same command again")


def _adopt(remote: Remote, lock: Path, config: FetchConfig, on_bytes: Callable[[int], None]) -> FetchedFile:
    """Record an existing file that was not fetched by this program, if its content is right."""
    remedy = (
        f"Move it away so that it is fetched, or, if this version is intended, delete its entry in {lock}"
    )
    size, version = remote.path.stat().st_size, probe(remote.url, config)
    if version.size not in {None, size}:
        what = f"already exists with another size ({size} bytes; {shown_url(remote.url)} has {version.size})"
        raise DownloadError(remote.path, what, remedy)
    with remote.path.open("rb") as file:
        digests = _digests(file.fileno(), size, remote.checksum, version.checksum)
    mismatch = _mismatch(remote, lock, size, version, digests)
    if mismatch:
        raise DownloadError(remote.path, f"already exists with other content: {mismatch}", remedy)
    on_bytes(size)
    record(lock, remote.name, Entry(url=shown_url(remote.url), size=size, sha256=digests["sha256"]))
    return FetchedFile(remote.name, size, 0, digests["sha256"])


def _mismatch(remote: Remote, lock: Path, size: int, version: Version, digests: dict[str, str]) -> str:
    """Return the difference between a file and its known size and checksums, or ""."""
    known = read_lock(lock).get(remote.name)
    if known and (known["size"], known["sha256"]) != (size, digests["sha256"]):
        return (
            f"it differs from {lock.name} (found: {size} bytes, SHA-256 {digests['sha256']}; "
            f"recorded: {known['size']} bytes, SHA-256 {known['sha256']})"
        )
    for checksum, whose in ((remote.checksum, "[download] checksums"), (version.checksum, "the server")):
        kind, _, value = checksum.partition(":")
        if value and digests[kind] != value.lower():
            return f"its {kind.upper()} is {digests[kind]} (expected by {whose}: {value})"
    return ""


def _digests(descriptor: int, size: int, *checksums: str) -> dict[str, str]:
    """Hash a file in one pass: with SHA-256, and with the algorithms of the given checksums."""
    kinds = {"sha256", *(checksum.partition(":")[0] for checksum in checksums if checksum)}
    made = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    at = 0
    while at < size and (content := os.pread(descriptor, _READ, at)):
        at += len(content)
        for digest in made.values():
            digest.update(content)
    return {kind: digest.hexdigest() for kind, digest in made.items()}


class _Transfer:
    """The transfer of one file."""

    def __init__(
        self,
        remote: Remote,
        lock: Path,
        config: FetchConfig,
        on_bytes: Callable[[int], None],
        partial: PartialFile,
    ) -> None:
        self._remote, self._lock, self._config, self._partial = remote, lock, config, partial
        self._on_bytes = on_bytes
        self._origin = origin_of(remote.url, config.http)
        self._guard = threading.Lock()
        self._failed = threading.Event()
        self._received = self._counted = 0

    def run(self) -> FetchedFile:
        """Fetch, verify and rename the file; restart if it is wrong but may consist of old and new ranges."""
        mismatch = "its content changed during the transfer"
        for _ in range(_VERSIONS):
            try:
                fresh, version = self._download(self._probe())
            except RemoteChangedError:
                self._restart()
                continue
            except TolError:
                if self._partial.length() == 0:  # there is nothing to resume
                    self._partial.discard()
                raise
            size = self._partial.length()
            digests = _digests(self._partial.descriptor, size, self._remote.checksum, version.checksum)
            mismatch = _mismatch(self._remote, self._lock, size, version, digests)
            if not mismatch:
                self._partial.commit(self._remote.path)
                url = shown_url(self._remote.url)
                record(self._lock, self._remote.name, Entry(url=url, size=size, sha256=digests["sha256"]))
                return FetchedFile(self._remote.name, size, self._received, digests["sha256"])
            self._restart()
            if fresh:
                break
        remedy = "Fetch it again later, or check that the address still leads to the right file"
        raise DownloadError(shown_url(self._remote.url), f"the fetched file is rejected: {mismatch}", remedy)

    def _probe(self) -> Version:
        version = _version(self._origin, self._config, self._retries())
        known = read_lock(self._lock).get(self._remote.name)
        if known and version.size not in {None, known["size"]}:
            what = f"the size has changed ({version.size} bytes; {self._lock} records {known['size']})"
            remedy = f"To fetch the new version, delete the entry {self._remote.name} in {self._lock.name}"
            raise DownloadError(shown_url(self._remote.url), what, remedy)
        return version

    def _download(self, version: Version) -> tuple[bool, Version]:
        """Fetch all bytes; return whether none were stored before, and the properties of the file."""
        known = read_lock(self._lock).get(self._remote.name)
        checksum = self._remote.checksum or (f"sha256:{known['sha256']}" if known else version.checksum)
        content = checksum or version.validator
        if not (version.ranges and version.size and content):
            # ranges of different versions could be mixed without notice
            self._partial.restart({})
            return True, self._download_all(version)
        identity = {"size": version.size, "content": content}
        resumed = self._partial.resume(identity)
        if not resumed:
            self._partial.restart(identity)
        self._count(sum(stop - start for start, stop in self._partial.done))
        self._download_parts(version, version.size)
        return not resumed, version

    def _download_all(self, version: Version) -> Version:
        """Read the file from start to end in one request; repeat until that succeeds."""
        retries, furthest = self._retries(), 0
        while True:
            at = 0
            try:
                with (
                    self._origin.host.connection(self._config.stopped),
                    self._origin.open_all() as (now, read),
                ):
                    while content := read(_READ):
                        self._store(at, content)
                        at += len(content)
                        if at > furthest:
                            furthest = at
                            retries.progress()
                if now.size not in {None, at}:
                    reason = f"the server closed the connection after {at} of {now.size} bytes"
                    raise RetryableError(reason)  # noqa: TRY301
            except RetryableError as failure:
                retries.pause(failure)
                self._restart()
            else:
                return dataclasses.replace(now, checksum=now.checksum or version.checksum)

    def _download_parts(self, version: Version, size: int) -> None:
        """Read the missing ranges over several connections."""
        max_size = min(max(size // (4 * self._config.connections), _SMALLEST_PIECE), _LARGEST_PIECE)
        pieces = list(split_ranges(self._partial.missing(size), max_size))
        if not pieces:
            return
        remaining = iter(pieces)
        with ThreadPoolExecutor(min(self._config.connections, len(pieces))) as pool:
            futures = [pool.submit(self._work, remaining, version) for _ in range(self._config.connections)]
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise next((error for error in errors if not isinstance(error, _StoppedError)), errors[0])

    def _work(self, pieces: Iterator[tuple[int, int]], version: Version) -> None:
        try:
            retries = self._retries()
            while piece := self._next(pieces):
                self._read_piece(*piece, version, retries)
        except BaseException:
            self._failed.set()
            raise

    def _next(self, pieces: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
        with self._guard:
            return next(pieces, None)

    def _read_piece(self, start: int, stop: int, version: Version, retries: _Retries) -> None:
        at = start
        while at < stop:
            try:
                with (
                    self._origin.host.connection(self._config.stopped),
                    self._origin.open_range(at, stop, version) as read,
                ):
                    while at < stop and (content := read(min(_READ, stop - at))):
                        self._store(at, content)
                        at += len(content)
                        retries.progress()
                if at < stop:
                    raise RetryableError("the server closed the connection early")  # noqa: TRY301
            except RetryableError as failure:
                retries.pause(failure)

    def _store(self, at: int, content: bytes) -> None:
        if self._failed.is_set() or self._config.stopped.is_set():
            raise _StoppedError
        self._partial.write(at, content)
        with self._guard:
            self._received += len(content)
        self._count(len(content))

    def _count(self, count: int) -> None:
        with self._guard:
            self._counted += count
        self._on_bytes(count)

    def _restart(self) -> None:
        """Discard all received bytes."""
        self._failed.clear()
        self._partial.restart({})
        self._count(-self._counted)

    def _retries(self) -> _Retries:
        return _Retries(self._config, self._origin, self._remote.url, self._failed)
