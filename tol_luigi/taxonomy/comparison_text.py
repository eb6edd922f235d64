"""The differences between two releases of a reference taxonomy as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.summary import counts_table
from tol_luigi.report.text import aligned
from tol_luigi.taxonomy.report_text import with_examples

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["comparison_text"]


def comparison_text(previous: object, new: object, figures: Mapping[str, Any]) -> str:
    """Return the figures of :func:`~tol_luigi.taxonomy.comparison.compare` as text.

    Args:
        previous: What the previous release is called, such as its folder.
        new: What the new release is called.
        figures: The figures.
    """
    taxa = figures["taxa"]
    head = [
        f"Taxa of {new}, compared with {previous}",
        "",
        f"{taxa['new']:,} taxa, {taxa['previous']:,} before; {taxa['both']:,} in both",
    ]
    if _is_same(figures):
        return "\n".join([*head, "nothing has changed"]) + "\n"
    sections = [
        head,
        _counted("added", figures["added"], "ranks"),
        _counted("removed", figures["removed"], "reasons"),
        with_examples("replaced by another taxon", figures["merged"]),
        with_examples("with records in several taxa now", figures["split"]),
        _counted("renamed", figures["renamed"], None),
        _counted("moved to another parent", figures["moved"], "causes"),
        _ranks(figures["ranks"]),
        _flags(figures["flags"]),
        _fates(figures["fates"]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _is_same(figures: Mapping[str, Any]) -> bool:
    counts = [figures[key]["count"] for key in ("added", "removed", "merged", "split", "renamed", "moved")]
    ranks = [rank[what] for rank in figures["ranks"].values() for what in ("changed", "filled", "emptied")]
    return not any([*counts, *ranks, figures["flags"], figures["fates"]])


def _counted(what: str, found: Mapping[str, Any], key: str | None) -> list[str]:
    """Return a count with its parts and examples."""
    parts = found[key] if key else {"only the gender": found.get("only the gender", 0)}
    shown = [f"{count:,} {part}" for part, count in parts.items() if count]
    first, *examples = with_examples(what, found)
    return [f"{first} ({', '.join(shown)})" if shown else first, *examples]


def _ranks(ranks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [
        [rank, *(f"{found[what]:,}" for what in ("changed", "filled", "emptied"))]
        for rank, found in ranks.items()
        if found["changed"] or found["filled"] or found["emptied"]
    ]
    examples = [f"    {rank} {example}" for rank, found in ranks.items() for example in found["examples"]]
    return [*aligned([["rank", "changed", "filled", "emptied"], *rows]), *examples] if rows else []


def _flags(flags: Mapping[str, Mapping[str, int]]) -> list[str]:
    rows = [[flag, f"{found['gained']:,}", f"{found['lost']:,}"] for flag, found in flags.items()]
    return aligned([["flag", "gained", "lost"], *rows]) if rows else []


def _fates(fates: Mapping[str, Mapping[str, int]]) -> list[str]:
    counts = {(change, source): count for source, found in fates.items() for change, count in found.items()}
    return counts_table("records", counts, list(fates)) if counts else []
