"""The figures on the build of a reference taxonomy as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tol_luigi.report.summary import counts_table
from tol_luigi.report.text import aligned, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["build_text", "with_examples"]

_SHOWN, _NAMED = 10, 20


def build_text(figures: Mapping[str, Any]) -> str:
    """Return the figures of :func:`~tol_luigi.taxonomy.report.build_figures` as text, without lines of zeros."""
    sections = [
        _title(figures),
        _by_source("records", figures["fates"]),
        _by_source("decided", figures["reasons"]),
        _by_source("repairs", figures["repairs"]),
        _ranks(figures),
        _separation(figures["separation"]),
        [line for what, found in figures["checks"].items() for line in with_examples(what, found)],
        _homonyms(figures["homonyms"]),
        _conflicts(figures["conflicts"]),
        _ids(figures["ids"]),
        _patches(figures.get("patches", ())),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def with_examples(what: str, found: Mapping[str, Any]) -> list[str]:
    """Return a count with its examples, one per line; one line if it is 0."""
    return [f"{found['count']:,} {what}", *(f"    {example}" for example in found["examples"])]


def _title(figures: Mapping[str, Any]) -> list[str]:
    taxa = figures["taxa"]
    rows = [[what, f"{count:,}"] for what, count in taxa.items() if what != "all"]
    head = f"{taxa['all']:,} taxa from {counted(len(figures['fates']), 'source')}"
    return [head, "", *aligned(rows)]


def _by_source(head: str, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return counts by source as a table, with the rows in the order in which they first occur."""
    cells = {(what, source): count for source, found in counts.items() for what, count in found.items()}
    return counts_table(head, cells, list(counts)) if cells else []


def _ranks(figures: Mapping[str, Any]) -> list[str]:
    rows = [["rank", "species that have it", "labels from other sources", "gaps", "a source knows it"]]
    for rank, gaps in figures["gaps"].items():
        rate = figures["fill_rates"].get(rank)
        rows.append(
            [
                rank,
                "" if rate is None else f"{rate:.2%}",
                f"{figures['filled_ranks'].get(rank, 0):,}",
                f"{gaps['gaps']:,}",
                f"{gaps['known']:,}",
            ]
        )
    examples = [
        f"    no {rank} of {example}"
        for rank, gaps in figures["gaps"].items()
        for example in gaps["examples"]
    ]
    return [*aligned(rows), *examples]


def _separation(found: Mapping[str, list[str]]) -> list[str]:
    missing = [name for name, sources in found.items() if not sources]
    lines = [f"{len(found) - len(missing):,} of {counted(len(found), 'division')} found in a source"]
    more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
    return [*lines, f"    in none: {', '.join(missing[:_NAMED])}{more}"] if missing else lines


def _homonyms(homonyms: Mapping[str, Any]) -> list[str]:
    ranks = ", ".join(f"{count:,} {rank}" for rank, count in homonyms["ranks"].items())
    head = f"{counted(homonyms['names'], 'name')} of several taxa" + (f" ({ranks})" if ranks else "")
    return [head, *(f"    {example}" for example in homonyms["examples"])]


def _conflicts(conflicts: Mapping[str, Any]) -> list[str]:
    sources = ", ".join(f"{count:,} {source}" for source, count in conflicts["sources"].items())
    head = f"{counted(sum(conflicts['sources'].values()), 'conflict')} between sources"
    return [head + (f" ({sources})" if sources else ""), *(f"    {one}" for one in conflicts["examples"])]


def _ids(ids: Mapping[str, Any]) -> list[str]:
    if not ids.get("previous"):
        return [f"{ids.get('new', 0):,} ids, all new: there is no previous release"]
    return list(_kept_ids(ids))


def _kept_ids(ids: Mapping[str, Any]) -> Iterator[str]:
    yield f"{ids['kept']:,} of {ids['previous']:,} ids kept, {ids['new']:,} new"
    for what, text in (
        ("merged", "replaced, because their records are one taxon now"),
        ("lumped", "replaced, because their names are one taxon now"),
        ("retired", "given up"),
        ("revived", "in use again"),
    ):
        if ids[what]:
            yield f"    {ids[what]:,} {text}"
    collisions = ids["collisions"]
    if collisions["count"]:
        yield f"    {collisions['count']:,} with records in several taxa now"
        yield from (f"        {example}" for example in collisions["examples"][:_SHOWN])


def _patches(outcomes: Sequence[Mapping[str, str]]) -> list[str]:
    """Return how many statements of curators hold, and those that cannot be applied, one per line."""
    if not outcomes:
        return []
    states = Counter(outcome["state"] for outcome in outcomes)
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    lost = (
        f"    {outcome['id']}: {outcome['statement']} {outcome['taxon']}: {outcome['reason']}"
        for outcome in outcomes
        if outcome["reason"]
    )
    return [f"{counted(len(outcomes), 'statement')} of curators: {counts}", *lost]
