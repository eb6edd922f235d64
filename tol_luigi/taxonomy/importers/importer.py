"""What an importer of a taxonomy is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["NAME", "Importer", "Read"]

NAME = re.compile(r"[a-z][a-z0-9-]*")
"""Names of formats in the settings."""


class Read(Protocol):
    """The function that reads a taxonomy."""

    def __call__(self, path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
        """Return the tables of a taxonomy.

        Args:
            path: Its file, folder or archive.
            prefix: The prefix of its ids, such as ``ncbi``.
            vernaculars: A table of vernacular names in another place, for the formats that have one.

        Raises:
            TolError: It cannot be read.
        """


@dataclass(frozen=True, kw_only=True)
class Importer:
    """A format of taxonomies.

    Attributes:
        name: Its name in settings.
        description: What it is, in a few words.
        place: What its path is: a file, a folder, an archive.
        read: Reads it.
        recognises: Returns whether a path has this format, by names of files and columns; for the format ``auto``.
        has_vernaculars: Whether a table of vernacular names can be given.
        flags_by_name: Whether viruses, hybrids and what is no taxonomic unit are known by their names only.
    """

    name: str
    description: str
    place: str
    read: Read
    recognises: Callable[[Path], bool]
    has_vernaculars: bool = False
    flags_by_name: bool = False
