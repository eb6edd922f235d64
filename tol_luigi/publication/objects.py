"""Publish to any store that fsspec knows; the unit that is sent again after a cut is a file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tol_luigi.publication.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Collection

    from tol_luigi.publication.destination import Progress
    from tol_luigi.publication.listed import PublishedFile

__all__ = ["StoreDestination"]

_BLOCK = 1 << 22


class StoreDestination(Destination):
    """A folder of a store.

    Args:
        name: Its URL.
        jobs: How many files are sent or compared at a time.
        files: The file system of fsspec.
        root: The path of the folder in it.
    """

    def __init__(self, name: str, jobs: int, files: Any, root: str) -> None:  # noqa: ANN401 (fsspec is untyped)
        super().__init__(name, jobs)
        self.files, self.root = files, root.rstrip("/")

    def path(self, name: str) -> str:
        """Return the path of a file in the file system."""
        return f"{self.root}/{name}"

    def is_same(self, file: PublishedFile) -> bool:
        """Return whether the file there has this size, and when read this SHA-256."""
        try:
            size = self.files.info(self.path(file.name))["size"]
        except FileNotFoundError:
            return False
        return size == file.size and self.read_back(file.name) == file.sha256

    def read_back(self, name: str) -> str:
        """Read a file, and return its SHA-256."""
        digest = hashlib.sha256()
        with self.files.open(self.path(name), "rb", block_size=_BLOCK, cache_type="readahead") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def send_file(self, file: PublishedFile, progress: Progress) -> None:
        """Send a file, if it is the one in the manifest."""
        file.validate()
        path = self.path(file.name)
        self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.files.put_file(str(file.path), path)
        progress(file.size)

    def names(self) -> set[str]:
        """Return all files below the folder."""
        self.files.invalidate_cache()
        prefix = f"{self.root.lstrip('/')}/"
        try:
            found = self.files.find(self.root)
        except FileNotFoundError:
            return set()
        return {path.lstrip("/").removeprefix(prefix) for path in found}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        try:
            content: bytes = self.files.cat_file(self.path(name))
        except FileNotFoundError:
            return None
        return content

    def remove(self, names: Collection[str]) -> None:
        """Remove files."""
        for name in names:
            self.files.rm_file(self.path(name))
