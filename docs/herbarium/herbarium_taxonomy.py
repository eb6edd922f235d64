"""Ranks of herbarium sheets from a table with the columns scientificName, taxonRank and parentNameUsage."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import herbarium

from tol_luigi.core.sections import setting
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.source import Entry
from tol_luigi.core.taxon import RANK_LABELS, Taxon


@dataclass(frozen=True)
class TaxonomySection(herbarium.HerbariumSection):
    """Herbarium sheets, and a taxonomy."""

    taxonomy: Path | None = setting(Place("file"), None, "CSV of names and parents", determines=True)


class TaxonomyLabeler(herbarium.HerbariumLabeler):
    """Adds to each species the names above it."""

    def __init__(self, given: Any) -> None:
        super().__init__(given.sheets)
        self.taxonomy = given.taxonomy

    def entries(self, images: Iterable[tuple[Any, ...]], lookup: Any, common_names: Any) -> Iterator[Entry]:
        self.names = {row["scientificName"]: row for row in herbarium.rows(self.taxonomy)}
        yield from super().entries(images, lookup, common_names)

    def taxon(self, species: str) -> Taxon:
        ranks, met = {"kingdom": "Plantae", "species": species}, set[str]()
        name = species if species in self.names else species.partition(" ")[0]  # else its genus
        while name in self.names and name not in met:  # a circle of parents ends the walk
            met.add(name)
            ranks[self.names[name]["taxonRank"]] = name
            name = self.names[name]["parentNameUsage"]
        return Taxon.of(*(ranks.get(rank, "") for rank in RANK_LABELS))


HERBARIUM = replace(
    herbarium.HERBARIUM,
    section=TaxonomySection,
    labeler=TaxonomyLabeler,
    name_tables=("taxonomy", "sheets"),
)
