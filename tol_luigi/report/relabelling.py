"""The report on what a relabelled dataset has otherwise than the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.summary import counts_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["relabelling_figures", "relabelling_text"]


def relabelling_figures(changes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Give all figures, for programs: by source, then what has changed, and the sums of all sources."""
    whats = dict.fromkeys(what for counts in changes.values() for what in counts)
    return {
        "all": {what: sum(counts.get(what, 0) for counts in changes.values()) for what in whats},
        "sources": {source: dict(counts) for source, counts in changes.items()},
    }


def relabelling_text(older: Path, newer: Path, changes: Mapping[str, Mapping[str, int]]) -> str:
    """Give the figures as a table that a person reads at a glance; what did not happen is left out."""
    figures = relabelling_figures(changes)["all"]
    shown = [what for what, count in figures.items() if count or what in {"compared", "relabelled"}]
    counts = {(what, source): told.get(what, 0) for what in shown for source, told in changes.items()}
    lines = [f"Labels of {newer}, compared with {older}", "", *counts_table("images", counts, list(changes))]
    return "\n".join(lines) + "\n"
