"""Publish to a folder: each file is copied next to its place, and renamed when it is complete."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.core.files import ATTEMPT, committed, remove, remove_leftovers, sha256_file
from tol_luigi.publication.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tol_luigi.publication.destination import Progress
    from tol_luigi.publication.listed import PublishedFile

__all__ = ["FolderDestination"]

_BLOCK = 1 << 20


class FolderDestination(Destination):
    """A folder, which is created if it is missing."""

    def __init__(self, name: str, jobs: int) -> None:
        super().__init__(name, jobs)
        self.folder = Path(name)

    def is_same(self, file: PublishedFile) -> bool:
        """Return whether the file there has this size, and when read this SHA-256."""
        path = self.folder / file.name
        return path.is_file() and path.stat().st_size == file.size and sha256_file(path) == file.sha256

    def send_file(self, file: PublishedFile, progress: Progress) -> None:
        """Copy a file, and rename it if it is the one in the manifest."""
        digest = hashlib.sha256()
        try:
            source = file.path.open("rb")
        except FileNotFoundError as error:
            raise file.damage() from error
        with source, committed(self.folder / file.name) as scratch, scratch.open("wb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
                progress(len(block))
            if digest.hexdigest() != file.sha256:
                raise file.damage()

    def send(self, files: Sequence[PublishedFile], progress: Progress) -> None:
        """Copy files, without the leftovers of a killed copy."""
        remove_leftovers(self.folder, time.time())
        super().send(files, progress)

    def names(self) -> set[str]:
        """Return all files in the folder."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and ATTEMPT not in path.name)
        return {path.relative_to(self.folder).as_posix() for path in found}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def remove(self, names: Collection[str]) -> None:
        """Remove files."""
        for name in names:
            remove(self.folder / name)
