"""The faults of published names that can be seen in the names of images, compared with those by a reference taxonomy.

Faults that stop the published process or leave no trace in the names are not among them: contradictions, cycles, broken tables.
"""

from __future__ import annotations

import enum
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import RANK_LABELS, Taxon, common_or_name
from tol_luigi.taxonomy import name_patterns as patterns
from tol_luigi.taxonomy.kingdoms import kingdom_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["FAULT_TEXTS", "Fault", "PublishedFaults"]

_EXAMPLES = 5
_GENUS = RANK_LABELS.index("genus")
_FAMILY = RANK_LABELS.index("family")


class Fault(enum.StrEnum):
    """A fault of published names."""

    OTHER_KINGDOM = "other_kingdom"
    OTHER_RANK = "other_rank"
    NO_FAMILY = "no_family"
    NOTHING_ABOVE = "nothing_above"
    GAP = "gap"
    BLANK_PARENT = "blank_parent"
    SEVERAL_PATHS = "several_paths"
    KINGDOM_NAME = "kingdom_name"
    UNKNOWN_WORD = "unknown_word"
    EPITHET_IS_GENUS = "epithet_is_genus"
    AUTHOR = "author"
    INFORMAL = "informal"
    INFRASPECIFIC = "infraspecific"
    MISSING_VALUE = "missing_value"
    HOMONYM_GENUS = "homonym_genus"
    GENUS_SPELLING = "genus_spelling"
    COMMON_CLEANED = "common_cleaned"
    COMMON_OF_HIGHER = "common_of_higher"
    COMMON_OF_HOMONYM = "common_of_homonym"
    OTHER_COMMON = "other_common"
    ONE_CLASS = "one_class"
    NO_NAME = "no_name"


FAULT_TEXTS = {
    Fault.OTHER_KINGDOM: "in another kingdom: names are taken for those of a homonym",
    Fault.OTHER_RANK: "in another phylum, class, order or family: misspelt, outdated, or of a farther ancestor",
    Fault.NO_FAMILY: "without a family, and with the higher ranks of another taxon",
    Fault.NOTHING_ABOVE: "without ranks above the highest known one, such as a genus that is in no table",
    Fault.GAP: "with an empty rank between two known ones",
    Fault.BLANK_PARENT: "whose first row in a table has a blank parent, so that ranks stay empty",
    Fault.SEVERAL_PATHS: "of a species that has several paths, and so several classes",
    Fault.KINGDOM_NAME: "with another name of a kingdom, such as Viridiplantae",
    Fault.UNKNOWN_WORD: "with a word for unknown as a rank, such as not_classified or incertae sedis",
    Fault.EPITHET_IS_GENUS: "whose genus is repeated as the species, as after a subgenus in brackets",
    Fault.AUTHOR: "with remains of an author in the species",
    Fault.INFORMAL: "of no named species (sp., cf.), all of which in a genus are one class",
    Fault.INFRASPECIFIC: "with the name of a subspecies or variety in the species",
    Fault.MISSING_VALUE: "with an epithet that programs read as a missing value (nan, null)",
    Fault.HOMONYM_GENUS: "of scraped pages whose genus is on several pages; the last one is taken",
    Fault.GENUS_SPELLING: "of two-word species without a genus above; their spelling decides whether it is kept",
    Fault.COMMON_CLEANED: "whose common name is lower-cased, cut or dropped, as scientific names are",
    Fault.COMMON_OF_HIGHER: "without genus and species, and with a common name that the reference does not give them",
    Fault.COMMON_OF_HOMONYM: "whose common name is that of a species of the same name in another kingdom",
    Fault.OTHER_COMMON: "with another common name: of another language, a variety, or one that is not preferred",
    Fault.ONE_CLASS: "of lineages that are the same if they are written without separators",
    Fault.NO_NAME: "that have no known rank, and are left out",
}
"""Descriptions of the faults, for reports, where they follow the number of images."""

_BY_RULE = {
    NameRule.BLANK_PARENT: Fault.BLANK_PARENT,
    NameRule.HOMONYM_GENUS: Fault.HOMONYM_GENUS,
    NameRule.GENUS_SPELLING: Fault.GENUS_SPELLING,
    NameRule.COMMON_CLEANED: Fault.COMMON_CLEANED,
}

_INFORMAL = re.compile(r"(?:^| )(?:sp|spp|spec|cf|aff|nr|indet)(?:\.| |$)")
_AUTHOR = re.compile(r" (?:de|van|von|and|ex|et)(?: |$)| &|[a-z]-$|(?<!\bvar)(?<!\bsp)\.$|\d")
_UNKNOWN = re.compile(f"{patterns.UNKNOWN}|{patterns.CONTAINER}|{patterns.ENVIRONMENTAL}")
_MISSING_VALUES = frozenset({"nan", "null", "none", "na"})

Labels = tuple[str, ...]
"""The seven ranks and the common name."""


