"""The images that the settings of a source select: by names, such as those of taxa, and by number per species."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.keys import hashed_number
from tol_luigi.core.sections import setting
from tol_luigi.core.setting_kinds import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["SpeciesLimit", "WantedNames", "per_species_setting"]


def per_species_setting() -> Any:  # noqa: ANN401 (a field of any type)
    """Return the field of a section for the number of images per species."""
    description = "the largest number of images per species; images without a species do not count"
    return setting(Limit(), None, description, determines=True)


class WantedNames:
    """The names in a setting, of which an image must have one; upper and lower case do not matter.

    Args:
        setting: The section and key, for messages.
        names: The names; None if all images are wanted.
    """

    def __init__(self, setting: str, names: Iterable[str] | None) -> None:
        self._setting = setting
        self._names = None if names is None else {name.casefold(): name for name in names}
        self._found = set[str]()

    def accepts(self, names: Iterable[str]) -> bool:
        """Return whether one of the names is wanted."""
        if self._names is None:
            return True
        found = self._names.keys() & map(str.casefold, names)
        self._found |= found
        return bool(found)

    def validate_found(self, table: Path) -> None:
        """Raise an error if a wanted name was in no row of a table, probably because it is misspelled.

        Raises:
            SettingsError: A name was in no row.
        """
        for plain, name in (self._names or {}).items():
            if plain not in self._found:
                what = f"no image in {table} has the name {name!r}"
                raise SettingsError(self._setting, what, "Correct the name, or remove it")


class SpeciesLimit:
    """Chooses up to a number of images of each species.

    The images with the lowest hashes of their keys are chosen, so the choice depends neither on the order of the rows
    nor on the machine.

    Args:
        most: The largest number of images per species; None for no limit.
    """

    def __init__(self, most: int | None) -> None:
        self.most = most
        self._kept: dict[str, list[int]] = {}

    def add(self, species: str, key: str) -> None:
        """Add an image; those without a species are not counted."""
        if species and self.most is not None:
            kept = self._kept.setdefault(species, [])
            heapq.heappush(kept, -hashed_number(key))  # the highest hash is first
            if len(kept) > self.most:
                heapq.heappop(kept)

    def accepts(self, species: str, key: str) -> bool:
        """Return whether an image is chosen; all images must have been added before."""
        if not species or self.most is None:
            return True
        kept = self._kept.get(species, [])
        return bool(kept) and hashed_number(key) <= -kept[0]
