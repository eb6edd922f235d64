"""Takedowns: images that must leave a dataset, and stay out, because somebody has asked for it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Takedown", "comparable", "merge_takedowns"]

KINDS = ("id", "url", "owner")
"""What a takedown can name, in the order in which they count."""

_SCHEME = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Takedown:
    """A request to take images out of a dataset.

    Attributes:
        kind: One of :data:`KINDS`.
        value: The id of an image (ours, or ``<source>/<natural key>``), the address of its page or file, or its owner.
        date: The date of the request, ``YYYY-MM-DD``, or "".
        reason: The reason in words, or "".
    """

    kind: str
    value: str
    date: str = ""
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return the kind, and the value in the form in which values are compared."""
        return self.kind, comparable(self.kind, self.value)

    @property
    def text(self) -> str:
        """Return the takedown as text, for the ledger."""
        on = f" on {self.date}" if self.date else ""
        because = f": {self.reason}" if self.reason else ""
        return f"taken down by its {self.kind}, {self.value}{on}{because}"


def comparable(kind: str, value: str) -> str:
    """Return a value in the form in which values of this kind are compared.

    Owners are equal after Unicode normalisation, whatever their case and blanks. Addresses are equal whatever the case of
    the host, with ``http`` or ``https``, and with or without a slash at the end. Ids are compared as they are.
    """
    if kind == "owner":
        return " ".join(
            unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).split()
        )
    value = value.strip()
    if kind == "url" and (found := _SCHEME.match(value)):
        return f"//{found[1].casefold()}{value[found.end() :]}".rstrip("/")
    return value


def merge_takedowns(takedowns: Iterable[Takedown]) -> list[Takedown]:
    """Return each takedown once, by date, kind and value; of several about the same the earliest.

    The result does not depend on the order of the takedowns.
    """
    ordered = sorted(
        takedowns, key=lambda one: (not one.date, one.date, KINDS.index(one.kind), one.value, one.reason)
    )
    first: dict[tuple[str, str], Takedown] = {}
    for one in ordered:
        first.setdefault(one.key, one)
    return list(first.values())
