"""The setting that can fix an error: most readers know only a path, not the setting that names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.errors import TolError

__all__ = ["with_setting"]

_NAMED = re.compile(r"\[[a-z_0-9]+(:[a-z_0-9-]+)?\] [a-z_]+")
"""The form of a setting's name in messages."""


def with_setting(error: TolError, places: Mapping[str, Path], directory: Path) -> TolError:
    """Return an error with the section and key of the setting that names its file, its folder or a parent.

    Args:
        error: The error.
        places: The files and folders that settings name, by section and key. If several name the same place,
            all of them appear in the message; of nested folders, only the innermost.
        directory: The dataset's folder. A setting that names a parent of it does not apply to its files.
    """
    path, _, rest = error.where.partition(":")  # the rest is the part of the file or folder
    names = {} if _NAMED.search(error.where) else _above(Path(path), places, directory)
    if not names:
        return error
    place = max(names.values(), key=lambda named: len(named.parts))
    keys = ", ".join(key for key, named in names.items() if named == place)
    where = f"{keys} = {place}{rest and ':'}{rest}" if Path(path) == place else f"{keys}: {error.where}"
    return type(error)(where, error.what, error.remedy)


def _above(path: Path, places: Mapping[str, Path], directory: Path) -> dict[str, Path]:
    """Return the settings whose place is a path or one of its parent folders."""
    is_own = path.is_relative_to(directory)
    return {
        key: place
        for key, place in places.items()
        if path.is_relative_to(place) and not (is_own and directory.is_relative_to(place))
    }
