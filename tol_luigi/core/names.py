"""Cleaning names: markup, authors, years and infraspecific parts go, the name stays.

Every function takes time proportional to the length of its text, whatever the text is: names come
from web pages and from tables with quoting gone wrong.
"""

from __future__ import annotations

import re

__all__ = ["clean_scientific_name", "strip_html"]

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*+)\b[^<>]*+>")

_MOST_PASSES = 8
"""Taking pairs out can join the text around them to new tags; no true markup does so even once."""

_MAY_BE_CUT = re.compile(r"[(.&<\d]")
"""A name with none of these characters matches none of ``_CUTS``: most names are done at once."""

# A word is entered at its start only and never given back (\b, ++): the same matches as a plain \w+
# finds, without trying every tail of a long word. The order is the published one.
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
        r" [^\W\d_]\.",
        r"<br ?/?>",
    )
)


def _drop_pairs(text: str) -> str:
    """Drop the opening and closing tags that belong together, keeping what stands between them."""
    waiting: dict[str, list[tuple[int, int]]] = {}
    dropped: list[tuple[int, int]] = []
    for tag in _TAG.finditer(text):
        opened = waiting.setdefault(tag[2].lower(), [])
        if not tag[1]:
            opened.append(tag.span())
        elif opened:
            dropped += opened.pop(), tag.span()
    kept, position = [], 0
    for start, end in sorted(dropped):
        kept.append(text[position:start])
        position = end
    return "".join(kept) + text[position:]


def strip_html(text: str) -> str:
    """Drop HTML tags that come in pairs, nested ones too; letters keep their case.

    Tags without a partner stay (``<br>`` means something to :func:`clean_scientific_name`).
    The result has no pair left: stripping it again changes nothing. Text made so that new tags
    arise time and again loses its angle brackets altogether.

    Source: the constructor of the published process's taxon.
    """
    if "</" not in text:
        return text
    for _ in range(_MOST_PASSES):
        stripped = _drop_pairs(text)
        if stripped == text:
            return text
        text = stripped
    return text.replace("<", "").replace(">", "")


def clean_scientific_name(text: str) -> str:
    """Reduce a scientific name to its words: lower-case, trimmed, without markup, author and year.

    Infraspecific parts (``ssp.``, ``var.``, ``f.``) go with all that follows them. Nothing is
    added, so cleaning a clean name changes nothing; a name that starts with a part to be cut
    becomes "".

    Source: the published process's name cleaning, which also sets the order of the cuts.
    """
    name = strip_html(text).lower().strip()
    if not _MAY_BE_CUT.search(name):
        return name
    for pattern in _CUTS:
        if found := pattern.search(name):
            name = name[: found.start()].strip()
    return name
