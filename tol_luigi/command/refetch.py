"""``tol refetch``: have the next build ask again for images by URL that were not received."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError
from tol_luigi.downloads.fetch_outcomes import OF_SERVERS, UrlState
from tol_luigi.report.text import aligned, counted
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.url_settings import fetched_sources
from tol_luigi.tasks.urls import FetchPartition

if TYPE_CHECKING:
    import argparse

__all__ = ["refetch"]


def refetch(given: argparse.Namespace) -> int:
    """Mark the URLs in some states; the next build asks for them, and for no other.

    Raises:
        SettingsError: A state is not one without an image, or no source has URLs.
    """
    states = given.states or [str(state) for state in OF_SERVERS]
    known = [str(state) for state in UrlState if state is not UrlState.FETCHED]
    if wrong := [state for state in states if state not in known]:
        remedy = f"Use some of {', '.join(known)}"
        raise SettingsError("--states", f"{wrong[0]} is not a state of a URL without an image", remedy)
    sources = fetched_sources(settings())
    if not sources:
        what = "none of the sources has images by URL"
        raise SettingsError("[dataset] sources", what, "Use the settings file of such a dataset")
    rows = [(source, *_marked(source, states)) for source in sources]
    if given.json:
        names = ("source", "urls", "partitions")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        sys.stdout.write(json.dumps({"states": states, "sources": found}) + "\n")
    else:
        lines = aligned([("source", "URLs", "partitions"), *((s, f"{u:,}", f"{p:,}") for s, u, p in rows)])
        sys.stdout.write("\n".join(lines) + f"\n{_closing(sum(row[1] for row in rows))}\n")
    return 0


def _marked(source: str, states: list[str]) -> tuple[int, int]:
    """Return the number of URLs to ask again for, and in how many partitions they are."""
    tasks = [FetchPartition(source=source, partition=name) for name in settings().partitions(source)]
    counts = [count for task in tasks if (count := task.ask_again(states))]
    return sum(counts), len(counts)


def _closing(urls: int) -> str:
    if not urls:
        return "No URL of a fetched partition is in these states."
    return f"The next build asks again for {counted(urls, 'URL')}, and makes again what depends on them: tol build"
