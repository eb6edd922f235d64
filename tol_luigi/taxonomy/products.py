"""The tables of a finished reference taxonomy."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCEPTED",
    "CONFLICTS",
    "DEPRECATED",
    "FORWARDS",
    "NAMES",
    "TAXA",
    "VERNACULARS",
    "XREF",
    "Fate",
    "ReferenceTables",
]


class Fate(enum.StrEnum):
    """What became of a record of a source. Every record has exactly one."""

    ALIGNED = "aligned"
    """It is one with a taxon of a source of higher priority."""
    NEW = "new"
    """It has become a taxon: a tip, or the root or part of a clade that was copied."""
    REFINEMENT = "refinement"
    """It has become a taxon between a taxon of a higher priority and its children."""
    ABSORBED = "absorbed"
    """Its children have gone to a taxon of a higher priority; it is a tombstone."""
    INCONSISTENT = "inconsistent"
    """Its children are in several taxa of a higher priority; it is a tombstone, and a conflict is recorded."""
    DROPPED = "dropped"
    """It is probably one with a taxon of a higher priority, but it is uncertain which."""
    EXCLUDED = "excluded"
    """It was left out on purpose: a container, or a part of the source that is not used."""
    FOLDED = "folded"
    """Another record of its source is the same taxon: one with the same identifier, or a sibling with the same name and rank."""


_text = pa.string()
_id = pa.int64()

TAXA = pa.schema(
    [
        pa.field("tol_id", _id, nullable=False),
        pa.field("parent", _id),
        pa.field("name", _text, nullable=False),
        pa.field("authorship", _text, nullable=False),
        pa.field("rank", _text, nullable=False),
        pa.field("code", _text, nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("sources", _text, nullable=False),
        pa.field("unique_name", _text, nullable=False),
        *(pa.field(label, _text, nullable=False) for label in RANK_LABELS),
    ]
)
"""All taxa, tombstones too, in preorder, siblings in order of their names.

``sources`` are identifiers separated by commas, the origin first. ``unique_name`` is "" if ``name`` is unique. The seven ranks
are the names of the nearest taxon of each rank, the taxon itself or above it; if there is none, the name that the first source
has there, provided that it contradicts no other taxon; else "". The species is the complete name. The kingdom goes through one table (Metazoa is Animalia).
"""

ACCEPTED = "accepted"
"""The type of the name that is the name of its taxon."""

NAMES = pa.schema(
    [
        pa.field("tol_id", _id, nullable=False),
        pa.field("name", _text, nullable=False),
        pa.field("authorship", _text, nullable=False),
        pa.field("type", _text, nullable=False),
        pa.field("source", _text, nullable=False),
    ]
)
"""All names of all taxa; ``type`` is ``ACCEPTED`` for the name in ``TAXA``, else the type of the synonym. ``source`` is the
prefix of the source that has contributed the name."""

XREF = pa.schema(
    [
        pa.field("source", _text, nullable=False),
        pa.field("source_id", _text, nullable=False),
        pa.field("name", _text, nullable=False),
        pa.field("rank", _text, nullable=False),
        pa.field("tol_id", _id),
        pa.field("fate", _text, nullable=False),
        pa.field("reason", _text, nullable=False),
        pa.field("score", pa.int8()),
        pa.field("witness", _text, nullable=False),
    ]
)
"""One row for every record of every source: its :class:`Fate`, the taxon (null if there is none), the heuristic that decided, its
score from -3 to 3, and the name of the taxon that it was decided by."""

CONFLICTS = pa.schema(
    [
        pa.field("source", _text, nullable=False),
        *(
            pa.field(name, _text, nullable=False)
            for name in (
                "parent",
                "alice",
                "alice_target",
                "alice_parent",
                "alice_ancestor",
                "bob",
                "bob_target",
                "bob_parent",
                "bob_ancestor",
                "mrca",
                "sink",
                "unplaced",
            )
        ),
        pa.field("depth", pa.int32(), nullable=False),
        pa.field("visible", pa.bool_(), nullable=False),
    ]
)
"""Records whose children are in different places of sources of higher priority; columns as the Open Tree has them."""

VERNACULARS = pa.schema(
    [
        pa.field("tol_id", _id, nullable=False),
        pa.field("name", _text, nullable=False),
        pa.field("language", _text, nullable=False),
        pa.field("source", _text, nullable=False),
        pa.field("rank", _text, nullable=False),
        pa.field("is_preferred", pa.bool_(), nullable=False),
    ]
)
"""Vernacular names of taxa; ``rank`` is the rank of the record that has the name."""

FORWARDS = pa.schema([pa.field("id", _id, nullable=False), pa.field("replacement", _id, nullable=False)])
"""Ids of earlier releases that other ids have replaced."""

DEPRECATED = pa.schema(
    [
        pa.field("id", _id, nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        *(
            pa.field(name, _text, nullable=False)
            for name in ("name", "sourceinfo", "reason", "witness", "replacement", "status")
        ),
    ]
)
"""Ids of the earlier release that no taxon has any more, and why; ``size`` is the number of tips that it had."""


@dataclass(frozen=True)
class ReferenceTables:
    """A finished reference taxonomy, as tables with the schemas of this module."""

    taxa: pa.Table
    names: pa.Table
    xref: pa.Table
    conflicts: pa.Table = field(default_factory=CONFLICTS.empty_table)
    vernaculars: pa.Table = field(default_factory=VERNACULARS.empty_table)
    forwards: pa.Table = field(default_factory=FORWARDS.empty_table)
    deprecated: pa.Table = field(default_factory=DEPRECATED.empty_table)
    about: Mapping[str, object] = field(default_factory=dict)
