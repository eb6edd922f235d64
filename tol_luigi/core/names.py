"""Cleaning names: markup, authors, years and infraspecific parts go, the name stays.

Every function takes time proportional to the length of its text, whatever the text is: names come
from web pages and from tables with quoting gone wrong.
"""

from __future__ import annotations

import re

__all__ = ["clean_scientific_name", "strip_html"]

_MAY_BE_CUT = re.compile(r"[(.&<\d]")
"""A name with none of these characters matches none of ``_CUTS``: most names are done at once."""

# A word is entered at its start only and never given back (\b, ++): the same matches as a plain \w+
# finds, without trying every tail of a long word. The order is the published one, and so is the
# range A-z, which holds six marks besides the letters.
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
    """Drop each opening tag and the first closing tag after it, whatever both are called."""
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
    """Return a text without the HTML tags that come in pairs on a line; letters keep their case.

    A pair is any tag and the first closing tag after it: names of tags are not compared. Tags
    without a partner stay (``<br>`` means something to :func:`clean_scientific_name`). The result
    has no pair left: stripping it again changes nothing.

    Source: the constructor of the published process's taxon.
    """
    while "</" in text:
        # Three rounds at most: what the first one leaves of closing tags stands behind its last pair.
        stripped = "\n".join(map(_drop_pairs, text.split("\n")))
        if stripped == text:
            break
        text = stripped
    return text


def clean_scientific_name(text: str) -> str:
    """Return the words of a scientific name: lower-case, trimmed, without markup, author and year.

    Infraspecific parts (``ssp.``, ``var.``, ``f.``) go with all that follows them. Nothing is
    added, so cleaning a clean name changes nothing; a name that starts with a part to be cut
    becomes "".

    Source: the published process's name cleaning, which also sets the order of the cuts.
    """
    name = strip_html(text.lower()).strip()
    if not _MAY_BE_CUT.search(name):
        return name
    for pattern in _CUTS:
        if found := pattern.search(name):
            name = name[: found.start()].strip()
    return name
