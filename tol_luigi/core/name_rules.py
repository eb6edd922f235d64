"""The naming rules whose results can be wrong or incomplete, for counts in reports."""

from __future__ import annotations

import enum
import functools

__all__ = ["PUBLISHED_RULES", "RULE_TEXTS", "NameRule", "joined_rules", "split_rules"]


class NameRule(enum.StrEnum):
    """A rule whose result can be wrong, as the published names follow it, or is incomplete, as a reference lacks a name."""

    COMMON_CLEANED = "common_cleaned"
    HOMONYM_GENUS = "homonym_genus"
    BLANK_PARENT = "blank_parent"
    GENUS_SPELLING = "genus_spelling"
    NOT_IN_REFERENCE = "not_in_reference"
    UNKNOWN_NAME = "unknown_name"
    AMBIGUOUS_NAME = "ambiguous_name"
    INFORMAL_NAME = "informal_name"


PUBLISHED_RULES = (
    NameRule.COMMON_CLEANED,
    NameRule.HOMONYM_GENUS,
    NameRule.BLANK_PARENT,
    NameRule.GENUS_SPELLING,
)
"""The rules of the published names; the others are those of a reference taxonomy."""

RULE_TEXTS = {
    NameRule.COMMON_CLEANED: "images whose common name is lower-cased, cut or dropped, as scientific names are",
    NameRule.HOMONYM_GENUS: "images of scraped pages whose genus is on several pages; the last one is taken",
    NameRule.BLANK_PARENT: "images whose higher ranks stay empty because the first row of a name has a blank parent",
    NameRule.GENUS_SPELLING: "images of two-word species without a genus above; their spelling decides whether it is kept",
    NameRule.NOT_IN_REFERENCE: "images whose lowest names the reference taxonomy lacks; they are kept below the nearest taxon",
    NameRule.UNKNOWN_NAME: "images of whose names the reference taxonomy has none; they are kept as they are",
    NameRule.AMBIGUOUS_NAME: "images whose name can mean several taxa; the nearest taxon above that is certain is used",
    NameRule.INFORMAL_NAME: "images whose name is no name of a taxon (Megaselia sp.); the nearest taxon above is used",
}
"""Descriptions of the rules, for reports, where they follow the number of affected images."""


@functools.cache
def joined_rules(rules: frozenset[NameRule]) -> str:
    """Return rules as one string, in the order of :class:`NameRule` and separated by commas; "" for none."""
    return ",".join(rule for rule in NameRule if rule in rules)


def split_rules(joined: str) -> list[NameRule]:
    """Return the rules that :func:`joined_rules` has joined for a catalog."""
    return [NameRule(rule) for rule in joined.split(",") if rule]
