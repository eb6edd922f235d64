"""Spelling of names: markup, quotes, blanks and diacritics."""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["SUSPICIOUS", "clean", "has_markup", "has_quotes", "strip_diacritics"]

_TAGS = r"</?(?:a|b|br|em|font|i|p|small|span|strong|sub|sup|tt|u)\b[^<>]*>"

SUSPICIOUS = rf"(?i){_TAGS}|&#?\w+;|[\"“”„«»†\x00-\x1f\x{{A0}}]|^['\s\[]|\s\s|\s$|^[^ ]*_[^ ]*$"
"""What :func:`clean` may change (RE2)."""

_TAG = re.compile(_TAGS, re.IGNORECASE)
_ENTITY = re.compile(r"&#?\w+;")
_BRACKETED = re.compile(r"^\[(\w+)\]")
_QUOTES = re.compile(r"[\"“”„«»]")
_QUOTED = re.compile(r"^'([^']*)'$")
_BLANKS = re.compile(r"[\s\x00-\x1f]+")

_LIGATURES = str.maketrans(
    {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ß": "ss", "ł": "l", "Ł": "L"}
)


def has_quotes(text: str) -> bool:
    """Return whether a text has quotes other than apostrophes, or stands in these."""
    return bool(_QUOTES.search(text) or _QUOTED.search(text.strip()))


def has_markup(text: str) -> bool:
    """Return whether a text has tags, entities, a first word in brackets, or a dagger."""
    return bool(_TAG.search(text) or _ENTITY.search(text) or _BRACKETED.search(text) or "†" in text)


def clean(text: str) -> str:
    """Return a name without HTML tags, entities, daggers, brackets around its first word, quotes and needless blanks.

    Underscores are blanks in a name that has no others.
    Apostrophes inside a name stay. Entities are read until there are none, since some sources escape them twice.
    Cleaning a clean name changes nothing.
    """
    before = None
    while text != before:
        before = text
        text = _TAG.sub("", html.unescape(text)).replace("†", "")
        text = _BLANKS.sub(" ", _QUOTES.sub("", text)).strip()
        if " " not in text:
            text = text.replace("_", " ").strip()
        text = _BRACKETED.sub(r"\1", _QUOTED.sub(r"\1", text))
    return text


def strip_diacritics(text: str, *, ligatures: bool = True) -> str:
    """Return a name without marks on its letters, and without modifier letters.

    Args:
        text: The name.
        ligatures: Whether ligatures become two letters; if not, modifier symbols such as "^" go, too.

    Source: ``Taxon.normalizeName`` of the Open Tree, which leaves ligatures alone; article 32.5.2 of the zoological and
    article 60 of the botanical code for the letters.
    """
    if text.isascii() and "^" not in text and "`" not in text:
        return text
    removed = {"Lm"} if ligatures else {"Lm", "Sk"}
    if ligatures:
        text = text.translate(_LIGATURES)
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", text)
        if not ("\u0300" <= letter <= "\u036f" or unicodedata.category(letter) in removed)
    )
