"""Figures on the match between the images of a source and the table of their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXAMPLES", "Cause", "Match"]

EXAMPLES = 3
"""The most example names per side."""


@dataclass(frozen=True)
class Cause:
    """The difference that explains most names without a match.

    Attributes:
        differences: The differences as text.
        matched: The number of file names that would match without them.
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
        table: The section and key of the table, such as ``[folder] labels``.
        path: The path of the table in the settings.
        files: The number of files that can be images.
        matched_files: The number of these that the table lists.
        labels: The number of images in the table; None for a table such as a taxonomy, which lists more than
            the files.
        matched_labels: The number of these that have a file.
        unmatched_files: The first files without a match.
        unmatched_labels: The first names in the table without a match.
        cause: Why they do not match, if known.
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
        """The percentage of matches of files or labels, whichever is higher: either may be a subset."""
        sides = [(self.matched_files, self.files)]
        if self.labels is not None:
            sides.append((self.matched_labels, self.labels))
        return max((100 * matched / total for matched, total in sides if total), default=100.0)
