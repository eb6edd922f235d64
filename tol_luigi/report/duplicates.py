"""What is said of images that share their bytes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["duplicates_figures", "duplicates_text", "leak_note"]

_SHOWN = 5


def duplicates_figures(duplicates: pd.DataFrame, sources: Sequence[str], setting: str) -> dict[str, Any]:
    """Count groups of images with the same bytes, for programs.

    Args:
        duplicates: A row for each image that shares its bytes: ``first`` (the id of its group's first), ``id``,
            ``split``, ``source`` and ``ranks``.
        sources: The sources, in the order of the catalogs.
        setting: What was done about them: ``flag`` or ``drop``.
    """
    first = duplicates["first"]
    by_source = pd.crosstab(first, duplicates["source"]).reindex(columns=list(sources), fill_value=0)
    by_split = pd.crosstab(first, duplicates["split"]).reindex(columns=["val", "train"], fill_value=0)
    labels = duplicates[["first", "ranks"]].drop_duplicates()["first"].value_counts()
    differing, crossing = labels.index[labels > 1], by_split.index[(by_split > 0).all(axis=1)]
    shared = by_split.loc[crossing]
    return {
        "setting": setting,
        "groups": len(by_source),
        "images": len(duplicates),
        "groups_with_different_labels": len(differing),
        "groups_by_sources": _pairs(by_source, sources),
        "in_val_and_train": {
            "groups": len(shared),
            "images_of_val": int(shared["val"].sum()),
            "images_of_train": int(shared["train"].sum()),
            "groups_with_different_labels": len(crossing.intersection(differing)),
            "first": _first_groups(duplicates[first.isin(crossing)]),
        },
    }


def _pairs(by_source: pd.DataFrame, sources: Sequence[str]) -> dict[str, int]:
    """Count the groups that hold images of two sources, or two images of one; a group can count for several pairs."""
    pairs = {}
    for one, other in itertools.combinations_with_replacement(sources, 2):
        least = 2 if one == other else 1
        count = int(((by_source[one] >= least) & (by_source[other] >= least)).sum())
        if count:
            pairs[f"{one} and {other}"] = count
    return pairs


def _first_groups(shared: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Give some ids of some groups; the table has all."""
    chosen = shared["first"].drop_duplicates().head(_SHOWN)
    groups = [shared[shared["first"] == first] for first in chosen]
    return [
        {split: group.loc[group["split"] == split, "id"].head(_SHOWN).tolist() for split in ("val", "train")}
        for group in groups
    ]


def duplicates_text(figures: Mapping[str, Any]) -> str:
    """Write the figures, for people."""
    if not figures["groups"]:
        return "No two images have the same bytes.\n"
    shared = figures["in_val_and_train"]
    lines = [f"{figures['images']:,} images share their bytes with others, in {figures['groups']:,} groups."]
    if figures["setting"] == "drop":
        lines.append(
            "The first of each group is in the dataset; the others are left out, in state duplicate."
        )
    lines += [
        f"Labels differ in {figures['groups_with_different_labels']:,} of these groups.",
        "",
        "groups that hold images of",
        *(f"  {pair}: {count:,}" for pair, count in figures["groups_by_sources"].items()),
        "",
        f"groups in both val and train: {shared['groups']:,}",
    ]
    if shared["groups"]:
        images = f"{shared['images_of_val']:,} images of val, {shared['images_of_train']:,} of train"
        differing = f"labels differ in {shared['groups_with_different_labels']:,} of the groups"
        firsts = (
            f"  val {', '.join(group['val'])}: train {', '.join(group['train'])}" for group in shared["first"]
        )
        lines += [f"  {images}; {differing}", "the first of them", *firsts]
    return "\n".join(lines) + "\n"


def leak_note(figures: Mapping[str, Any], report: object) -> list[str]:
    """Say in the closing summary that val and train share images, where they do.

    Args:
        figures: As :func:`duplicates_figures` gives them.
        report: Where to read more.
    """
    count = figures["in_val_and_train"]["images_of_val"]
    if figures["setting"] == "drop" or not count:
        return []
    are = "image of val is" if count == 1 else "images of val are"
    remedy = "[images] duplicates = drop leaves such images out of train"
    return [f"{count:,} {are} also in train, byte for byte: see {report}; {remedy}"]
