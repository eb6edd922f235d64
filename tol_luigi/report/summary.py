"""The closing summary of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tol_luigi.report.text import aligned, human_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Summary", "counts_table", "summary_text"]


@dataclass(frozen=True)
class Summary:
    """The figures of a build.

    Attributes:
        dataset: Its folder.
        catalog: The final catalog.
        written: Images by (split, source).
        left_out: Images by (state, source).
        shards: Shards by split.
        size: Bytes of all shards.
        seconds: Since the command was given.
        notes: What else to say, a line each.
    """

    dataset: Path
    catalog: Path
    written: Mapping[tuple[str, str], int]
    left_out: Mapping[tuple[str, str], int]
    shards: Mapping[str, int]
    size: int
    seconds: float
    notes: list[str] = field(default_factory=list)


def summary_text(summary: Summary) -> str:
    """Write the figures as a table that a person reads at a glance."""
    sources = list(dict.fromkeys(source for _, source in [*summary.written, *summary.left_out]))
    lines = [f"Dataset {summary.dataset}", ""]
    lines += counts_table("images", summary.written, sources)
    if summary.left_out:
        lines += ["", *counts_table("left out", summary.left_out, sources)]
    shards = ", ".join(f"{count:,} of {split}" for split, count in summary.shards.items())
    lines += [
        "",
        f"{sum(summary.shards.values()):,} shards ({shards}), {human_bytes(summary.size)}, in {summary.seconds:.1f} s",
    ]
    lines += [f"catalog: {summary.catalog}", *summary.notes]
    return "\n".join(lines) + "\n"


def counts_table(head: str, counts: Mapping[tuple[str, str], int], sources: list[str]) -> list[str]:
    """Lay out counts by row and source, with sums by row."""
    rows = list(dict.fromkeys(row for row, _ in counts))
    cells = [[head, *sources, "all"]]
    for row in rows:
        values = [counts.get((row, source), 0) for source in sources]
        cells.append([row, *(f"{value:,}" for value in [*values, sum(values)])])
    return aligned(cells)
