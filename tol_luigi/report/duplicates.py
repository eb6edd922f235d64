"""Report exact duplicates among the images."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["duplicates_figures", "duplicates_text", "leak_note"]

_SHOWN = 5


def duplicates_figures(duplicates: pd.DataFrame, sources: Sequence[str], setting: str) -> dict[str, Any]:
    """Count groups of exact duplicates; return the counts as JSON.

    Args:
        duplicates: One row for each image that has exact duplicates: ``first`` (the id of the first image of
            its group), ``id``, ``split``, ``source`` and ``ranks``.
        sources: The sources, in the order of the catalogs.
        setting: The value of ``[images] duplicates``: ``flag`` or ``drop``.
    """
    first = duplicates["first"]
    by_source = _counts(duplicates, "source", sources)
    by_split = _counts(duplicates, "split", ["val", "train"])
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


def _counts(duplicates: pd.DataFrame, column: str, values: Sequence[str]) -> pd.DataFrame:
    """Count the images of each group by the values of a column."""
    counts = duplicates.pivot_table(index="first", columns=column, aggfunc="size", fill_value=0)
    return counts.reindex(columns=list(values), fill_value=0)


def _pairs(by_source: pd.DataFrame, sources: Sequence[str]) -> dict[str, int]:
    """Count the groups with images of two sources, or two images of one. A group may have several pairs."""
    pairs = {}
    for one, other in itertools.combinations_with_replacement(sources, 2):
        least = 2 if one == other else 1
        count = int(((by_source[one] >= least) & (by_source[other] >= least)).sum())
        if count:
            pairs[f"{one} and {other}"] = count
    return pairs


def _first_groups(shared: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Return the first ids of the first groups. The table contains all of them."""
    chosen = shared["first"].drop_duplicates().head(_SHOWN)
    groups = [shared[shared["first"] == first] for first in chosen]
    return [
        {split: group.loc[group["split"] == split, "id"].head(_SHOWN).tolist() for split in ("val", "train")}
        for group in groups
    ]


def duplicates_text(figures: Mapping[str, Any]) -> str:
    """Return the counts as text."""
    if not figures["groups"]:
        return "There are no exact duplicates.\n"
    shared = figures["in_val_and_train"]
    lines = [f"{figures['images']:,} images are exact duplicates, in {counted(figures['groups'], 'group')}."]
    if figures["setting"] == "drop":
        lines.append(
            "The dataset contains the first image of each group. The others have the state duplicate."
        )
    lines += [
        f"The labels differ in {figures['groups_with_different_labels']:,} of these groups.",
        "",
        "groups by source",
        *(f"  {pair}: {count:,}" for pair, count in figures["groups_by_sources"].items()),
        "",
        f"groups in both val and train: {shared['groups']:,}",
    ]
    if shared["groups"]:
        images = f"{counted(shared['images_of_val'], 'image')} of val, {shared['images_of_train']:,} of train"
        differing = f"labels differ in {counted(shared['groups_with_different_labels'], 'group')}"
        firsts = (
            f"  val {', '.join(group['val'])}: train {', '.join(group['train'])}" for group in shared["first"]
        )
        lines += [f"  {images}; {differing}", "first groups", *firsts]
    return "\n".join(lines) + "\n"


def leak_note(figures: Mapping[str, Any], report: object) -> list[str]:
    """Return a note for the closing summary if val and train share images.

    Args:
        figures: The result of :func:`duplicates_figures`.
        report: The path of the report.
    """
    count = figures["in_val_and_train"]["images_of_val"]
    if figures["setting"] == "drop" or not count:
        return []
    are = "image of val is" if count == 1 else "images of val are"
    remedy = "Set [images] duplicates = drop to exclude such images from train"
    return [f"{count:,} {are} also in train (exact duplicates, see {report}). {remedy}."]
