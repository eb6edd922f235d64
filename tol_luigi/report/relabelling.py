"""Report the differences between a relabelled dataset and the previous one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.summary import counts_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["relabelling_figures", "relabelling_text"]


def relabelling_figures(changes: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return the counts of changes by source, and their sums over all sources, as JSON."""
    changes_seen = dict.fromkeys(what for counts in changes.values() for what in counts)
    return {
        "all": {what: sum(counts.get(what, 0) for counts in changes.values()) for what in changes_seen},
        "sources": {source: dict(counts) for source, counts in changes.items()},
    }


def relabelling_text(previous: Path, new: Path, changes: Mapping[str, Mapping[str, int]]) -> str:
    """Return the counts as a table, without lines that contain only zeros."""
    figures = relabelling_figures(changes)["all"]
    shown = [what for what, count in figures.items() if count or what in {"compared", "relabelled"}]
    counts = {(what, source): counted.get(what, 0) for what in shown for source, counted in changes.items()}
    lines = [f"Labels of {new}, compared with {previous}", "", *counts_table("images", counts, list(changes))]
    return "\n".join(lines) + "\n"
