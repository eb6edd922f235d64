"""What an alignment decides about a record, and by which heuristic."""

from __future__ import annotations

import enum

__all__ = ["AMBIGUOUS", "REASONS", "Heuristics", "Reason", "Refine"]


class Refine(enum.StrEnum):
    """When a taxon of a lower priority may come between a taxon of a higher priority and its children."""

    STRICT = "strict"
    """Only directly below the taxon that its parent is aligned to, so that no taxon leaves its parent."""
    OTT = "ott"
    """As the Open Tree does, which may take taxa out of their parent."""


class Heuristics(enum.StrEnum):
    """Which heuristics an alignment uses."""

    OTT = "ott"
    """Exactly those of the Open Tree."""
    EXTENDED = "extended"
    """Also identifiers, authorship and nomenclatural code."""


class Reason(enum.StrEnum):
    """What decided the fate of a record; the Open Tree's words where it has them."""

    NONE = "none"
    """No taxon has any of its names."""
    DIVISION_NAME = "division name"
    """It is the record of a taxon of the separation list."""
    SOURCE_ID = "source id"
    """The taxon has the same identifier."""
    KNOWN = "added before"
    """The record was dropped when the same source was added before."""
    CONTAINER = "container"
    """It is no taxon but what others were kept in, such as "unclassified Asteraceae"."""
    INFORMAL = "informal name"
    """Its name names no taxon that another source could have, such as "Megaselia sp. 1"."""
    CONFIRMED = "confirmed"
    """There was one candidate, and a heuristic was in favour of it."""
    ELIMINATION = "by elimination"
    """There was one candidate, and no heuristic was against it."""
    SEPARATION = "disjoint divisions"
    RANK = "disparate ranks"
    LINEAGE = "by lineage"
    AUTHORSHIP = "by authorship"
    CODE = "nomenclatural code"
    OVERLAP = "overlapping membership"
    PROXIMITY = "same-division-weak"
    NAME = "by name"
    SAME_SOURCE_ID = "same source id"
    ANY_SOURCE_ID = "any source id"
    AMBIGUOUS_TIP = "ambiguous tip"
    AMBIGUOUS_INTERNAL = "ambiguous internal"
    NOT_SAME = "not the same"
    """A curator states that it is not the same as the taxon that it was aligned with."""
    NOT_USED = "not used"
    """The settings use only other parts of its source."""
    REPEATED_RECORD = "repeated identifier"
    """Another record of its source has the same identifier."""
    REPEATED_SIBLING = "repeated sibling"
    """A sibling in its source has the same name and rank."""


AMBIGUOUS = (Reason.AMBIGUOUS_TIP, Reason.AMBIGUOUS_INTERNAL)
"""Reasons of records for which several candidates remained."""

REASONS = tuple(Reason)
"""The reasons by their number; columns contain the numbers."""
