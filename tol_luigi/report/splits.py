"""Report what became of given splits and of groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["split_notes", "splits_figures", "splits_text"]


def splits_figures(counts: Mapping[str, Mapping[str, int]], val_percent: int) -> dict[str, Any]:
    """Return everything as JSON.

    Args:
        counts: The counts of each source that gives splits or groups to its images, by the names in
            :class:`~tol_luigi.store.split_hints.SplitCounts`.
        val_percent: The value of ``[dataset] val_percent``.
    """
    return {
        "val_percent": val_percent,
        "sources": {
            source: {
                **count,
                "percent": round(100 * count["val"] / count["images"], 2) if count["images"] else 0,
            }
            for source, count in counts.items()
        },
    }


def split_notes(figures: Mapping[str, Any]) -> list[str]:
    """Return a line for each source: the share of val, what was given, and the groups."""
    return [_line(source, count, figures["val_percent"]) for source, count in figures["sources"].items()]


def _line(source: str, count: Mapping[str, Any], wanted: int) -> str:
    share = (
        f"val of {source}: {count['val']:,} of {counted(count['images'], 'image')}, {count['percent']:g} %"
    )
    exact = count["val"] == count["images"] * wanted // 100
    setting = f"[dataset] val_percent = {wanted}"
    parts = [f"{share} ({setting})" if exact else f"{share} (as near to {setting} as possible)"]
    if given := count["given_train"] + count["given_val"]:
        free = count["images"] - given
        parts = parts if free else [share]
        parts.append(
            f"splits given: {count['given_train']:,} train, {count['given_val']:,} val, {free:,} without one"
        )
    if count["groups"]:
        smallest, largest = count["smallest"], count["largest"]
        least_size = "" if smallest == largest else f"{smallest:,} to "
        sizes = f"of {least_size}{counted(largest, 'image')}"
        parts.append(f"{counted(count['groups'], 'group')} {sizes}, none divided")
    if _is_empty(count, wanted):
        least = math.ceil(100 * (count["smallest"] // 2 + 1) / count["images"])
        parts.append(f"val is empty, since all groups are large: set val_percent to at least {least}")
    return "; ".join(parts)


def _is_empty(count: Mapping[str, Any], wanted: int) -> bool:
    """Return whether val is empty because all images are in groups that are too large for it."""
    is_free = not count["given_train"] and count["grouped"] == count["images"]
    return is_free and not count["val"] and count["images"] * wanted // 100 > 0


def splits_text(figures: Mapping[str, Any]) -> str:
    """Return everything as text."""
    return "".join(f"{line}\n" for line in split_notes(figures))
