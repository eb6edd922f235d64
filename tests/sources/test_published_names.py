"""The published names in awkward cases: the answers that the published process gives, and the rules read plainly."""

from __future__ import annotations

import csv
import json
import random
from typing import TYPE_CHECKING

import awkward_tables
import pytest
from common_names import read_common_names
from plain_names import Named, PlainNames, Tables

from tol_luigi.sources import tables
from tol_luigi.sources.bioscan import BioscanLabeler
from tol_luigi.sources.eol import EolLabeler
from tol_luigi.sources.inat21 import INat21Labeler

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tol_luigi.core.source import Entry, Labeler

ROUNDS = 4_000
BLOCKS = 8

ITIS = "Kingdom,Phylum,Class,Order,Family,Genus,Species,terminal_vernacular,terminal_vernacular_lang"
EOL = "canonical_form,vernacular_string,language_code,is_preferred_by_eol"
TAXA = "id,kingdom,phylum,class,order,family,genus,specificEpithet,taxonRank,scientificName"
TAXON_TAB = "taxonID,parentNameUsageID,taxonRank,canonicalName,eolID"
SCRAPED = "page_id,scientific_name"
BIOSCAN = "image_file,order,family,genus,species"


class Names:
    """Names by our own reading of some tables."""

    def __init__(self, made: Tables) -> None:
        self.tables = made
        self.common = read_common_names(
            chains=made.itis, inat=(made.inat_taxa, made.inat_names), eol=made.eol_names
        )
        self.lookup = tables.load_lookup(made.itis, made.resolved)

    def _of(self, source: Labeler, images: Iterable[tuple[int | str, ...]]) -> dict[str, Entry]:
        return {entry.key: entry for entry in source.entries(images, self.lookup, self.common)}

    def eol(self, pages: Iterable[int]) -> dict[str, Entry]:
        source = EolLabeler(self.tables.taxon_tab, self.tables.scraped)
        return self._of(source, ((1, page, "") for page in pages))

    def bioscan(self, files: Iterable[str]) -> dict[str, Entry]:
        source = BioscanLabeler(self.tables.bioscan)
        return self._of(source, ((1, file, file) for file in files))

    def inat21(self, class_names: Iterable[str]) -> dict[str, Entry]:
        source = INat21Labeler()
        return self._of(source, (("", name, number, "") for number, name in enumerate(class_names)))

    def page(self, page: int) -> tuple[str, ...] | None:
        """Return the ranks of a page as they are in samples."""
        entry = self.eol([page]).get(str(page))
        return entry.taxon.renormalised().rendered if entry else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def made_of(folder: Path, **rows: list[str]) -> Names:
    """Write tables, each of lines with commas between the cells; those that are not given have no rows."""
    headers = {
        "itis": ITIS, "inat_taxa": TAXA, "inat_names": "id,vernacularName", "eol_names": EOL, "taxon_tab": TAXON_TAB,
        "scraped": SCRAPED, "bioscan": BIOSCAN,
    }  # fmt: skip
    paths = {name: folder / f"{name}.tsv" for name in Tables._fields}
    for name, path in paths.items():
        lines = [*([headers[name]] if name in headers else []), *rows.get(name, [])]
        if name in {"taxon_tab", "bioscan"}:
            lines = ["\t".join(next(csv.reader([line], quoting=csv.QUOTE_NONE))) for line in lines]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Names(Tables(**paths))


def resolved(name: str, **ranks: str) -> str:
    return json.dumps({name: {"first": ranks}})


# 1: common names of EOL


@pytest.mark.parametrize(
    ("row", "entries"),
    [
        ("Corvus corax,Common Raven,eng,", {"Corvus corax": "common raven"}),
        ("Corvus corax,raven (common),eng,", {"Corvus corax": "raven"}),
        ("Corvus corax,<b>raven</b>,eng,", {"Corvus corax": "raven"}),
        ("Corvus corax,black & white warbler,eng,", {}),
        ('"<i>Corvus corax</i> Linnaeus, 1758",raven,eng,', {"Corvus corax Linnaeus, 1758": "raven"}),
        ("CORVUS CORAX,raven,eng,", {"CORVUS CORAX": "raven"}),
        ("Corvus corax ,raven,eng,", {"Corvus corax ": "raven"}),
    ],
)
def test_common_names_of_eol_are_cleaned_and_their_keys_are_not(
    folder: Path, row: str, entries: dict[str, str]
) -> None:
    assert made_of(folder, eol_names=[row]).common.entries() == entries


@pytest.mark.parametrize("mark", ["preferred", "no", " ", "0"])
def test_any_mark_of_eol_means_preferred(folder: Path, mark: str) -> None:
    names = made_of(folder, eol_names=["Corvus corax,raven,eng,", f"Corvus corax,crow,eng,{mark}"])
    assert names.common.entries() == {"Corvus corax": "crow"}


