"""The folder for results: a local one, or one behind a URL that fsspec knows."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tol_luigi.core.errors import DiskError, SettingsError
from tol_luigi.core.files import clear_disk_errors, committed, remove, remove_leftovers, scratch_path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Folder", "folder_at"]

_FAMILIES = ".families"


class Folder(Protocol):
    """A flat folder of files."""

    families: Path
    """The local folder for the results of extractors, from which the files are made."""

    def path(self, name: str) -> str:
        """Return the path or URL of a file."""

    def sizes(self) -> dict[str, int]:
        """Return the sizes of all files by name."""

    def read(self, name: str) -> bytes:
        """Return the content of a file."""

    def write(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Return a context with the path of a local scratch file, which becomes the file at its end."""

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def clean(self) -> None:
        """Remove what killed processes have left."""


class _Local:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.families = folder, folder / _FAMILIES

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sizes(self) -> dict[str, int]:
        if not self.folder.is_dir():
            return {}
        with os.scandir(self.folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str) -> contextlib.AbstractContextManager[Path]:
        return committed(self.folder / name)

    def remove(self, name: str) -> None:
        remove(self.folder / name)

    def clean(self) -> None:
        remove_leftovers(self.folder, time.time())


class _Remote:
    """A folder behind a URL; files are written here first, and copied when they are complete."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec  # noqa: PLC0415 (only for URLs)

            _, self.folder = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            what = f"it cannot be opened ({' '.join(str(error).split())})"
            remedy = "Install what it needs with pip install 'tol_luigi[dataset2metadata]', or correct it"
            raise SettingsError(f"output_metadata_dir {url}", what, remedy) from error
        self.url = url.rstrip("/")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.families = cache / "tol_luigi" / "features" / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def system(self) -> Any:  # noqa: ANN401 (fsspec has no types)
        """The store. fsspec keeps one for each process, since most cannot be used after a fork."""
        import fsspec  # noqa: PLC0415 (as above)

        return fsspec.core.url_to_fs(self.url)[0]

    def path(self, name: str) -> str:
        return f"{self.url}/{name}"

    def _path(self, name: str) -> str:
        return posixpath.join(self.folder, name)

    def sizes(self) -> dict[str, int]:
        with self._clear_errors(""):
            self.system.invalidate_cache()
            try:
                entries = self.system.ls(self.folder, detail=True)
            except FileNotFoundError:
                return {}
            files = [entry for entry in entries if entry["type"] == "file"]
            return {posixpath.basename(entry["name"]): entry["size"] for entry in files}

    def read(self, name: str) -> bytes:
        with self._clear_errors(name):
            return bytes(self.system.cat_file(self._path(name)))

    @contextlib.contextmanager
    def write(self, name: str) -> Iterator[Path]:
        local = scratch_path(self.families / name)
        with clear_disk_errors(local):
            self.families.mkdir(parents=True, exist_ok=True)
            try:
                yield local
                with self._clear_errors(name):
                    self.system.makedirs(self.folder, exist_ok=True)
                    self.system.put_file(str(local), self._path(name))
            finally:
                local.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        with self._clear_errors(name), contextlib.suppress(FileNotFoundError):
            self.system.rm_file(self._path(name))

    def clean(self) -> None:
        remove_leftovers(self.families, time.time())

    @contextlib.contextmanager
    def _clear_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each store has errors of its own
            what = f"the store refuses it ({' '.join(str(error).split()) or type(error).__name__})"
            raise DiskError(self.path(name), what, "Run the same command again") from error


def folder_at(place: str) -> Folder:
    """Return the folder at a path or URL.

    Raises:
        SettingsError: No installed package knows the URL.
    """
    return _Remote(place) if "://" in place else _Local(Path(place).expanduser().absolute())
