"""The transfer of a file: whole and verified under its name, or not there; gone on with wherever it broke off."""

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
from tol_luigi.downloads.origins import Again, Changed, Hosts, Origin, Version, origin_of, shown_url
from tol_luigi.downloads.partial import Partial, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tol_luigi.downloads.catalogue import Remote

__all__ = ["Fetched", "Means", "ask", "fetch", "fetch_all"]

T = TypeVar("T")

_READ = 1 << 20
_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 23, 1 << 29
_LONGEST_PAUSE = 300.0
_VERSIONS = 3
"""So often a file may change while it is fetched."""
_BUSY_SECONDS = _LOOK_SECONDS = 0.5


@dataclass
class Means:
    """How files are fetched.

    Attributes:
        hosts: How servers are spoken to.
        files: How many files at once.
        connections: How many connections a file.
        retries: So many failures in a row, without a byte between them, are too many.
        pause: Seconds after the first failure; twice as long after each further one.
    """

    hosts: Hosts = field(default_factory=Hosts)
    files: int = 2
    connections: int = 4
    retries: int = 8
    pause: float = 1.0
    stopped: threading.Event = field(default_factory=threading.Event, repr=False)


@dataclass(frozen=True)
class Fetched:
    """What became of a file.

    Attributes:
        name: Its name in ``sources.lock``.
        size: Bytes.
        came: Bytes that came over the line this time.
        sha256: Of all of it.
    """

    name: str
    size: int
    came: int
    sha256: str


class _Stopped(Exception):  # noqa: N818 (no error)
    """Another connection has failed for good."""


