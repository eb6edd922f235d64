"""Where a dataset is published: what every kind of destination can do."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tol_luigi.publication.listed import PublishedFile

    Progress = Callable[[int], object]

__all__ = ["Destination"]

T = TypeVar("T")


class Destination(ABC):
    """A place that files are sent to.

    Attributes:
        name: What messages call it.
        jobs: How many files are sent or compared at a time.
    """

    def __init__(self, name: str, jobs: int) -> None:
        self.name, self.jobs = name, jobs
        self._stopped = threading.Event()

    @abstractmethod
    def is_same(self, file: PublishedFile) -> bool:
        """Return whether the destination has a file with this content, by its checksum."""

    @abstractmethod
    def send_file(self, file: PublishedFile, progress: Progress) -> None:
        """Send one file; the local file is compared with the manifest, and a file cut earlier is continued.

        Raises:
            DamagedError: The local file is not the one in the manifest.
        """

    @abstractmethod
    def names(self) -> set[str]:
        """Return the names of all files at the destination."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return the content of a small file at the destination; None if it is missing."""

    @abstractmethod
    def remove(self, names: Collection[str]) -> None:
        """Remove files at the destination."""

    def same_files(self, files: Sequence[PublishedFile], progress: Progress) -> set[str]:
        """Return the names of those files that the destination has, by their checksums."""

        def compare(file: PublishedFile) -> bool:
            is_same = self.is_same(file)
            progress(file.size)
            return is_same

        return {file.name for file, is_same in zip(files, self._each(compare, files), strict=True) if is_same}

    def send(self, files: Sequence[PublishedFile], progress: Progress) -> None:
        """Send files; on return all of them are complete at the destination."""

        def proceed(size: int) -> None:
            if (
                self._stopped.is_set()
            ):  # by an error of another file, or by Ctrl-C: large files are not finished first
                raise InterruptedError
            progress(size)

        self._each(lambda file: self.send_file(file, proceed), files)

    def _each(self, action: Callable[[PublishedFile], T], files: Sequence[PublishedFile]) -> list[T]:
        """Apply an action to files, several at a time; an error stops the others."""
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(action, file) for file in files]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
