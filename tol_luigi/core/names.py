"""Cleaning of names: markup, authors, years and infraspecific parts are removed.

Every function takes linear time for any text, because names come from web pages and from tables with broken
quoting.
"""

from __future__ import annotations

import re

__all__ = ["clean_scientific_name", "strip_html"]

_MAY_BE_CUT = re.compile(r"[(.&<\d]")
"""A name with none of these characters matches none of ``_CUTS``; most names need no further check."""

# Words match from their start only, without backtracking (\b, ++): the matches are those of a plain \w+
# in linear time. The order is the published one, and so is the range A-z, which includes six characters
# that are not letters.
_CUTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\(",
        r"ssp\.",
        r"subsp\.",
        r"var\.",
        r"\b\w++, \w++ & \w",
        r"\b\w++ & \w",
        r"\b\w++ \d{4}",
        r"\b\w++, \d{4}",
        r"\d{4}",
        r" [A-z]\.",
        r"<br ?>",
    )
)


def _drop_pairs(line: str) -> str:
    """Remove each opening tag and the first closing tag after it, regardless of their names."""
    kept: list[str] = []
    position = 0
    while (
        0
        <= (opening := line.find("<", position))
        < (opened := line.find(">", opening + 1))
        < (closing := line.find("</", opened + 1))
        < (closed := line.find(">", closing + 2))
    ):
        kept += line[position:opening], line[opened + 1 : closing]
        position = closed + 1
    return "".join(kept) + line[position:]


def strip_html(text: str) -> str:
    """Return a text without the HTML tags that form pairs on a line; letters keep their case.

    A pair is any tag and the first closing tag after it; tag names are not compared. Unpaired
    tags stay (:func:`clean_scientific_name` interprets ``<br>``). The result contains no pair, so
    stripping it again changes nothing.

    Source: the constructor of the published process's taxon.
    """
    while "</" in text:
        # Three rounds at most: closing tags left by the first round follow its last pair.
        stripped = "\n".join(map(_drop_pairs, text.split("\n")))
        if stripped == text:
            break
        text = stripped
    return text


def clean_scientific_name(text: str) -> str:
    """Return the words of a scientific name: lower-case, trimmed, without markup, author and year.

    Infraspecific parts (``ssp.``, ``var.``, ``f.``) are removed with everything after them. Nothing is
    added, so cleaning a clean name changes nothing. A name that starts with a part to remove becomes "".

    Source: the published process's name cleaning, which also defines the order of the cuts.
    """
    name = strip_html(text.lower()).strip()
    if not _MAY_BE_CUT.search(name):
        return name
    for pattern in _CUTS:
        if found := pattern.search(name):
            name = name[: found.start()].strip()
    return name
