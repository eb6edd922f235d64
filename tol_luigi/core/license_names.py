"""Names of licences, written in one way, and which of them a dataset allows."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["UNKNOWN", "is_allowed", "license_url", "parse_allowed", "spdx_name"]

UNKNOWN = "unknown"
"""The word of ``[rights] allow`` for images without a licence, or with one that has no name here."""

_PUBLIC_DOMAIN, _ZERO = "CC-PDM-1.0", "CC0-1.0"

_OTHERS = {
    "all rights reserved": "all-rights-reserved",
    "no known copyright restrictions": "no-known-copyright-restrictions",
}
"""Statements that are no licence of Creative Commons, by their words."""

_SYNONYMS = {
    "attribution": "by",
    "noncommercial": "nc",
    "sharealike": "sa",
    "noderivatives": "nd",
    "noderivs": "nd",
}

_IGNORED = {
    "cc", "creative", "commons", "org", "creativecommons", "license", "licenses", "licence", "licences", "http", "https", "www",
    "international", "unported", "generic", "deed", "legalcode", "en", "universal", "dedication",
}  # fmt: skip
"""Words that names and addresses of these licences contain, and that say nothing else."""

_OF_CREATIVE_COMMONS = re.compile(r"\bcc\b|\bcc0\b|creative ?commons|\battribution\b")
_VERSION = re.compile(r"([1-9])[ .]([0-9])\b")
_PORT = re.compile(r"[a-z]{2}|igo|scotland")
_ELEMENTS = ("by", "nc", "sa", "nd")
_FIXED = {
    "publicdomain": _PUBLIC_DOMAIN,
    "public domain": _PUBLIC_DOMAIN,
    "public domain mark": _PUBLIC_DOMAIN,
    "publicdomain mark": _PUBLIC_DOMAIN,
    "pdm": _PUBLIC_DOMAIN,
    "zero": _ZERO,
    "0": _ZERO,
    "cc0": _ZERO,
    "zero public domain": _ZERO,
    "cc0 public domain": _ZERO,
    "publicdomain zero": _ZERO,
}
"""Names of what has no author's rights, by their words without the ignored ones and the version."""


def spdx_name(text: str) -> str:
    """Return the name of a licence as SPDX writes it, such as ``CC-BY-NC-4.0``; "" if it is not known.

    A licence without a version keeps none: ``CC-BY``. The version for one country has its code: ``CC-BY-3.0-US``.

    Args:
        text: The name or address of the licence as a source writes it, such as ``cc-by-nc-4.0``, ``CC BY-NC 4.0`` or
            ``http://creativecommons.org/licenses/by-nc/4.0/``.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = " ".join(
        re.findall(r"[a-z0-9.]+", re.sub(r"\bnon-c", "nonc", re.sub(r"\bshare-a", "sharea", plain)))
    )
    if words in _OTHERS:
        return _OTHERS[words]
    words = words.replace("creativecommons.org", "creativecommons").replace("no derivatives", "noderivatives")
    is_known = _OF_CREATIVE_COMMONS.search(words) is not None
    found = _VERSION.search(words)
    before, after = (words[: found.start()], words[found.end() :]) if found else (words, "")
    parts, ports = (
        [_SYNONYMS.get(word, word) for word in side.split() if word not in _IGNORED]
        for side in (before, after)
    )
    if (fixed := _FIXED.get(" ".join(parts))) and not ports and (is_known or fixed == _PUBLIC_DOMAIN):
        return fixed
    return _attribution(parts, found, ports) if is_known else ""


def _attribution(parts: list[str], version: re.Match[str] | None, ports: list[str]) -> str:
    """Return the name of a licence with the element BY, "" if the words are of no such licence."""
    elements = [element for element in _ELEMENTS if element in parts]
    is_valid = (
        len(parts) == len(elements)
        and elements[:1] == ["by"]
        and not {"sa", "nd"} <= set(elements)
        and (not ports or (len(ports) == 1 and _PORT.fullmatch(ports[0])))
    )
    if not is_valid:
        return ""
    number = [f"{version[1]}.{version[2]}"] if version else []
    return "-".join(["CC", *map(str.upper, elements), *number, *map(str.upper, ports)])


def parse_allowed(text: str) -> str:
    """Return the name that a word of ``[rights] allow`` stands for.

    Raises:
        ValueError: It is not the name of a licence.
    """
    name = UNKNOWN if text.strip().casefold() == UNKNOWN else spdx_name(text)
    if not name:
        raise ValueError(text)
    return name


def is_allowed(name: str, allowed: Collection[str]) -> bool:
    """Return whether a licence is among the allowed ones.

    An allowed name without a version stands for all versions, and one with a version for those of all countries.

    Args:
        name: The name from :func:`spdx_name`, "" if unknown.
        allowed: Names from :func:`parse_allowed`.
    """
    if not name:
        return UNKNOWN in allowed
    version = re.search(r"-\d\.\d", name)
    general = {name, name[: version.start()], name[: version.end()]} if version else {name}
    return not general.isdisjoint(allowed)


def license_url(name: str) -> str:
    """Return the address of the text of a licence, by its name from :func:`spdx_name`; "" if it has none."""
    site = "https://creativecommons.org"
    if name in {_PUBLIC_DOMAIN, _ZERO}:
        return f"{site}/publicdomain/{'zero' if name == _ZERO else 'mark'}/1.0/"
    if found := re.fullmatch(r"CC-(BY[A-Z-]*)-(\d\.\d)(?:-([A-Z]+))?", name):
        return f"{site}/licenses/" + "".join(f"{part.lower()}/" for part in found.groups() if part)
    return ""
