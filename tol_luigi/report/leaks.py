"""Report the images of benchmarks that were excluded from a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Leaks", "leak_figures", "leak_line", "leak_text"]

_LABELS = {
    "id": "by id",
    "species": "by species",
    "exact_hash": "exact duplicates",
    "perceptual_hash": "near-duplicates (perceptual hash)",
}


@dataclass(frozen=True)
class Leaks:
    """The excluded images.

    Attributes:
        listed: The contents of each list by kind: counts, and the names of images that cannot be opened.
        matched: The number of excluded images by (list, source, kind of match). The kind is ``id``,
            ``species``, ``exact_hash`` or ``perceptual_hash``. Images of train_small are not counted, because
            train contains them.
        sources: The sources of the dataset.
        distance: The maximum number of different bits between perceptual hashes of near-duplicates. Below 0,
            only exact duplicates were searched. None if no benchmark images are configured.
    """

    listed: Mapping[str, Mapping[str, Any]]
    matched: Mapping[tuple[str, str, str], int]
    sources: Sequence[str]
    distance: int | None


def leak_figures(leaks: Leaks) -> dict[str, Any]:
    """Return the counts as JSON."""
    return {
        "distance": leaks.distance,
        "lists": {
            name: {
                "listed": dict(listed),
                "matched": {source: _counts(leaks, name, source) for source in leaks.sources},
            }
            for name, listed in leaks.listed.items()
        },
    }


def leak_text(leaks: Leaks) -> str:
    """Return the counts as text."""
    lines = []
    for name, listed in leaks.listed.items():
        counts = [f"{value:,} {kind.replace('_', ' ')}" for kind, value in listed.items() if _is_count(value)]
        lines.append(f"{name}: {', '.join(counts)}")
        if broken := listed.get("unreadable"):
            lines.append(f"  {len(broken):,} cannot be opened: {', '.join(broken)}")
        for source in leaks.sources:
            matched = ", ".join(
                f"{count:,} {_LABELS[how]}" for how, count in _counts(leaks, name, source).items()
            )
            lines.append(f"  {source}: {matched}")
        lines.append("")
    return "\n".join([*lines, f"{_distance_note(leaks)}.", ""])


def leak_line(leaks: Mapping[str, Any]) -> str:
    """Return the sums of :func:`leak_figures` in one line."""
    matched = [counts for one in leaks["lists"].values() for counts in one["matched"].values()]
    sums = {how: sum(counts[how] for counts in matched) for how in _LABELS}
    excluded = ", ".join(f"{count:,} {_LABELS[how]}" for how, count in sums.items())
    return f"excluded images of {counted(len(leaks['lists']), 'benchmark list')}: {excluded}"


def _counts(leaks: Leaks, name: str, source: str) -> dict[str, int]:
    return {how: leaks.matched.get((name, source, how), 0) for how in _LABELS}


def _distance_note(leaks: Leaks) -> str:
    if leaks.distance is None:
        return "No images were compared, because [leak_guard] images is empty"
    if leaks.distance < 0:
        return "Only exact duplicates were searched ([leak_guard] distance is negative)"
    return f"The perceptual hashes of near-duplicates differ in at most {leaks.distance} of 256 bits"


def _is_count(value: object) -> bool:
    return isinstance(value, int)
