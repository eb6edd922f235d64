"""The files and folders that a dataset was built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.files import read_json
from tol_luigi.core.source_names import setting_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.core.layout import Layout

__all__ = ["BuildInputs", "read_places"]


@dataclass(frozen=True)
class BuildInputs:
    """The known inputs of a dataset.

    Attributes:
        sources: The names of the sources, in the order of the catalogs.
        seed: The value of ``[dataset] seed``.
        places: The paths of the input files and folders, by their setting, such as ``[eol] images``.
    """

    sources: Sequence[str]
    seed: int
    places: Mapping[str, str]

    def place(self, section: str, key: str) -> str:
        """Return the path that a setting names, or "" if it is not set or unknown.

        Args:
            section: The section, or the source that it belongs to.
            key: The key.
        """
        return self.places.get(setting_of(section, key), "")


def read_places(layout: Layout) -> dict[str, str] | None:
    """Return the paths that a dataset was built from, or None if their record is missing or unreadable."""
    try:
        places = read_json(layout.inputs)
    except (OSError, ValueError):
        return None
    is_valid = isinstance(places, dict) and all(isinstance(place, str) for place in places.values())
    return places if is_valid else None
