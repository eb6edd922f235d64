"""Format a taxon of a reference taxonomy, and the matches of a list of names, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["candidate_lines", "match_summary", "taxon_text"]

_LABEL = 12
_MOST = 10
"""The most children, names and conflicts that are listed."""


def taxon_text(taxon: Mapping[str, Any], why: Sequence[str], note: str = "") -> str:
    """Return a taxon as text, as wide as the terminal.

    Args:
        taxon: What is known of it, by name.
        why: The reasons for its place, one per line.
        note: How it was found, if not by its id or its accepted name.
    """
    title = " ".join(filter(None, [taxon["name"], taxon["authorship"]]))
    lines = [
        title,
        *(line for label, text in _entries(taxon, why, note) if text for line in _row(label, text)),
    ]
    return "\n".join(lines) + "\n"


def _entries(taxon: Mapping[str, Any], why: Sequence[str], note: str) -> Iterator[tuple[str, str]]:
    yield "found as", note
    yield "id", str(taxon["id"])
    yield "rank", taxon["rank"] or "none"
    yield "unique name", taxon["unique_name"] if taxon["unique_name"] != taxon["name"] else ""
    yield "lineage", " > ".join(_with_rank(above) for above in taxon["lineage"])
    yield "below it", _first([_with_rank(child) for child in taxon["children"]], "taxon", "taxa")
    yield "flags", ", ".join(taxon["flags"])
    yield "sources", ", ".join(taxon["sources"])
    yield "synonyms", _first([_synonym(name) for name in taxon["synonyms"]], "name", "names")
    names = [f"{name['name']} ({name['language'] or '?'})" for name in taxon["vernaculars"]]
    yield "common name", _first(names, "name", "names")
    for reason in why[:_MOST]:
        yield "why", reason
    yield "why", f"… and {counted(len(why) - _MOST, 'further record')}" if len(why) > _MOST else ""
    for conflict in taxon["conflicts"][:_MOST]:
        yield "conflict", _conflict(conflict)


def _with_rank(taxon: Mapping[str, Any]) -> str:
    return f"{taxon['name']} ({taxon['rank']})" if taxon["rank"] else str(taxon["name"])


def _synonym(name: Mapping[str, Any]) -> str:
    text = " ".join(filter(None, [name["name"], name["authorship"]]))
    return text if name["type"] == "synonym" else f"{text} ({name['type']})"


def _first(texts: Sequence[str], noun: str, nouns: str) -> str:
    """Return a list of texts, its count first; only the first ones of a long list."""
    if not texts:
        return ""
    shown = ", ".join(texts[:_MOST]) + (", …" if len(texts) > _MOST else "")
    return f"{len(texts):,} {noun if len(texts) == 1 else nouns}: {shown}"


def _conflict(row: Mapping[str, Any]) -> str:
    return (
        f"{row['parent']} of {row['source']} contains {row['alice']} and {row['bob']}, but here {row['alice_target']} is in "
        f"{row['alice_parent']}, and {row['bob_target']} in {row['bob_parent']}"
    )


def _row(label: str, text: str) -> list[str]:
    return wrapped(text, " " * (_LABEL + 2), f"  {label:<{_LABEL}}")


def candidate_lines(text: str, what: str, names: Sequence[tuple[int, str]]) -> str:
    """Return a message on a name that no single taxon has, with taxa that can be meant, one per line."""
    lines = [f"{text}: {what}{':' if names else ''}", *(f"  {tol_id:>10}  {name}" for tol_id, name in names)]
    return "\n".join(lines) + "\n"


def match_summary(counts: Mapping[str, int], statuses: Sequence[str]) -> str:
    """Return the number of names by status in one line."""
    parts = [f"{counts[status]:,} {status}" for status in statuses if counts.get(status)]
    total = sum(counts.values())
    return f"{counted(total, 'name')}: {', '.join(parts)}" if parts else "no names"
