"""The answers of a partition that is being fetched, in one file that is only appended to.

A killed process loses at most the answer that it was writing: each record has a checksum, and what follows the last
valid one is cut off.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import struct
import time
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Self

from tol_luigi.core.files import clear_disk_errors
from tol_luigi.downloads.fetch_outcomes import Outcome, UrlState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["FetchedParts"]

_HEAD = struct.Struct(">4sIQ32s")
"""Mark, length of the outcome, length of the content, SHA-256 of both."""

_MARK = b"tolF"
_MOST_JSON = 1 << 20
_POLL_SECONDS = 0.2


class FetchedParts:
    """The outcomes of URLs and their images.

    Args:
        path: The file, which is locked while it is open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        """Open the file, and read what it contains."""
        with clear_disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._locked()
            end = self._read()
            self._file.truncate(end)
            self._file.seek(end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def _locked(self) -> IO[bytes]:
        """Open and lock the file, as soon as no other process writes it."""
        while True:
            file = self.path.open("a+b")
            with contextlib.suppress(BlockingIOError):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise
                except OSError:  # no locks on this file system; then a scheduler keeps others away
                    return file
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(file.fileno()), self.path.stat()):
                        return file
            file.close()
            time.sleep(_POLL_SECONDS)

    def _read(self) -> int:
        """Read the outcomes; return the end of the last valid record."""
        end = 0
        self._file.seek(0)
        for url, outcome, place, length in self._records():
            self.outcomes[url], self._places[url] = outcome, (place, length)
            end = place + length
        return end

    def _records(self) -> Iterator[tuple[str, Outcome, int, int]]:
        while len(head := self._file.read(_HEAD.size)) == _HEAD.size:
            mark, size, length, digest = _HEAD.unpack(head)
            if mark != _MARK or size > _MOST_JSON:
                return
            text, place = self._file.read(size), self._file.tell()
            if length > os.fstat(self._file.fileno()).st_size - place:
                return
            content = self._file.read(length)
            if hashlib.sha256(text + content).digest() != digest:
                return
            fields = json.loads(text)
            url = fields.pop("url")
            yield url, Outcome(**{**fields, "state": UrlState(fields["state"])}), place, length

    def add(self, url: str, outcome: Outcome, content: bytes) -> None:
        """Append the outcome of a URL, and its image."""
        text = json.dumps({"url": url, **asdict(outcome)}).encode()
        head = _HEAD.pack(_MARK, len(text), len(content), hashlib.sha256(text + content).digest())
        with clear_disk_errors(self.path):
            self._file.write(head + text + content)
            self._file.flush()
        self.outcomes[url] = outcome
        self._places[url] = self._file.tell() - len(content), len(content)

    def content(self, url: str) -> bytes:
        """Return the image of a URL."""
        place, length = self._places[url]
        return os.pread(self._file.fileno(), length, place)