# 2: iNaturalist


def test_names_of_inaturalist_come_in_the_order_of_the_vernaculars(folder: Path) -> None:
    names = made_of(
        folder,
        inat_taxa=[
            "1,,,,,,Corvus,corax,species,Corvus corax",
            "2,,,,,,Corvus,corax,variety,Corvus corax albus",
        ],
        inat_names=["2,White Raven", "1,Raven"],
    )
    assert names.common.entries() == {"Corvus corax": "White Raven", "Corvus corax albus": "White Raven"}


# 3: homonym genera


def test_a_scraped_name_belongs_to_the_genus_entered_last(folder: Path) -> None:
    names = made_of(
        folder,
        taxon_tab=[
            "a,,kingdom,Metazoa,1",
            "b,a,genus,Agathis,2",
            "c,,kingdom,Chloroplastida,3",
            "d,c,genus,Agathis,4",
        ],
        scraped=["7,Agathis malvacearum"],
    )
    assert names.page(7) == ("Plantae", "", "", "", "", "Agathis", "malvacearum")


# 5: blank parents


def test_a_blank_parent_is_not_filled_by_a_later_row(folder: Path) -> None:
    names = made_of(
        folder,
        itis=['Animalia,Mollusca,Gastropoda,"",Ficidae,Ficus,Ficus variegata,,'],
        resolved=[resolved("Ficus alia", order="Littorinimorpha", family="Ficidae")],
        taxon_tab=["a,,species,Ficus variegata,7", "b,,genus,Ficus,8", "c,b,species,Ficus variegata,9"],
    )
    assert names.page(9) == ("", "", "", "", "Ficidae", "Ficus", "variegata")


def test_a_blank_parent_is_not_filled_by_a_later_resolved_name(folder: Path) -> None:
    names = made_of(
        folder,
        resolved=[
            resolved("Ficus variegata", family="Ficidae"),
            resolved("Ficus alia", order="Xus", family="Ficidae"),
        ],
        bioscan=["a.jpg,,Ficidae,Ficus,"],
    )
    assert names.bioscan(["a.jpg"])["a.jpg"].taxon.ranks[3:5] == ("", "ficidae")


# 6: tautonyms


def test_three_word_tautonyms_are_normalised_a_second_time(folder: Path) -> None:
    names = made_of(
        folder,
        taxon_tab=["a,,species,Bison bison bonasus,7", "b,,species,Bison bison athabascae,8"],
        bioscan=["a.jpg,,,Bison,Bison bison athabascae"],
    )
    class_name = "Animalia_Chordata_Mammalia_Artiodactyla_Bovidae_Bison_bison bison bonasus"
    inat21 = names.inat21([class_name])["0"].taxon

    assert names.page(7) == ("", "", "", "", "", "Bison", "bonasus")
    assert names.page(8) == ("", "", "", "", "", "Bison", "athabascae")
    assert names.bioscan(["a.jpg"])["a.jpg"].taxon.species == "athabascae"
    assert (inat21.species, inat21.renormalised().species) == ("bison bonasus", "bonasus")


# 7: spelling of a genus


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("McCoya bella", ("Mccoya", "bella")),
        ("CORVUS corax", ("Corvus", "corax")),
        ("Corvus corax", ("", "corax")),
    ],
)
def test_a_genus_that_is_not_written_like_one_is_kept(
    folder: Path, name: str, ranks: tuple[str, str]
) -> None:
    assert made_of(folder, taxon_tab=[f"a,,species,{name},7"]).page(7) == ("", "", "", "", "", *ranks)


# 8: initials


def test_an_initial_with_an_accent_is_not_cut(folder: Path) -> None:
    names = made_of(folder, scraped=["7,Rosa canina É. Dupont"])
    assert names.page(7) == ("", "", "", "", "", "Rosa", "canina é. dupont")


# 9: blanks


def test_names_keep_their_blanks(folder: Path) -> None:
    names = made_of(
        folder,
        itis=[",,,,,Corvus,corax,Wall ,English", ",,,,,Pica,pica, ,English"],
        inat_taxa=["1,,,,,,Apis,mellifera,species,Apis mellifera "],
        inat_names=["1, Bee"],
        taxon_tab=["a,,kingdom,Metazoa ,1", "b,a,genus,Corvus,2", "c,b,species,corax,7"],
    )

    assert names.common.entries() == {
        "Corvus corax": "Wall ", "Pica pica": " ", "Apis mellifera": " Bee", "Apis mellifera ": " Bee"
    }  # fmt: skip
    assert names.page(7) == ("Metazoa ", "", "", "", "", "Corvus", "corax")


