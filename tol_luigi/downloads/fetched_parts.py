"""The answers of a partition that is being fetched, in one file that is only appended to, with the images as they are stored.

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
from dataclasses import fields
from typing import IO, TYPE_CHECKING, Self

from tol_luigi.core.files import clear_disk_errors
from tol_luigi.downloads.fetch_outcomes import RECEIVED, Outcome, StoredImage, StoredPart, UrlState
from tol_luigi.sources.url_rows import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["FetchedParts"]

_HEAD = struct.Struct(">4sIQ32s")
"""Mark, length of the outcome, length of the content, SHA-256 of both."""

_MARK = b"tolF"
_MOST_JSON = 1 << 20
_FIELDS = tuple(field.name for field in fields(Outcome))
_POLL_SECONDS = 0.2


class FetchedParts:
    """The outcomes of URLs and their images.

    Args:
        path: The file, which is locked while it is open.
        store: How images are stored, as text; answers with images that are stored otherwise are ignored.
    """

    def __init__(self, path: Path, store: str = "") -> None:
        self.path, self.store = path, store
        self.outcomes: dict[str, Outcome] = {}
        self._parts: dict[str, dict[Box | str | None, StoredPart]] = {}
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
        for text, end in self._records():
            values = json.loads(text)
            url, store, images = (values.pop(name) for name in ("url", "store", "images"))
            if images and store != self.store:
                continue
            self.outcomes[url] = Outcome(**{**values, "state": UrlState(values["state"])})
            place = end - sum(size for _, size, *_ in images)
            self._parts[url] = {}
            for key, size, *image in images:
                self._parts[url][_key(key)] = StoredPart(place, size, StoredImage(b"", *image))
                place += size
        return end

    def _records(self) -> Iterator[tuple[bytes, int]]:
        """Yield the text of each valid record, and its end."""
        while len(head := self._file.read(_HEAD.size)) == _HEAD.size:
            mark, size, length, digest = _HEAD.unpack(head)
            if mark != _MARK or size > _MOST_JSON:
                return
            text = self._file.read(size)
            end = self._file.tell() + length
            if end > os.fstat(self._file.fileno()).st_size:
                return
            if _digest(text, self._file.read(length)) != digest:
                return
            yield text, end

    def add(self, url: str, outcome: Outcome, images: Mapping[Box | str | None, StoredImage]) -> None:
        """Append the outcome of a URL, and what is stored of its image, by box."""
        listed = [(key, len(image.content), *image[1:]) for key, image in images.items()]
        values = {name: getattr(outcome, name) for name in _FIELDS}
        text = json.dumps({"url": url, "store": self.store, "images": listed, **values}).encode()
        content = b"".join(image.content for image in images.values())
        head = _HEAD.pack(_MARK, len(text), len(content), _digest(text, content))
        with clear_disk_errors(self.path):
            self._file.writelines((head, text, content))
            self._file.flush()
        self.outcomes[url], self._parts[url] = outcome, {}
        place = self._file.tell() - len(content)
        for key, image in images.items():
            self._parts[url][key] = StoredPart(place, len(image.content), image._replace(content=b""))
            place += len(image.content)

    def image(self, url: str, box: Box | None) -> StoredImage:
        """Return what is stored of the image of a URL."""
        parts = self._parts[url]
        return (parts.get(RECEIVED) or parts[box]).read(self._file)


def _digest(text: bytes, content: bytes) -> bytes:
    found = hashlib.sha256(text)
    found.update(content)
    return found.digest()


def _key(listed: list[int] | str | None) -> Box | str | None:
    """Return the key of an image from JSON."""
    return Box(*listed) if isinstance(listed, list) else listed
