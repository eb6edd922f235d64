"""What has become of images by URL since an earlier dataset was fetched."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tol_luigi.report.text import aligned, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CHANGES", "Fetched", "UrlChange", "changes", "changes_figures", "changes_note", "changes_text"]

CHANGES = {
    "kept": "the same image as before",
    "changed": "another image than before",
    "new": "not in the earlier listing",
    "received": "no image before, an image now",
    "gone": "HTTP 404 or 410 now",
    "missing": "in both listings, no image now for another reason",
    "unlisted": "in the earlier listing only",
}
"""What can have become of a URL, with its meaning."""

_FETCHED, _GONE = "fetched", "gone"


class Fetched(NamedTuple):
    """What became of a URL: its state, and the SHA-256 of its content."""

    state: str
    sha256: str


class UrlChange(NamedTuple):
    """A URL, what has become of it (a key of ``CHANGES``), and its states before and now, "" where it is not listed."""

    url: str
    change: str
    before: str
    now: str


def changes(before: Mapping[str, Fetched], now: Mapping[str, Fetched]) -> Iterator[UrlChange]:
    """Yield what has become of each URL: first those of the present listing, then those of the earlier one only."""
    for url, found in now.items():
        earlier = before.get(url)
        yield UrlChange(url, _change(earlier, found), earlier.state if earlier else "", found.state)
    for url, earlier in before.items():
        if url not in now:
            yield UrlChange(url, "unlisted", earlier.state, "")


def _change(before: Fetched | None, now: Fetched) -> str:
    if before is None:
        return "new"
    if now.state != _FETCHED:
        return "gone" if now.state == _GONE else "missing"
    if before.state != _FETCHED:
        return "received"
    return "kept" if before.sha256 == now.sha256 else "changed"


def changes_figures(previous: str, counts: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """Return the numbers of URLs by source and change, for JSON.

    Args:
        previous: The name of the earlier dataset.
        counts: The numbers by source.
    """
    sources = {
        source: {name: counted[name] for name in CHANGES} for source, counted in sorted(counts.items())
    }
    return {"previous": previous, "sources": sources}


def changes_text(figures: Mapping[str, Any]) -> str:
    """Return the result of :func:`changes_figures` as text."""
    rows = [
        [source, *(f"{counts[name]:,}" for name in CHANGES)] for source, counts in figures["sources"].items()
    ]
    lines = [f"URLs compared with {figures['previous']}", "", *aligned([["source", *CHANGES], *rows]), ""]
    lines += aligned([[f"{name}: {meaning}"] for name, meaning in CHANGES.items()])
    return "".join(f"{printable(line)}\n" for line in lines)


def changes_note(figures: Mapping[str, Any], path: object) -> str:
    """Return the sums in one line, for the summary of a build."""
    sums = sum((Counter(counts) for counts in figures["sources"].values()), Counter[str]())
    parts = ", ".join(f"{sums[name]:,} {name}" for name in CHANGES if sums[name])
    return f"URLs compared with {figures['previous']}: {parts or 'none'}: {path}"