class PublishedFaults:
    """Counts images by the faults of their published names."""

    def __init__(self) -> None:
        self._images: Counter[Fault] = Counter()
        self._examples: dict[Fault, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._paths: dict[Labels, Counter[Labels]] = defaultdict(Counter)
        self._commons: dict[Labels, Counter[Labels]] = defaultdict(Counter)
        self._lineages: dict[str, Counter[Labels]] = defaultdict(Counter)

    def add(
        self,
        before: Labels,
        now: Labels,
        rules: Collection[NameRule],
        images: int,
        shown: tuple[str, str],
    ) -> None:
        """Add images that have the same names.

        Args:
            before: The published labels.
            now: The labels by the reference taxonomy.
            rules: The naming rules that were applied to the published labels.
            images: The number of images.
            shown: Both as texts, for examples.
        """
        ranks, common = before[:-1], before[-1]
        for fault in {*_faults(before, now), *(_BY_RULE[rule] for rule in rules if rule in _BY_RULE)}:
            self._images[fault] += images
            self._examples[fault][shown] += images
        self._lineages["".join(ranks)][ranks] += images
        if genus_and_species := _binomial(ranks):
            self._paths[*genus_and_species, now[0]][ranks[:_GENUS]] += images
            if _is_common(before):
                self._commons[*genus_and_species, common][now[:1]] += images

    def add_unnamed(self, images: int) -> None:
        """Add images that have no published name."""
        self._images[Fault.NO_NAME] += images

    def figures(self) -> dict[str, Any]:
        """Return the faults that were met, with the number of images and the most frequent examples, as JSON."""
        counted = self._counted_together()
        return {
            fault.value: counted[fault] if fault in counted else self._counted(fault)
            for fault in Fault
            if self._images[fault] or fault in counted
        }

    def _counted(self, fault: Fault) -> dict[str, Any]:
        found = sorted(self._examples[fault].items(), key=lambda item: (-item[1], item[0]))[:_EXAMPLES]
        examples = [{"before": before, "now": now, "images": count} for (before, now), count in found]
        return {"images": self._images[fault], "examples": examples}

    def _counted_together(self) -> dict[Fault, dict[str, Any]]:
        """Return the faults that only several names together show."""
        tables: dict[Fault, Mapping[Any, Counter[Labels]]] = {
            Fault.SEVERAL_PATHS: self._paths,
            Fault.COMMON_OF_HOMONYM: self._commons,
            Fault.ONE_CLASS: self._lineages,
        }
        found = {}
        for fault, table in tables.items():
            several = {key: counts for key, counts in table.items() if len(counts) > 1}
            if several:
                often = sorted(several.items(), key=lambda item: (-item[1].total(), item[0]))[:_EXAMPLES]
                found[fault] = {
                    "images": sum(counts.total() for counts in several.values()),
                    "examples": [
                        {
                            "before": f"{_text(key)}: {' / '.join(sorted(map(_text, counts)))}",
                            "images": counts.total(),
                        }
                        for key, counts in often
                    ],
                }
        return found


def _faults(before: Labels, now: Labels) -> Iterator[Fault]:
    """Yield the faults of one published name."""
    yield from _faults_of_higher_ranks(before[:-1], now[:-1])
    yield from _faults_of_species(before[:-1], now[:-1])
    if _is_common(before):
        ranks, common = before[:-1], before[-1]
        if not any(ranks[_GENUS:]) and common != now[-1]:
            yield Fault.COMMON_OF_HIGHER
        elif _is_common(now) and common.casefold() != now[-1].casefold():
            yield Fault.OTHER_COMMON


def _faults_of_higher_ranks(before: Labels, now: Labels) -> Iterator[Fault]:
    kingdom = kingdom_of(before[0]) or before[0]
    is_elsewhere = bool(kingdom and now[0] and kingdom != now[0])
    differs = [
        bool(old and new and old != new) for old, new in zip(before[1:_GENUS], now[1:_GENUS], strict=True)
    ]
    if kingdom != before[0]:
        yield Fault.KINGDOM_NAME
    if is_elsewhere:
        yield Fault.OTHER_KINGDOM
    elif any(differs):
        yield Fault.OTHER_RANK
    if not any(before[_FAMILY:]) and (is_elsewhere or any(differs[:2])):
        yield Fault.NO_FAMILY
    known = [place for place, rank in enumerate(before) if rank]
    filled = [place for place, (old, new) in enumerate(zip(before, now, strict=True)) if new and not old]
    if known and filled and filled[0] < known[0]:
        yield Fault.NOTHING_ABOVE
    if any(known[0] < place < known[-1] for place in filled if known):
        yield Fault.GAP
    if any(map(_UNKNOWN.search, filter(None, before[: _GENUS + 1]))):
        yield Fault.UNKNOWN_WORD


def _faults_of_species(before: Labels, now: Labels) -> Iterator[Fault]:
    genus, species = before[_GENUS:]
    if species in _MISSING_VALUES:
        yield Fault.MISSING_VALUE
    elif species and _UNKNOWN.search(species):
        yield Fault.UNKNOWN_WORD
    if species and species == genus.lower() and now[-1] not in {"", species}:
        yield Fault.EPITHET_IS_GENUS
    if _INFORMAL.search(species):
        yield Fault.INFORMAL
    elif _AUTHOR.search(species):
        yield Fault.AUTHOR
    elif " " in species and not re.search(patterns.HYBRID, f" {species}"):
        yield Fault.INFRASPECIFIC


def _is_common(labels: Labels) -> bool:
    """Return whether images have a common name, and not only a scientific name in its place."""
    return labels[-1] != common_or_name(Taxon.from_rendered(labels[:-1]), "")


def _binomial(ranks: Labels) -> Labels:
    genus, species = ranks[_GENUS:]
    return (genus, species) if genus and species else ()


def _text(key: str | Sequence[str]) -> str:
    return key if isinstance(key, str) else " ".join(filter(None, key)) or "no higher ranks"
