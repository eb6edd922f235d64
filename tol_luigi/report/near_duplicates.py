"""The report on near-duplicates as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["near_duplicates_text", "pair_text"]


def near_duplicates_text(figures: Mapping[str, Any]) -> str:
    """Return the figures on near-duplicates as text."""
    return "".join(f"{line}\n" for line in _lines(figures))


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    images, clusters = counted(figures["images"], "image"), counted(figures["clusters"], "cluster")
    yield f"{images}, {figures['in_clusters']:,} of them in {clusters} of near-duplicates"
    bits = counted(figures["bits"], "bit")
    yield f"compared: equal pixels, and perceptual hashes that differ in at most {bits}"
    yield f"too plain for a perceptual hash: {counted(figures['plain'], 'image')}"
    if figures["clusters"]:
        sizes = [f"{count:,} of {size}" for size, count in figures["sizes"].items()]
        yield f"clusters by number of images: {', '.join(sizes)}"
    yield from _clusters("clusters in several splits", figures["crossing_splits"], figures["crossing"])
    conflicts = figures["label_conflicts"]
    by_rank = ", ".join(f"{rank} {count:,}" for rank, count in conflicts.items())
    title = f"clusters whose labels differ{f' ({by_rank})' if by_rank else ''}"
    yield from _clusters(title, sum(conflicts.values()), figures["conflicting"])


def _clusters(title: str, count: int, listed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"{title}: {count:,}"
    for cluster in listed:
        yield f"  cluster {cluster['cluster']}"
        for image in cluster["images"]:
            yield f"    {image['id']} {image['split']} {image['taxon']}"
    if count > len(listed):
        yield f"  and {count - len(listed):,} more"


def pair_text(kept: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return what distinguishes two near-duplicates: the distance, the labels and the splits."""
    pairs = [(rank, kept[rank], other[rank]) for rank in RANK_LABELS]
    conflict = next((rank for rank, one, another in pairs if one and another and one != another), "")
    labels = f"labels differ in the {conflict}" if conflict else "labels agree"
    is_crossing = kept["split"] != other["split"]
    splits = "one in train, one in val" if is_crossing else f"both in {kept['split']}"
    return f"{counted(other['distance'], 'bit')} apart; {labels}; {splits}"
