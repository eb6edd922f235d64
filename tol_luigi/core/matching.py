"""How many images of a source match the table that names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXAMPLES", "Cause", "Match"]

EXAMPLES = 3
"""The most names of each side that are shown."""


@dataclass(frozen=True)
class Cause:
    """The difference that explains most names without a match.

    Attributes:
        differences: What differs, in words.
        matched: How many names of files would match without it.
        label: A name in the table that would match.
        file: The file that it would match.
    """

    differences: tuple[str, ...]
    matched: int
    label: str
    file: str


@dataclass(frozen=True)
class Match:
    """How the images of a source match a table.

    Attributes:
        source: The source.
        table: The section and key that name the table, such as ``[folder] labels``.
        path: The table, as the settings name it.
        files: How many files there are that can be images.
        matched_files: How many of them the table names.
        labels: How many images the table names; None if it names more than there are files for, as a taxonomy does.
        matched_labels: How many of these have a file.
        unmatched_files: The first files without a match.
        unmatched_labels: The first names in the table without a match.
        cause: Why they do not match, if that is known.
    """

    source: str
    table: str
    path: str
    files: int
    matched_files: int
    labels: int | None = None
    matched_labels: int = 0
    unmatched_files: Sequence[str] = ()
    unmatched_labels: Sequence[str] = ()
    cause: Cause | None = None

    @property
    def percent(self) -> float:
        """The percentage that matches, on the side where it is higher: there may be files for some labels only, or the reverse."""
        shares = [(self.matched_files, self.files)]
        if self.labels is not None:
            shares.append((self.matched_labels, self.labels))
        return max((100 * matched / total for matched, total in shares if total), default=100.0)
