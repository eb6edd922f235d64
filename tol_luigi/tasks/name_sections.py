"""The sections of ``luigi.cfg`` that say how images are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import ClassVar

from tol_luigi.core.sections import Section, setting
from tol_luigi.core.setting_kinds import Choice, Lines, Place

__all__ = ["ItisSection", "NamesSection", "PublishedSection", "ResolvedSection", "TaxonomySection"]


@dataclass(frozen=True)
class ItisSection(Section):
    """Integrated Taxonomic Information System: higher ranks and common names."""

    section: ClassVar[str] = "itis"

    chains: Path | None = setting(Place("file"), None, "species_level_taxonomy_chains.csv", determines=True)


@dataclass(frozen=True)
class ResolvedSection(Section):
    """Names that resolvers have found higher ranks for."""

    section: ClassVar[str] = "resolved"

    jsonl: Path | None = setting(Place("file"), None, "resolved.jsonl", determines=True)


@dataclass(frozen=True)
class NamesSection(Section):
    """How images are named."""

    section: ClassVar[str] = "names"

    method: str = setting(
        Choice("published", "reference"),
        "published",
        "the naming rules: the published ones, which include known errors (docs/reproduce.md), or a reference taxonomy (docs/taxonomy.md)",
        determines=True,
    )


@dataclass(frozen=True)
class TaxonomySection(Section):
    """The reference taxonomy, for [names] method = reference."""

    section: ClassVar[str] = "taxonomy"

    sources: tuple[str, ...] | None = setting(
        Lines(),
        None,
        "its sources, the first priority first, one per line: <name> = <format> <path>, and <name>/<clade> = <format> <path> for a part of one; if empty, the taxonomies among the tables of the sections above",
        determines=True,
        is_recorded=False,
    )
    release: Path | None = setting(
        Place("folder"),
        None,
        "a reference taxonomy to use as it is, instead of building one",
        determines=True,
        is_recorded=False,
    )
    previous: Path | None = setting(
        Place("folder"),
        None,
        "the previous release, whose ids are kept",
        determines=True,
        is_recorded=False,
    )
    patches: Path | None = setting(
        Place("file"),
        None,
        "statements of curators that correct the result, in YAML",
        determines=True,
        is_recorded=False,
    )
    refine: str = setting(
        Choice("strict", "ott"),
        "strict",
        "whether a source can move taxa of sources with higher priority into its own groups: never (strict), or as the Open Tree does (ott)",
        determines=True,
        is_recorded=False,
    )


@dataclass(frozen=True)
class PublishedSection(Section):
    """A dataset published before, whose ids and names to keep."""

    section: ClassVar[str] = "published"

    mapping: Path | None = setting(Place("file"), None, "mapping.sqlite: ids and splits", determines=True)
    names: Path | None = setting(
        Place("folder"), None, "folder of <source>_name_lookup.json files", determines=True
    )
