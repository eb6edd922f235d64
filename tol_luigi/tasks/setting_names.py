"""The setting that can fix an error: most readers of files know a path only, and not which setting names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.core.errors import TolError

__all__ = ["with_setting"]

_NAMED = re.compile(r"\[[a-z_0-9]+\] [a-z_]+")
"""How messages name a setting."""


def with_setting(error: TolError, places: Mapping[str, Path], directory: Path) -> TolError:
    """Return an error with the section and key of the setting that names its file or folder, or a folder above that.

    Args:
        error: The error.
        places: The files and folders that settings name, by section and key. Where several name the same one, all of
            them are given; of a folder and another one in it, the inner one.
        directory: The dataset's folder. A setting that names a folder above it is not asked about its files.
    """
    path, _, rest = error.where.partition(":")  # what follows says which part of the file or folder
    names = {} if _NAMED.search(error.where) else _above(Path(path), places, directory)
    if not names:
        return error
    place = max(names.values(), key=lambda named: len(named.parts))
    keys = ", ".join(key for key, named in names.items() if named == place)
    where = f"{keys} = {place}{rest and ':'}{rest}" if Path(path) == place else f"{keys}: {error.where}"
    return type(error)(where, error.what, error.remedy)


def _above(path: Path, places: Mapping[str, Path], directory: Path) -> dict[str, Path]:
    """Return the places that a path is, or is in."""
    is_own = path.is_relative_to(directory)
    return {
        key: place
        for key, place in places.items()
        if path.is_relative_to(place) and not (is_own and directory.is_relative_to(place))
    }
