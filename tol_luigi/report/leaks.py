"""The report on benchmarks kept out of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Leaks", "leak_figures", "leak_line", "leak_text"]

_HOW = {
    "id": "by id",
    "species": "by species",
    "exact_hash": "same bytes",
    "perceptual_hash": "looks the same",
}


@dataclass(frozen=True)
class Leaks:
    """What was kept out.

    Attributes:
        listed: For each list what it has, by kind: counts, and the names of pictures that cannot be opened.
        matched: Images by (list, source, how they were known: ``id``, ``species``, ``exact_hash`` or
            ``perceptual_hash``); those of train_small, which are in train, do not count.
        sources: The sources used.
        distance: The most bits in which pictures differ that look the same; below 0 only bytes were compared, and
            None where there were no pictures to compare with.
    """

    listed: Mapping[str, Mapping[str, Any]]
    matched: Mapping[tuple[str, str, str], int]
    sources: Sequence[str]
    distance: int | None


def leak_figures(leaks: Leaks) -> dict[str, Any]:
    """Give all figures, for programs."""
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
    """Give the figures, for people."""
    lines = []
    for name, listed in leaks.listed.items():
        counts = [f"{value:,} {kind.replace('_', ' ')}" for kind, value in listed.items() if _is_count(value)]
        lines.append(f"{name}: {', '.join(counts)}")
        if broken := listed.get("unreadable"):
            lines.append(f"  {len(broken):,} cannot be opened: {', '.join(broken)}")
        for source in leaks.sources:
            matched = ", ".join(
                f"{count:,} {_HOW[how]}" for how, count in _counts(leaks, name, source).items()
            )
            lines.append(f"  {source}: {matched}")
        lines.append("")
    return "\n".join([*lines, f"{_looks(leaks)}.", ""])


def leak_line(leaks: Mapping[str, Any]) -> str:
    """Sum :func:`leak_figures` up in a line."""
    matched = [counts for one in leaks["lists"].values() for counts in one["matched"].values()]
    sums = {how: sum(counts[how] for counts in matched) for how in _HOW}
    told = ", ".join(f"{count:,} {_HOW[how]}" for how, count in sums.items())
    return f"kept out of {len(leaks['lists'])} benchmark lists: {told}"


def _counts(leaks: Leaks, name: str, source: str) -> dict[str, int]:
    return {how: leaks.matched.get((name, source, how), 0) for how in _HOW}


def _looks(leaks: Leaks) -> str:
    if leaks.distance is None:
        return "No pictures were compared, since [leak_guard] images names none"
    if leaks.distance < 0:
        return "Only bytes were compared"
    return f"Pictures look the same whose hashes differ in at most {leaks.distance} of 256 bits"


def _is_count(value: object) -> bool:
    return isinstance(value, int)
