"""The folder of an export."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.files import committed, read_object, remove, remove_leftovers, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["ExportFolder"]

_LIST = ".export.json"


class ExportFolder:
    """A folder that an export is written into.

    Names of files are relative to the folder. A name that ends with ``/`` is a folder of the export with all that is in it.

    Args:
        folder: The folder; it may have an earlier export, but nothing else.
        layout: The name of the layout.
        option: What names the folder on the command line.

    Raises:
        SettingsError: It has other files, or an export in another layout.
    """

    def __init__(self, folder: Path, layout: str, option: str = "--output") -> None:
        self.folder, self.layout = folder, layout
        remove_leftovers(folder, time.time())
        earlier = read_object(folder / _LIST)
        self._earlier: list[str] = earlier.get("files", [])
        self.files: list[str] = []
        if earlier.get("layout", layout) != layout:
            what = f"it has an export for {earlier['layout']}"
            raise SettingsError(f"{option} {folder}", what, "Name another folder")
        if not earlier and folder.is_dir() and any(folder.iterdir()):
            what = "it is not empty, and nothing in it is known to be from an export"
            raise SettingsError(f"{option} {folder}", what, "Name another folder")
        # What is about to be written is listed first, so that an interrupted export can be repeated.
        write_json(folder / _LIST, {"layout": layout, "files": self._earlier})

    def write(self, name: str) -> AbstractContextManager[Path]:
        """Return a context with the path of a scratch file, which becomes the file with a name at its end."""
        self.files.append(name)
        return committed(self.folder / name)

    def keep(self, names: Iterable[str]) -> None:
        """List files that are as they should be already."""
        self.files.extend(names)

    def finish(self) -> list[str]:
        """Remove what only an earlier export has written, and list the files; return their names."""
        folders = tuple(name for name in self.files if name.endswith("/"))
        listed = {name for name in self.files if name in folders or not name.startswith(folders)}
        for name in sorted(set(self._earlier) - listed):
            if name.endswith("/"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            else:
                remove(self.folder / name)
        write_json(self.folder / _LIST, {"layout": self.layout, "files": sorted(listed)})
        return self.files
