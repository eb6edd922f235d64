"""Report exact duplicates among the images."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["duplicates_figures", "duplicates_text", "leak_note"]

_SHOWN = 5


def duplicates_figures(duplicates: pa.Table, sources: Sequence[str], setting: str) -> dict[str, Any]:
    """Count groups of exact duplicates; return the counts as JSON.

    Args:
        duplicates: One row for each image that has exact duplicates: ``first`` (the id of the first image of
            its group), ``id``, ``split``, ``source`` and ``ranks``.
        sources: The sources, in the order of the catalogs.
        setting: The value of ``[images] duplicates``: ``flag`` or ``drop``.
    """
    by_source, by_split, by_label = (_counts(duplicates, column) for column in ("source", "split", "ranks"))
    differing = {first for first, labels in by_label.items() if len(labels) > 1}
    crossing = [first for first, splits in by_split.items() if len(splits) > 1]
    return {
        "setting": setting,
        "groups": len(by_source),
        "images": duplicates.num_rows,
        "groups_with_different_labels": len(differing),
        "groups_by_sources": _pairs(by_source.values(), sources),
        "in_val_and_train": {
            "groups": len(crossing),
            "images_of_val": sum(by_split[first]["val"] for first in crossing),
            "images_of_train": sum(by_split[first]["train"] for first in crossing),
            "groups_with_different_labels": len(differing.intersection(crossing)),
            "first": _ids(duplicates, crossing[:_SHOWN]),
        },
    }


def _counts(duplicates: pa.Table, column: str) -> dict[str, Counter[str]]:
    """Count the images of each group by the values of a column; the groups in the order of their first rows."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    grouped = duplicates.group_by(["first", column], use_threads=False).aggregate([([], "count_all")])
    for first, value, count in zip(
        *(grouped[name].to_pylist() for name in grouped.column_names), strict=True
    ):
        counts[first][value] = count
    return counts


def _pairs(by_source: Iterable[Counter[str]], sources: Sequence[str]) -> dict[str, int]:
    """Count the groups with images of two sources, or two images of one. A group may have several pairs."""
    found = Counter(
        pair
        for counts in by_source
        for pair in itertools.combinations_with_replacement((s for s in sources if s in counts), 2)
        if len(set(pair)) > 1 or counts[pair[0]] > 1
    )
    ordered = itertools.combinations_with_replacement(sources, 2)
    return {f"{one} and {other}": found[one, other] for one, other in ordered if found[one, other]}


def _ids(duplicates: pa.Table, groups: Sequence[str]) -> list[dict[str, list[str]]]:
    """Return the first ids of some groups by split. The table contains all of them."""
    rows = duplicates.filter(pc.is_in(duplicates["first"], value_set=pa.array(groups, pa.string())))
    ids: dict[str, dict[str, list[str]]] = {first: {"val": [], "train": []} for first in groups}
    for row in rows.select(["first", "split", "id"]).to_pylist():
        ids[row["first"]][row["split"]].append(row["id"])
    return [{split: found[:_SHOWN] for split, found in of_group.items()} for of_group in ids.values()]


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
