"""The report on a selection as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["other_selections_notes", "selection_text"]


def other_selections_notes(names: Iterable[str]) -> list[str]:
    """Return a line for each selection that is no longer part of the dataset."""
    return [
        f"The selection {name} is not that of [select] name, so it is no part of the dataset, and not verified. "
        f"Its files stay until: tol select --remove {name}"
        for name in names
    ]


def selection_text(figures: Mapping[str, Any], matches: Mapping[str, int] | None = None) -> str:
    """Return the figures on a selection as text.

    Args:
        figures: The figures.
        matches: For each rule, how many samples it is true for; None if that was not counted.
    """
    lines = [f"{counted(figures['samples'], 'sample')} of {figures['split']}"]
    rows = [
        [f"  dropped by {name}", f"{count:,}", _true_for(matches, name)]
        for name, count in figures["filtered"].items()
    ]
    rows += [
        ["  species has too few", f"{figures['too_few']:,}", ""],
        ["  species has more than the most", f"{figures['surplus']:,}", ""],
        ["  selected", f"{figures['selected']:,}", _of_taxa(figures)],
    ]
    return "".join(f"{line.rstrip()}\n" for line in [*lines, *aligned(rows), *_compared(figures)])


def _compared(figures: Mapping[str, Any]) -> list[str]:
    """Return a line on the comparison of vectors, and one on the samples without a place in it."""
    if (compared := figures.get("compared")) is None:
        return []
    lines = [
        f"{compared['method']}: {counted(compared['samples'], 'sample')} of species with more than the most compared"
    ]
    if compared["without_vector"]:
        chosen = f"{compared['chosen_without_vector']:,} of them selected for lack of others"
        lines.append(
            f"without a vector: {counted(compared['without_vector'], 'sample')} of these species, {chosen}"
        )
    if compared["not_drawn"]:
        lines.append(
            f"not compared, as their species has too many: {counted(compared['not_drawn'], 'sample')}"
        )
    return lines


def _true_for(matches: Mapping[str, int] | None, name: str) -> str:
    return "" if matches is None else f"true for {matches[name]:,}"


def _of_taxa(figures: Mapping[str, Any]) -> str:
    return f"of {figures['taxa']:,} taxa" if figures["taxa"] != 1 else "of 1 taxon"
