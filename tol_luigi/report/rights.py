"""Report the images that were left out of a dataset because of their rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, counted, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.core.takedowns import Takedown

__all__ = ["RightsFigures", "rights_figures", "rights_note", "rights_text"]

_SHOWN = 5
"""The most shards of a takedown that the text names."""


@dataclass(frozen=True)
class RightsFigures:
    """What was left out.

    Attributes:
        allowed: The names of the allowed licences, in order; empty if all are allowed.
        refused: The number of images by reason and source, whose licence is not allowed.
        takedowns: The takedowns.
        images: The number of images by number of the takedown.
        shards: The shards without them, by number of the takedown, as ``<split>/<name>``.
        matches: The number of images that each takedown is about, including those that no shard would have had.
        remaining: Exact duplicates of images taken down that are still in the shards: the id of the image taken down by
            the id of the duplicate.
    """

    allowed: Sequence[str]
    refused: Mapping[tuple[str, str], int]
    takedowns: Sequence[Takedown]
    images: Mapping[int, int]
    shards: Mapping[int, Sequence[str]]
    matches: Sequence[int]
    remaining: Mapping[str, str]


def rights_figures(rights: RightsFigures) -> dict[str, Any]:
    """Return the figures as JSON."""
    return {
        "allowed": list(rights.allowed),
        "license_not_allowed": [
            {"reason": reason, "source": source, "images": count}
            for (reason, source), count in sorted(rights.refused.items())
        ],
        "takedowns": [
            {
                "kind": one.kind,
                "value": one.value,
                "date": one.date,
                "reason": one.reason,
                "matches": rights.matches[number],
                "images": rights.images.get(number, 0),
                "shards": list(rights.shards.get(number, ())),
            }
            for number, one in enumerate(rights.takedowns)
        ],
        "remaining_duplicates": [
            {"id": image, "duplicate_of": first} for image, first in sorted(rights.remaining.items())
        ],
    }


def rights_text(figures: Mapping[str, Any]) -> str:
    """Return the result of :func:`rights_figures` as text."""
    allowed = ", ".join(figures["allowed"]) or "all"
    lines = [f"allowed licences: {allowed}", ""]
    if refused := figures["license_not_allowed"]:
        lines += ["images left out because of their licence", ""]
        lines += aligned([[row["reason"], row["source"], f"{row['images']:,}"] for row in refused])
        lines.append("")
    if takedowns := figures["takedowns"]:
        lines += ["takedowns", ""]
        lines += [_takedown(one) for one in takedowns]
        lines.append("")
    if remaining := figures["remaining_duplicates"]:
        lines.append(
            "Exact duplicates of images that were taken down are still in the shards. List their ids, too:"
        )
        lines += [f"  {row['id']} (the same file as {row['duplicate_of']})" for row in remaining]
        lines.append("")
    return "".join(f"{printable(line)}\n" for line in lines)


def _takedown(one: Mapping[str, Any]) -> str:
    date = f"{one['date']} " if one["date"] else ""
    shards = one["shards"]
    shown = ", ".join([*shards[:_SHOWN], *(["…"] if len(shards) > _SHOWN else [])])
    where = f" from {shown}" if shown else ""
    because = f": {one['reason']}" if one["reason"] else ""
    others = one["matches"] - one["images"]
    unused = f" ({counted(others, 'more image')} not in the shards anyway)" if others else ""
    return f"  {date}{one['kind']} {one['value']}{because}: {counted(one['images'], 'image')}{where}{unused}"


def rights_note(figures: Mapping[str, Any], path: object) -> str:
    """Return the sums in one line, for the summary of a build."""
    taken = sum(one["images"] for one in figures["takedowns"])
    refused = sum(row["images"] for row in figures["license_not_allowed"])
    parts = [f"{taken:,} taken down", f"{refused:,} with a licence that is not allowed"]
    if unmatched := sum(not one["matches"] for one in figures["takedowns"]):
        parts.append(f"{counted(unmatched, 'takedown')} without an image")
    if remaining := len(figures["remaining_duplicates"]):
        parts.append(f"{counted(remaining, 'exact duplicate')} of images taken down still in the shards")
    return f"images left out because of their rights: {', '.join(parts)}: {path}"
