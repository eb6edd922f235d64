"""The names of the sample dataset, made from its metadata and compared with the published process's."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from common_names import read_common_names

from tol_luigi.core.lineages import Lineages
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources import tables
from tol_luigi.sources.eol import EOL

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.core.vernacular import CommonNames

BIOSCAN = "bioscan/BIOSCAN_Insect_Dataset_metadata"


class Names:
    """The three name lookups, filled in the published order: BIOSCAN, iNat21, EOL, each by image id."""

    def __init__(self, metadata: Path, bioscan: str) -> None:
        chains = metadata / "itis" / "species_level_taxonomy_chains.csv"
        dwca = metadata / "inat" / "dwca"
        self.common: CommonNames = read_common_names(
            chains=chains,
            inat=(dwca / "taxa.csv", dwca / "VernacularNames-english.csv"),
            eol=metadata / "eol" / "vernacularnames.csv",
        )
        self.lookup = tables.load_lookup(chains, metadata / "resolved.jsonl")
        self.hierarchy = tables.load_hierarchy(
            metadata / "eol" / "dh21" / "taxon.tab", metadata / "eol" / "scraped_page_ids.csv"
        )
        self.lineages = Lineages()
        with contextlib.closing(sqlite3.connect(metadata / "mapping.sqlite")) as mapping:
            self.bioscan = self.bioscan_names(mapping, metadata / bioscan)
            self.inat21 = self.inat21_names(mapping)
            self.eol = self.eol_names(mapping)

    def entry(self, taxon: Taxon) -> list[Any]:
        return [list(taxon.rendered), self.common.of(taxon), list(self.lineages.index(taxon))]

    def bioscan_names(self, mapping: sqlite3.Connection, metadata: Path) -> dict[str, list[Any]]:
        ranks = {image_file: ranks for image_file, *ranks in tables.bioscan_rows(metadata)}
        rows = mapping.execute("SELECT evobio10m_id, filename FROM bioscan ORDER BY evobio10m_id")
        higher = ["Animalia", "Arthropoda", "Insecta"]
        return {key: self.entry(self.lookup.fill(Taxon.of(*higher, *ranks[name]))) for key, name in rows}

    def inat21_names(self, mapping: sqlite3.Connection) -> dict[str, list[Any]]:
        names: dict[str, list[Any]] = {}
        for number, name in mapping.execute("SELECT cls_num, cls_name FROM inat21 ORDER BY evobio10m_id"):
            if str(number) not in names:
                ranks = name.split("_", 6)
                names[str(number)] = self.entry(Taxon.of(*[rank.replace("_", " ") for rank in ranks]))
        return names

    def eol_names(self, mapping: sqlite3.Connection) -> dict[str, list[Any]]:
        names: dict[str, list[Any]] = {}
        for (page,) in mapping.execute("SELECT page_id FROM eol ORDER BY evobio10m_id"):
            taxon = self.hierarchy.taxon(page)
            if taxon is not None and str(page) not in names:
                names[str(page)] = self.entry(self.lookup.fill(taxon))
        return names


@pytest.fixture(scope="module", params=[".jsonld", ".tsv"])
def names(request: pytest.FixtureRequest, shared: Path) -> Names:
    return Names(shared / "sample" / "metadata", BIOSCAN + request.param)


def golden(shared: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((shared / "golden" / "naming" / name).read_text(encoding="utf-8"))
    return content


def test_common_names(names: Names, shared: Path) -> None:
    expected = golden(shared, "scientific_to_common.json")
    assert list(names.common.entries().items()) == list(expected.items())


def test_bioscan_names(names: Names, shared: Path) -> None:
    expected = golden(shared, "bioscan_name_lookup.json")
    assert list(names.bioscan.items()) == list(expected.items())


def test_inat21_names(names: Names, shared: Path) -> None:
    expected = golden(shared, "inat21_name_lookup.json")
    assert list(names.inat21.items()) == list(expected.items())


def test_eol_names(names: Names, shared: Path) -> None:
    expected = golden(shared, "eol_name_lookup.json")
    # The published process walks over a set of pages; its class indexes follow that order.
    assert {page: entry[:2] for page, entry in names.eol.items()} == {
        page: entry[:2] for page, entry in expected.items()
    }


def test_class_indexes_follow_the_order_of_first_sight(shared: Path) -> None:
    lineages = Lineages()
    for name in ("bioscan_name_lookup.json", "inat21_name_lookup.json", "eol_name_lookup.json"):
        entries = golden(shared, name).values()
        made = [list(lineages.index(Taxon.from_rendered(ranks))) for ranks, _, _ in entries]
        assert made == [indexes for _, _, indexes in entries]


def test_the_sample_contradicts_itself_nowhere(names: Names) -> None:
    assert names.lookup.contradictions == []
    assert names.hierarchy.cycles == ()


@pytest.mark.parametrize(
    ("name", "with_species", "counts"),
    [("seen", False, (3990, 4000, 400)), ("unseen", True, (11983, 11983, 400))],
)
def test_every_key_of_the_exclusion_lists_is_read(
    shared: Path, name: str, with_species: bool, counts: tuple[int, ...]
) -> None:
    path = shared / "sample" / "metadata" / "rarespecies" / f"{name}_in_training.json"
    exclusions = tables.load_exclusions(path, with_species=with_species)

    assert (len(exclusions.listed_keys(EOL.key)), exclusions.files, exclusions.species) == counts
    assert exclusions.unparsed == ()