class _Try:
    """Failures in a row, and the pauses between them."""

    def __init__(self, means: Means, origin: Origin, url: str, failed: threading.Event | None = None) -> None:
        self._means, self._origin, self._url, self._failures = means, origin, url, 0
        self._failed = failed or threading.Event()

    def progress(self) -> None:
        """Begin to count anew."""
        self._failures = 0

    def pause(self, failure: Again) -> None:
        """Wait, longer each time, and at least as long as the server asks for.

        Raises:
            DownloadError: It has been too often.
        """
        self._failures += 1
        if self._failures > self._means.retries:
            what = f"{failure.reason}, {self._failures} times in a row"
            remedy = "Run the same command again later: it goes on from here. [download] retries says how often is tried"
            raise DownloadError(shown_url(self._url), what, remedy) from failure
        pause = min(self._means.pause * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        if failure.pause:
            self._origin.host.leave_alone(failure.pause)
        end = time.monotonic() + max(pause, failure.pause)
        while (left := end - time.monotonic()) > 0:
            if self._means.stopped.wait(min(left, _LOOK_SECONDS)) or self._failed.is_set():
                raise _Stopped


def ask(url: str, means: Means) -> Version:
    """Ask a server what it has.

    Raises:
        DownloadError: It has no such file, or cannot be reached.
    """
    origin = origin_of(url, means.hosts)
    return _version(origin, means, _Try(means, origin, url))


def _version(origin: Origin, means: Means, tries: _Try) -> Version:
    return _until(lambda: _asked(origin, means), tries)


def _asked(origin: Origin, means: Means) -> Version:
    with origin.host.connection(means.stopped):
        return origin.ask()


def _until(action: Callable[[], T], tries: _Try) -> T:
    while True:
        try:
            return action()
        except Again as failure:
            tries.pause(failure)


def fetch_all(
    remotes: Iterable[Remote], lock: Path, means: Means, came: Callable[[int], None]
) -> list[Fetched]:
    """Fetch files, several at once; one that fails does not stop the others.

    Args:
        remotes: The files.
        lock: ``sources.lock``.
        means: How.
        came: Is told of bytes as they come, or are found to be there; negative where they have to be thrown away.

    Raises:
        DownloadError: The first of those that failed; all that could be fetched are there.
    """
    guard = threading.Lock()

    def tell(count: int) -> None:
        with guard:
            came(count)

    with ThreadPoolExecutor(means.files) as pool:
        futures = [(remote, pool.submit(fetch, remote, lock, means, tell)) for remote in remotes]
        fetched, failed = [], []
        try:
            for remote, future in futures:
                try:
                    fetched.append(future.result())
                except TolError as error:
                    failed.append((remote, error))
        except BaseException:
            means.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failed:
        _, first = failed[0]
        if len(failed) > 1:
            names = ", ".join(remote.name for remote, _ in failed[1:])
            what = f"{first.what} (nor could these be fetched: {names})"
            raise type(first)(first.where, what, first.remedy) from first
        raise first
    return fetched


def fetch(remote: Remote, lock: Path, means: Means, came: Callable[[int], None]) -> Fetched:
    """Fetch one file, unless it is there.

    Args:
        remote: The file.
        lock: ``sources.lock``: what it says of the file has to hold, and what it does not know yet it is told.
        means: How.
        came: Is told of bytes as they come, or are found to be there.

    Raises:
        DownloadError: It cannot be had, or what came is not what it should be. Nothing has its name, then.
        DiskError: There is no space for it.
    """
    with clear_disk_errors(remote.path):
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            entries = read_lock(lock)
            if is_fetched(remote, entries):
                entry = entries[remote.name]
                came(entry["size"])
                return Fetched(remote.name, entry["size"], 0, entry["sha256"])
            if remote.path.exists():
                return _adopted(remote, lock, means, came)
            partial = Partial(remote.path)
            try:
                if partial.take():
                    if remote.path.exists():
                        partial.discard()
                        continue
                    return _Transfer(remote, lock, means, came, partial).run()
            except _Stopped as stop:
                raise DownloadError(
                    remote.path, "its transfer was stopped", "Run the same command again"
                ) from stop
            finally:
                partial.close()
            means.stopped.wait(_BUSY_SECONDS)  # another process is at it
            if means.stopped.is_set():
                raise DownloadError(remote.path, "was not waited for", "Run the same command again")


def _adopted(remote: Remote, lock: Path, means: Means, came: Callable[[int], None]) -> Fetched:
    """Take a file for fetched that someone else has put there, if it is the right one."""
    remedy = f"Move it away to have it fetched, or if it is meant to be another, delete its lines in {lock}"
    size, version = remote.path.stat().st_size, ask(remote.url, means)
    if version.size not in {None, size}:
        what = f"is there already, and has {size} bytes, not the {version.size} of {shown_url(remote.url)}"
        raise DownloadError(remote.path, what, remedy)
    with remote.path.open("rb") as file:
        digests = _digests(file.fileno(), size, remote.checksum, version.checksum)
    wrong = _wrong(remote, lock, size, version, digests)
    if wrong:
        raise DownloadError(remote.path, f"is there already, and {wrong}", remedy)
    came(size)
    record(lock, remote.name, Entry(url=shown_url(remote.url), size=size, sha256=digests["sha256"]))
    return Fetched(remote.name, size, 0, digests["sha256"])


def _wrong(remote: Remote, lock: Path, size: int, version: Version, digests: dict[str, str]) -> str:
    """Say what is wrong with a file, "" if nothing is."""
    known = read_lock(lock).get(remote.name)
    if known and (known["size"], known["sha256"]) != (size, digests["sha256"]):
        return f"is not what {lock.name} says ({known['size']} bytes, SHA-256 {known['sha256']})"
    for checksum, whose in ((remote.checksum, "the settings"), (version.checksum, "the server")):
        kind, _, value = checksum.partition(":")
        if value and digests[kind] != value.lower():
            return f"its {kind.upper()} is {digests[kind]}, and {whose} say{'s' * (whose == 'the server')} {value}"
    return ""


def _digests(descriptor: int, size: int, *checksums: str) -> dict[str, str]:
    """Hash a file in one pass: SHA-256, and whatever else it has to be compared with."""
    kinds = {"sha256", *(checksum.partition(":")[0] for checksum in checksums if checksum)}
    made = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    at = 0
    while at < size and (content := os.pread(descriptor, _READ, at)):
        at += len(content)
        for digest in made.values():
            digest.update(content)
    return {kind: digest.hexdigest() for kind, digest in made.items()}


class _Transfer:
    """One file on its way."""

    def __init__(
        self, remote: Remote, lock: Path, means: Means, came: Callable[[int], None], partial: Partial
    ) -> None:
        self._remote, self._lock, self._means, self._partial = remote, lock, means, partial
        self._tell_all = came
        self._origin = origin_of(remote.url, means.hosts)
        self._guard = threading.Lock()
        self._failed = threading.Event()
        self._came = self._counted = 0

    def run(self) -> Fetched:
        """Fetch, verify, name; once more from the start if what has come is wrong and may be old in part."""
        wrong = "its content changes while it is fetched"
        for _ in range(_VERSIONS):
            try:
                fresh, version = self._bring(self._ask())
            except Changed:
                self._drop()
                continue
            except TolError:
                if self._partial.length() == 0:  # there is nothing to go on with
                    self._partial.discard()
                raise
            size = self._partial.length()
            digests = _digests(self._partial.descriptor, size, self._remote.checksum, version.checksum)
            wrong = _wrong(self._remote, self._lock, size, version, digests)
            if not wrong:
                self._partial.commit(self._remote.path)
                url = shown_url(self._remote.url)
                record(self._lock, self._remote.name, Entry(url=url, size=size, sha256=digests["sha256"]))
                return Fetched(self._remote.name, size, self._came, digests["sha256"])
            self._drop()
            if fresh:
                break
        remedy = "Fetch it again later, or see whether the address still leads to the file that is wanted"
        raise DownloadError(shown_url(self._remote.url), f"what came is not used: {wrong}", remedy)

    def _ask(self) -> Version:
        version = _version(self._origin, self._means, self._tries())
        known = read_lock(self._lock).get(self._remote.name)
        if known and version.size not in {None, known["size"]}:
            what = f"has {version.size} bytes, and {self._lock} says {known['size']}"
            remedy = f"If the new one is meant, delete {self._remote.name} in {self._lock.name}"
            raise DownloadError(shown_url(self._remote.url), what, remedy)
        return version

    def _bring(self, version: Version) -> tuple[bool, Version]:
        """Have all bytes come; tell whether all of them came just now, and what the server said of them."""
        known = read_lock(self._lock).get(self._remote.name)
        checksum = self._remote.checksum or (f"sha256:{known['sha256']}" if known else version.checksum)
        content = checksum or version.validator
        if not (version.ranges and version.size and content):
            # ranges of two contents could not be told from those of one
            self._partial.restart({})
            return True, self._in_one(version)
        identity = {"size": version.size, "content": content}
        resumed = self._partial.resume(identity)
        if not resumed:
            self._partial.restart(identity)
        self._count(sum(stop - start for start, stop in self._partial.done))
        self._in_parts(version, version.size)
        return not resumed, version

    def _in_one(self, version: Version) -> Version:
        """Read it from start to end in one go, again and again until that succeeds."""
        tries, furthest = self._tries(), 0
        while True:
            at = 0
            try:
                with self._origin.host.connection(self._means.stopped), self._origin.whole() as (now, read):
                    while content := read(_READ):
                        self._take(at, content)
                        at += len(content)
                        if at > furthest:
                            furthest = at
                            tries.progress()
                if now.size not in {None, at}:
                    raise Again(f"the server broke off after {at} of {now.size} bytes")  # noqa: TRY301
            except Again as failure:
                tries.pause(failure)
                self._drop()
            else:
                return dataclasses.replace(now, checksum=now.checksum or version.checksum)

    def _in_parts(self, version: Version, size: int) -> None:
        """Read what is missing over several connections."""
        most = min(max(size // (4 * self._means.connections), _SMALLEST_PIECE), _LARGEST_PIECE)
        pieces = list(pieces_of(self._partial.missing(size), most))
        if not pieces:
            return
        left = iter(pieces)
        with ThreadPoolExecutor(min(self._means.connections, len(pieces))) as pool:
            futures = [pool.submit(self._work, left, version) for _ in range(self._means.connections)]
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise next((error for error in errors if not isinstance(error, _Stopped)), errors[0])

    def _work(self, pieces: Iterator[tuple[int, int]], version: Version) -> None:
        try:
            tries = self._tries()
            while piece := self._next(pieces):
                self._read_piece(*piece, version, tries)
        except BaseException:
            self._failed.set()
            raise

    def _next(self, pieces: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
        with self._guard:
            return next(pieces, None)

    def _read_piece(self, start: int, stop: int, version: Version, tries: _Try) -> None:
        at = start
        while at < stop:
            try:
                with (
                    self._origin.host.connection(self._means.stopped),
                    self._origin.part(at, stop, version) as read,
                ):
                    while at < stop and (content := read(min(_READ, stop - at))):
                        self._take(at, content)
                        at += len(content)
                        tries.progress()
                if at < stop:
                    raise Again("the server broke off")  # noqa: TRY301
            except Again as failure:
                tries.pause(failure)

    def _take(self, at: int, content: bytes) -> None:
        if self._failed.is_set() or self._means.stopped.is_set():
            raise _Stopped
        self._partial.write(at, content)
        with self._guard:
            self._came += len(content)
        self._count(len(content))

    def _count(self, count: int) -> None:
        with self._guard:
            self._counted += count
        self._tell_all(count)

    def _drop(self) -> None:
        """Throw away what has come."""
        self._failed.clear()
        self._partial.restart({})
        self._count(-self._counted)

    def _tries(self) -> _Try:
        return _Try(self._means, self._origin, self._remote.url, self._failed)
