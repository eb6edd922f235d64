"""The rules of published naming that are known to produce wrong names, for counts in reports."""

from __future__ import annotations

import enum
import functools

__all__ = ["RULE_TEXTS", "NameRule", "joined_rules", "split_rules"]


class NameRule(enum.StrEnum):
    """A rule that is applied because the published names follow it, although its result can be wrong."""

    COMMON_CLEANED = "common_cleaned"
    HOMONYM_GENUS = "homonym_genus"
    BLANK_PARENT = "blank_parent"
    GENUS_SPELLING = "genus_spelling"


RULE_TEXTS = {
    NameRule.COMMON_CLEANED: "images whose common name is lower-cased, cut or dropped, as scientific names are",
    NameRule.HOMONYM_GENUS: "images of scraped pages whose genus is on several pages; the last one is taken",
    NameRule.BLANK_PARENT: "images whose higher ranks stay empty because the first row of a name has a blank parent",
    NameRule.GENUS_SPELLING: "images of two-word species without a genus above; their spelling decides whether it is kept",
}
"""Descriptions of the rules, for reports, where they follow the number of affected images."""


@functools.cache
def joined_rules(rules: frozenset[NameRule]) -> str:
    """Return rules as one string, in the order of :class:`NameRule` and separated by commas; "" for none."""
    return ",".join(rule for rule in NameRule if rule in rules)


def split_rules(joined: str) -> list[NameRule]:
    """Return the rules that :func:`joined_rules` has joined for a catalog."""
    return [NameRule(rule) for rule in joined.split(",") if rule]
