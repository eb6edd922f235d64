"""Report how many images of each source match the table with their names."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tol_luigi.core.matching import Cause, Match
from tol_luigi.core.source_names import section_of
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "match_line",
    "match_notes",
    "matches_figures",
    "matches_of",
    "matches_text",
    "mismatch",
    "missing_value_lines",
]


def match_line(match: Match) -> str:
    """Return the counts of a match as one sentence."""
    return f"{match.table} names {_files(match)}{_labels(match)}"


def _files(match: Match) -> str:
    return f"{match.matched_files:,} of {counted(match.files, 'image')} of {match.source}"


def _labels(match: Match) -> str:
    if match.labels is None:
        return ""
    if not match.labels:
        return ", because it has no rows"
    return f"; for {match.matched_labels:,} of {counted(match.labels, 'name')}, there is an image"


def mismatch(match: Match) -> str:
    """Return the counts of unmatched images and names, with examples and the likely cause."""
    shown = [
        f"{what}: {', '.join(map(repr, names))}"
        for what, names in (
            ("images without a name", match.unmatched_files),
            ("names without an image", match.unmatched_labels),
        )
        if names
    ]
    examples = f" ({'; '.join(shown)})" if shown else ""
    return f"it names {_files(match)}{_labels(match)}{examples}{_cause_text(match.cause)}"


def _cause_text(cause: Cause | None) -> str:
    if cause is None:
        return ""
    differences = " and ".join(cause.differences)
    matched = f"without that, {cause.matched:,} more would match, such as {cause.file!r} and {cause.label!r}"
    return f"; the likely cause: {differences} differ ({matched})"


def matches_figures(
    matches: Sequence[Match], kept: int, missing_values: Mapping[str, Mapping[tuple[str, str], int]]
) -> dict[str, Any]:
    """Return everything as JSON, except for the paths of tables, which may change.

    Args:
        matches: The matches of each source.
        kept: The number of images to be written.
        missing_values: The number of cells that look like a placeholder for a missing value, by source, then
            by (spelling, column).
    """
    return {
        "images": kept,
        "matches": [_figures(match) for match in matches],
        "likely_missing_values": [
            {"source": source, "spelling": spelling, "column": column, "cells": cells}
            for source, counts in missing_values.items()
            for (spelling, column), cells in counts.items()
        ],
    }


def _figures(match: Match) -> dict[str, Any]:
    figures = asdict(match)
    del figures["path"]
    return figures


def matches_of(figures: Mapping[str, Any]) -> list[Match]:
    """Read the matches from the result of :func:`matches_figures`."""
    return [
        Match(**{**match, "cause": Cause(**match["cause"]) if match["cause"] else None}, path="")
        for match in figures["matches"]
    ]


def missing_value_lines(figures: Mapping[str, Any]) -> list[str]:
    """Return a warning for each source with names that look like placeholders for missing values."""
    spellings: dict[str, dict[str, int]] = {}
    for row in figures["likely_missing_values"]:
        counts = spellings.setdefault(row["source"], {})
        counts[row["spelling"]] = counts.get(row["spelling"], 0) + row["cells"]
    return [
        f"{counted(sum(counts.values()), 'cell')} of [{section_of(source)}] labels read as names may mark missing "
        f"values: {', '.join(f'{spelling!r} ({cells:,})' for spelling, cells in counts.items())}. If so, set "
        f"[{section_of(source)}] missing_values = {','.join(dict.fromkeys(map(str.lower, counts)))}."
        for source, counts in spellings.items()
    ]


def match_notes(figures: Mapping[str, Any]) -> list[str]:
    """Return the notes for the closing summary: names that almost match, and likely missing values."""
    close = [match for match in matches_of(figures) if match.cause]
    notes = [f"{match.table}: {mismatch(match)}." for match in close]
    return [*notes, *missing_value_lines(figures)]


def matches_text(figures: Mapping[str, Any]) -> str:
    """Return everything as text."""
    lines = [f"{counted(figures['images'], 'image')} to write.", ""]
    for match in matches_of(figures):
        lines.append(match_line(match))
        lines += [f"  image without a name: {name!r}" for name in match.unmatched_files]
        lines += [f"  name without an image: {name!r}" for name in match.unmatched_labels]
        lines += [f"  {_cause_text(match.cause).removeprefix('; ')}"] if match.cause else []
    for row in figures["likely_missing_values"]:
        lines.append(
            f"{row['source']}: {counted(row['cells'], 'cell')} with {row['spelling']!r} in column {row['column']}"
        )
    return "\n".join(lines) + "\n"
