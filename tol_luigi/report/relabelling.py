"""Report the differences between a relabelled dataset and the previous one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.name_rules import RULE_TEXTS, NameRule
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.summary import counts_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["faults_text", "moves_figures", "moves_text", "relabelling_figures", "relabelling_text"]

_KINDS = ("filled", "changed", "emptied")
_EXAMPLES = 20


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


def moves_figures(
    kinds: Mapping[tuple[str, str], int],
    rules: Mapping[tuple[str, str], int],
    examples: Mapping[tuple[str, str], int],
) -> dict[str, Any]:
    """Return what happened to the labels of relabelled images, by rank and cause, with examples, as JSON.

    Args:
        kinds: Images by label and ``filled``, ``changed`` or ``emptied``.
        rules: Images by ``before`` or ``now`` and a naming rule that applied.
        examples: Images by their names before and now.
    """
    labels = dict.fromkeys(label for label, _ in kinds)
    often = sorted(examples.items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES]
    return {
        "labels": {label: {kind: kinds.get((label, kind), 0) for kind in _KINDS} for label in labels},
        "rules": {
            when: {rule: count for (then, rule), count in sorted(rules.items()) if then == when}
            for when in ("before", "now")
        },
        "examples": [{"before": before, "now": now, "images": count} for (before, now), count in often],
    }


def moves_text(figures: Mapping[str, Any]) -> str:
    """Return the figures of :func:`moves_figures` as text, "" if no image was relabelled."""
    if not figures["labels"]:
        return ""
    counts = {
        (label, kind): count for label, kinds in figures["labels"].items() for kind, count in kinds.items()
    }
    ordered = [label for label in (*RANK_LABELS, "common") if label in figures["labels"]]
    table = {(label, kind): counts[label, kind] for label in ordered for kind in _KINDS}
    lines = ["", *counts_table("labels", table, list(_KINDS))]
    for when, rules in figures["rules"].items():
        named = [f"    {count:,} {RULE_TEXTS[NameRule(rule)]}  [{rule}]" for rule, count in rules.items()]
        lines += ["", f"Relabelled images with doubtful names {when}:", *named] if named else []
    lines += ["", "Most frequent changes:"]
    for example in figures["examples"]:
        lines += [
            f"    {example['images']:,} {example['before']}",
            f"        now {example['now'] or 'no name'}",
        ]
    return "\n".join(lines) + "\n"


def faults_text(faults: Mapping[str, Mapping[str, Any]], texts: Mapping[Any, str]) -> str:
    """Return the faults of the published names as text, "" if there is none.

    Args:
        faults: The images and examples of each fault.
        texts: What follows the number of images of each fault.
    """
    lines = ["", "Images by the faults of their published names:"] if faults else []
    for fault, figures in faults.items():
        lines.append(f"    {figures['images']:,} {texts[fault]}  [{fault}]")
        for example in figures["examples"]:
            lines.append(f"        {example['images']:,} {example['before']}")
            lines += [f"            now {example['now'] or 'no name'}"] if "now" in example else []
    return "".join(f"{line}\n" for line in lines)
