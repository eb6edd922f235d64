"""Format the closing summary of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tol_luigi.report.text import aligned, counted, human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Summary", "counts_table", "summary_text"]


@dataclass(frozen=True)
class Summary:
    """The results of a build.

    Attributes:
        dataset: The folder of the dataset.
        catalog: The final catalog.
        written: The number of written images by (split, source).
        rejected: The number of other images by (state, source).
        shards: The number of shards by split.
        size: The bytes of all shards.
        seconds: The seconds since the start of the command.
        notes: Further notes, one per line.
        report: The page of the report, if there is one.
    """

    dataset: Path
    catalog: Path
    written: Mapping[tuple[str, str], int]
    rejected: Mapping[tuple[str, str], int]
    shards: Mapping[str, int]
    size: int
    seconds: float
    notes: list[str] = field(default_factory=list)
    report: Path | None = None


def summary_text(summary: Summary) -> str:
    """Return the results as a table."""
    sources = list(dict.fromkeys(source for _, source in [*summary.written, *summary.rejected]))
    lines = [f"Dataset {summary.dataset}", ""]
    lines += counts_table("images", summary.written, sources)
    if summary.rejected:
        lines += ["", *counts_table("rejected", summary.rejected, sources)]
    shards = ", ".join(f"{count:,} of {split}" for split, count in summary.shards.items())
    size, total = human_bytes(summary.size), sum(summary.shards.values())
    lines += ["", f"{counted(total, 'shard')} ({shards}), {size}, in {human_seconds(summary.seconds)}"]
    lines += [f"report: {summary.report}"] if summary.report else []
    lines += [f"catalog: {summary.catalog}", *summary.notes]
    return "\n".join(lines) + "\n"


def counts_table(head: str, counts: Mapping[tuple[str, str], int], sources: list[str]) -> list[str]:
    """Return the lines of a table of counts by row and source, with the sum of each row."""
    rows = list(dict.fromkeys(row for row, _ in counts))
    cells = [[head, *sources, "all"]]
    for row in rows:
        values = [counts.get((row, source), 0) for source in sources]
        cells.append([row, *(f"{value:,}" for value in [*values, sum(values)])])
    return aligned(cells)
