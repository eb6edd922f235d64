"""Models that the user has: where their files are, and what they expect."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.weights import sha256_weights

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """A model of the user.

    Attributes:
        name: Its name in the settings.
        path: A file, or a folder with all its files.
    """

    name: str
    path: Path

    @functools.cached_property
    def sha256(self) -> str:
        """The SHA-256 of its file; of a folder, that of the names and SHA-256 of the files in it.

        Raises:
            SettingsError: It does not exist, or cannot be read.
        """
        where = f"[features] models: {self.name} = {self.path}"
        try:
            if not self.path.is_dir():
                return sha256_weights(self.path)
            files = sorted(path for path in self.path.rglob("*") if path.is_file())
            lines = [f"{path.relative_to(self.path).as_posix()} {sha256_weights(path)}\n" for path in files]
        except OSError as error:
            what = f"it cannot be read ({error.strerror})"
            raise SettingsError(where, what, "Set it to the file or folder of the model") from error
        if not lines:
            raise SettingsError(where, "the folder is empty", "Set it to the folder with the model's files")
        return hashlib.sha256("".join(lines).encode()).hexdigest()
