"""The flags of taxa, with the names that the Open Tree Taxonomy gives them."""

from __future__ import annotations

import enum

__all__ = [
    "INCERTAE_SEDIS",
    "INHERITED",
    "SUPPRESSED",
    "TOMBSTONES",
    "Flag",
    "flags_of",
    "flags_text",
]


class Flag(enum.IntFlag):
    """What is known of a taxon besides its name and place. Columns contain the sum of flags, as uint32."""

    WAS_CONTAINER = enum.auto()
    INCONSISTENT = enum.auto()
    MERGED = enum.auto()
    INCERTAE_SEDIS = enum.auto()
    MAJOR_RANK_CONFLICT = enum.auto()
    UNPLACED = enum.auto()
    ENVIRONMENTAL = enum.auto()
    UNCLASSIFIED = enum.auto()
    NOT_OTU = enum.auto()
    VIRAL = enum.auto()
    HYBRID = enum.auto()
    HIDDEN = enum.auto()
    EXTINCT = enum.auto()
    EDITED = enum.auto()
    FORCED_VISIBLE = enum.auto()
    SIBLING_HIGHER = enum.auto()
    INFRASPECIFIC = enum.auto()
    BARREN = enum.auto()
    INCERTAE_SEDIS_INHERITED = enum.auto()
    MAJOR_RANK_CONFLICT_INHERITED = enum.auto()
    UNPLACED_INHERITED = enum.auto()
    ENVIRONMENTAL_INHERITED = enum.auto()
    UNCLASSIFIED_INHERITED = enum.auto()
    EXTINCT_INHERITED = enum.auto()
    HIDDEN_INHERITED = enum.auto()
    INFORMAL = enum.auto()
    """Our own: a name such as "Megaselia sp. 1", which is never a candidate for another source."""


TOMBSTONES = Flag.WAS_CONTAINER | Flag.INCONSISTENT | Flag.MERGED
"""Flags of taxa that are kept only to explain what became of a record."""

INHERITED = {
    Flag.INCERTAE_SEDIS: Flag.INCERTAE_SEDIS_INHERITED,
    Flag.MAJOR_RANK_CONFLICT: Flag.MAJOR_RANK_CONFLICT_INHERITED,
    Flag.UNPLACED: Flag.UNPLACED_INHERITED,
    Flag.ENVIRONMENTAL: Flag.ENVIRONMENTAL_INHERITED,
    Flag.UNCLASSIFIED: Flag.UNCLASSIFIED_INHERITED,
    Flag.EXTINCT: Flag.EXTINCT_INHERITED,
    Flag.HIDDEN: Flag.HIDDEN_INHERITED,
}
"""For each flag that descendants inherit, the flag that they have then."""

INCERTAE_SEDIS = (
    Flag.INCERTAE_SEDIS | Flag.MAJOR_RANK_CONFLICT | Flag.UNPLACED | Flag.ENVIRONMENTAL | Flag.UNCLASSIFIED
)
"""Flags of taxa whose place below their parent is unknown."""

SUPPRESSED = (
    TOMBSTONES
    | INCERTAE_SEDIS
    | Flag.INCERTAE_SEDIS_INHERITED
    | Flag.MAJOR_RANK_CONFLICT_INHERITED
    | Flag.UNPLACED_INHERITED
    | Flag.ENVIRONMENTAL_INHERITED
    | Flag.UNCLASSIFIED_INHERITED
    | Flag.EXTINCT
    | Flag.EXTINCT_INHERITED
    | Flag.HIDDEN
    | Flag.HIDDEN_INHERITED
    | Flag.BARREN
    | Flag.NOT_OTU
    | Flag.HYBRID
    | Flag.VIRAL
)
"""Flags of taxa that the Open Tree hides, unless ``forced_visible`` is set."""


def flags_text(flags: int) -> str:
    """Return flags as the Open Tree writes them: names separated by commas, in order of the alphabet."""
    return ",".join(sorted(str(flag.name).lower() for flag in Flag(flags)))


def flags_of(text: str) -> Flag:
    """Return the flags of a text; names that are not known are ignored.

    Source: ``doc/taxon-flags.md`` of the Open Tree's reference taxonomy.
    """
    found = Flag(0)
    for name in text.split(","):
        found |= Flag.__members__.get(name.strip().upper(), Flag(0))
    return found
