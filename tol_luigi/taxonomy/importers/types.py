"""What the types of names in the NCBI Taxonomy and the Open Tree Taxonomy are used for.

Source: ``doc/interim-format.md`` of the Open Tree's reference taxonomy, for synonyms.
"""

from __future__ import annotations

import enum

__all__ = ["Use", "use_of"]

_LEFT_OUT = frozenset({"type material", "authority", "blast name", "in-part", "valid"})
_VERNACULAR = "common name"


class Use(enum.StrEnum):
    """What a name is used for."""

    SYNONYM = "synonym"
    VERNACULAR = "vernacular"
    LEFT_OUT = "left_out"


def use_of(kind: str) -> Use:
    """Return what a name is used for, by its type; most types are kinds of synonyms."""
    text = kind.lower().replace("_", " ").strip()
    if text.endswith(_VERNACULAR):
        return Use.VERNACULAR
    return Use.LEFT_OUT if text in _LEFT_OUT else Use.SYNONYM
