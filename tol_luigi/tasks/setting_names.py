"""The setting that can fix an error: most readers know only a path, not the setting that names it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    where = error.where
    names = {} if _NAMED.search(where) else _above(where, places, directory)
    if not names:
        return error
    place = max(names.values(), key=lambda named: len(named.parts))
    keys = ", ".join(key for key, named in names.items() if named == place)
    sign = ":" if (_rest(where, place) or "").startswith("/") else " ="
    return type(error)(f"{keys}{sign} {where}", error.what, error.remedy)


def _above(where: str, places: Mapping[str, Path], directory: Path) -> dict[str, Path]:
    """Return the settings whose place is a path in a message, or one of its parent folders."""
    is_own = _rest(where, directory) is not None
    return {
        key: place
        for key, place in places.items()
        if _rest(where, place) is not None and not (is_own and directory.is_relative_to(place))
    }


def _rest(where: str, place: Path) -> str | None:
    """Return what follows a place in a message: "", a path below it, or its part; None if the message is of another one.

    Names may have colons: only a colon and a blank separate a part.
    """
    text = str(place)
    rest = where.removeprefix(text)
    return rest if where.startswith(text) and (not rest or rest.startswith(("/", ": "))) else None