# 10: rarer


def test_an_empty_name_of_itis_is_passed_over(folder: Path) -> None:
    names = made_of(folder, itis=[',,,,,Corvus,corax,", raven","English, English"'])
    assert names.common.entries() == {"Corvus corax": "raven"}


@pytest.mark.parametrize(
    ("scraped", "ranks"),
    [
        ("<i>Corvus corax</em>", ("", "corax")),
        ("<i>Corvus corax</em> albus", ("Corvus", "corax albus")),
        ("corax<br/>Raven", ("", "corax<br/>raven")),
        ("corax _. x", ("", "corax")),
    ],
)
def test_odd_marks(folder: Path, scraped: str, ranks: tuple[str, str]) -> None:
    assert made_of(folder, scraped=[f"7,{scraped}"]).page(7) == ("", "", "", "", "", *ranks)


def test_an_empty_scraped_name_keeps_later_ones_out(folder: Path) -> None:
    assert made_of(folder, scraped=["7,(x)", "7,Corvus corax"]).page(7) is None


def test_the_last_row_of_a_taxon_id_counts(folder: Path) -> None:
    rows = ["a,,genus,Corvus,1", "a,,genus,Pica,2", "b,a,species,corax,7"]
    assert made_of(folder, taxon_tab=rows).page(7) == ("", "", "", "", "", "Pica", "corax")


def test_a_name_has_one_rank_whatever_the_table_that_it_comes_from(folder: Path) -> None:
    names = made_of(
        folder,
        resolved=[
            resolved("Aus aus", order="Xus", family="Yus"),
            resolved("Bus bus", family="Xus", order="Zus"),
        ],
        bioscan=["a.jpg,,Xus,Bus,"],
    )
    assert names.bioscan(["a.jpg"])["a.jpg"].taxon.ranks[3:5] == ("xus", "xus")


def test_a_resolved_name_of_one_word_is_used(folder: Path) -> None:
    names = made_of(folder, resolved=[resolved("Corvus", family="Corvidae")], bioscan=["a.jpg,,,Corvus,"])
    assert names.bioscan(["a.jpg"])["a.jpg"].taxon.family == "corvidae"


def test_a_row_of_itis_without_genus_and_species_is_used(folder: Path) -> None:
    names = made_of(folder, itis=["Animalia,,,,Corvidae,,,crow,English"], bioscan=["a.jpg,,,,"])
    entry = names.bioscan(["a.jpg"])["a.jpg"]

    assert (entry.taxon.family, entry.common) == ("corvidae", "crow")


def test_a_fixed_name_whose_parent_itis_lacks_is_not_filled(folder: Path) -> None:
    names = made_of(folder, taxon_tab=["a,,order,Collembola,1", "b,a,species,x,7"])
    assert names.page(7) == ("", "", "", "Collembola", "", "", "x")


def test_quotes_around_a_cell_of_taxon_tab_are_dropped(folder: Path) -> None:
    assert made_of(folder, taxon_tab=['a,,genus,"Aus",7']).page(7) == ("", "", "", "", "", "Aus", "")


def test_a_rank_with_a_blank_is_none(folder: Path) -> None:
    assert made_of(folder, taxon_tab=["a,, species,aus,7"]).page(7) is None


@pytest.mark.parametrize("block", range(BLOCKS))
def test_any_tables_give_the_names_that_the_rules_give_read_plainly(block: int, tmp_path: Path) -> None:
    """Compare ROUNDS sets of tables in all blocks together."""
    files = ("a.jpg", "b.jpg", "c.jpg")
    for number in range(block * ROUNDS // BLOCKS, (block + 1) * ROUNDS // BLOCKS):
        maker = awkward_tables.Maker(random.Random(number))  # noqa: S311 (the same ones each time)
        made = maker.tables(tmp_path)
        class_names = [maker.class_name() for _ in range(3)]
        plain, ours = PlainNames(made, set(awkward_tables.PAGES)), Names(made)
        expected = {
            "eol": {str(page): plain.eol(page) for page in awkward_tables.PAGES},
            "bioscan": {file: plain.bioscan(file) for file in files},
            "inat21": {str(place): plain.inat21(name) for place, name in enumerate(class_names)},
        }
        found = {
            "eol": ours.eol(awkward_tables.PAGES),
            "bioscan": ours.bioscan(files),
            "inat21": ours.inat21(class_names),
        }

        assert list(ours.common.entries().items()) == list(plain.common.items()), number
        for source, entries in found.items():
            named = {key: name for key, name in expected[source].items() if name}
            assert {key: in_full(entry) for key, entry in entries.items()} == named, number


def in_full(entry: Entry) -> Named:
    return Named(entry.taxon.rendered, entry.taxon.renormalised().rendered, entry.common)
