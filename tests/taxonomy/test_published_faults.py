"""The faults of the published naming, each with the input that shows it, and the right answer of a reference taxonomy.

The numbers are those of the list of faults in the reference material (``taxonomy.md``, section 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from written_trees import TREE, named, ranks, reference_of, written_records

from tol_luigi.core.lineages import Lineages
from tol_luigi.core.source import NameRecord
from tol_luigi.core.taxon import Taxon
from tol_luigi.taxonomy.importers import import_taxonomy
from tol_luigi.taxonomy.kingdoms import KINGDOMS
from tol_luigi.taxonomy.label_records import label_of
from tol_luigi.taxonomy.naming import Certainty
from tol_luigi.taxonomy.normalisation import normalise
from tol_luigi.taxonomy.records import VERNACULARS
from tol_luigi.taxonomy.report import build_figures
from tol_luigi.taxonomy.scientific_names import CROSS, NameKind, parse_name
from tol_luigi.taxonomy.separation import separation

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.products import ReferenceTables

INSECTS = """
life -
. Metazoa kingdom
. . Arthropoda phylum
. . . Insecta class
. . . . Diptera order
. . . . . Culicidae family
. . . . . . Aedes genus
. . . . . . . Aedes aegypti species
. . Chordata phylum
. . . Amphibia class
. . . . Anura order
. . . . . Ausidae family
. . . . . . Ausus genus
. . . . . . . Ausus bus species
. . . Aves class
. . . . Passeriformes order
. . . . . Corvidae family
. . . . . . Corvus genus
. . . . . . . Corvus corax species
. Viridiplantae kingdom
. . Tracheophyta phylum
. . . Magnoliopsida class
. . . . Fagales order
. . . . . Fagaceae family
. . . . . . Quercus genus
. . . . . . . Quercus alba species
. . . . Brassicales order
. . . . . Brassicaceae family
. . . . . . Brassica genus
. . . . . . . Brassica oleracea species
. . . . . . . . Brassica oleracea italica variety
"""

EOL_HEADER = (
    "taxonID\tsource\tfurtherInformationURL\tacceptedNameUsageID\tparentNameUsageID\tscientificName\ttaxonRank\t"
    "taxonomicStatus\tdatasetID\tcanonicalName\tauthority\teolID\tLandmark\thigherClassification"
)


@pytest.fixture(scope="module")
def insects() -> ReferenceTables:
    return reference_of(written_records(INSECTS))


@pytest.fixture(scope="module")
def figs() -> ReferenceTables:
    return reference_of(written_records(TREE))


def taxon_of(reference: ReferenceTables, record: NameRecord) -> Taxon:
    found = named(reference, record)
    assert found is not None
    return found.taxon


def vernaculars(**names: str) -> pa.Table:
    rows = [
        {"uid": uid, "name": name, "language": "en", "is_preferred": False} for uid, name in names.items()
    ]
    return pa.Table.from_pylist(rows, VERNACULARS)


def line_of(tree: str, line: str) -> str:
    return f"t{[one.replace('. ', '') for one in tree.strip().splitlines()].index(line)}"


def hierarchy(tmp_path: Path, *rows: tuple[str, str, str, str, str, str]) -> ReferenceTables:
    """Build a taxonomy from a ``taxon.tab``: id, accepted id, parent, name, rank and page of each row."""
    lines = [
        f"{uid}\ts\t\t{accepted}\t{parent}\t{name}\t{rank}\t\td\t{name}\t\t{page}\t\t"
        for uid, accepted, parent, name, rank, page in rows
    ]
    (tmp_path / "taxon.tab").write_text("\n".join([EOL_HEADER, *lines]) + "\n", encoding="utf-8")
    return reference_of(normalise(import_taxonomy("dynamic-hierarchy", tmp_path / "taxon.tab", "eol")))


# Higher ranks


def test_01_a_misspelt_phylum_is_that_of_the_class(insects: ReferenceTables) -> None:
    record = NameRecord("k", ranks("Animalia", phylum="Arthropda", cls="Insecta"))
    assert taxon_of(insects, record) == Taxon("animalia", "arthropoda", "insecta")


def test_02_two_species_of_one_name_are_two_taxa(figs: ReferenceTables) -> None:
    species = figs.taxa.filter(pc.equal(figs.taxa["name"], "Ficus variegata"))
    assert set(species["family"].to_pylist()) == {"Ficidae", "Moraceae"}


def test_03_a_plant_stays_a_plant(figs: ReferenceTables) -> None:
    record = NameRecord(
        "k", ranks("Plantae", "", "", "Ficus variegata", cls="Magnoliopsida", order="Rosales")
    )
    assert taxon_of(figs, record).family == "moraceae"


def test_04_a_class_with_the_name_of_its_phylum_is_no_circle() -> None:
    tree = "life -\n. Metazoa kingdom\n. . Entoprocta phylum\n. . . Entoprocta class\n. . . . Solitaria order"
    reference = reference_of(written_records(tree))
    record = NameRecord("k", ranks("Animalia", phylum="Entoprocta", cls="Entoprocta", order="Solitaria"))
    assert taxon_of(reference, record) == Taxon("animalia", "entoprocta", "entoprocta", "solitaria")


def test_05_a_blank_rank_is_filled_from_the_other_ranks(insects: ReferenceTables) -> None:
    record = NameRecord("k", ranks("Animalia", "Ausidae", phylum="Chordata", cls="Amphibia"))
    assert taxon_of(insects, record).order == "anura"


def test_06_images_without_a_family_have_none(insects: ReferenceTables) -> None:
    record = NameRecord("k", ranks("Animalia", phylum="Arthropoda", cls="Insecta", order="Diptera"))
    assert taxon_of(insects, record) == Taxon("animalia", "arthropoda", "insecta", "diptera")


def test_07_a_new_species_of_a_known_genus_has_its_higher_ranks(insects: ReferenceTables) -> None:
    found = named(insects, NameRecord("k", name="Aedes novus"))
    assert found is not None
    assert found.taxon == Taxon("animalia", "arthropoda", "insecta", "diptera", "culicidae", "aedes", "novus")
    assert found.certainty is Certainty.EXTENDED


def test_08_a_species_has_one_path_whatever_its_source_gives(insects: ReferenceTables) -> None:
    given = ranks(
        "Plantae", "Fagaceae", "Quercus", "alba", phylum="Magnoliophyta", cls="Rosopsida", order="Fagales"
    )
    paths = {
        taxon_of(insects, NameRecord("k", one)) for one in (given, ranks("Plantae", "", "Quercus", "alba"))
    }
    assert paths == {
        Taxon("plantae", "tracheophyta", "magnoliopsida", "fagales", "fagaceae", "quercus", "alba")
    }


def test_09_contradictions_are_recorded_and_stop_nothing() -> None:
    first = "life -\n. Metazoa kingdom\n. . Aidae family\n. . . Aus genus\n. . Bidae family\n. . . Bus genus"
    second = "life -\n. Metazoa kingdom\n. . Cidae family\n. . . Aus genus\n. . . Bus genus"
    reference = reference_of(written_records(first, "one"), written_records(second, "two"))
    fates = {row["name"]: row["fate"] for row in reference.xref.to_pylist() if row["source"] == "two"}
    assert fates["Cidae"] == "inconsistent"
    assert reference.conflicts["parent"].to_pylist() == ["Cidae"]


def test_10_a_missing_value_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bioscan-metadata.jsonld"
    path.write_text(
        '[{"image_file": "1.jpg", "order": null, "family": "", "genus": "", "species": ""}]', encoding="utf-8"
    )
    with pytest.raises(Exception, match=r"bioscan-metadata\.jsonld: entry 1 lacks a text") as error:
        import_taxonomy("bioscan-metadata", path, "bioscan")
    assert "\n" not in str(error.value)


# Common names


def test_11_and_17_common_names_of_homonyms_are_not_exchanged() -> None:
    lines = [line.replace(". ", "") for line in TREE.strip().splitlines()]
    snail, fig = (f"t{place}" for place, line in enumerate(lines) if line == "Ficus variegata species")
    source = written_records(TREE, vernaculars=vernaculars(**{snail: "fig snail", fig: "red-stem fig"}))
    reference = reference_of(source)
    for kingdom, common in (("Animalia", "fig snail"), ("Plantae", "red-stem fig")):
        found = named(reference, NameRecord("k", ranks(kingdom, "", "Ficus", "variegata")))
        assert found is not None
        assert found.common == common


def test_12_false_is_not_preferred(tmp_path: Path) -> None:
    table = tmp_path / "vernacularnames.csv"
    table.write_text(
        "page_id,canonical_form,vernacular_string,language_code,is_preferred_by_eol\n"
        "7,Apis mellifera,ugly wrong name,eng,FALSE\n7,Apis mellifera,western honey bee,eng,TRUE\n",
        encoding="utf-8",
    )
    hive = tmp_path / "taxon.tab"
    hive.write_text(
        f"{EOL_HEADER}\nE1\ts\t\t\t\tApis mellifera\tspecies\t\td\tApis mellifera\t\t7\t\t\n",
        encoding="utf-8",
    )
    source = normalise(import_taxonomy("dynamic-hierarchy", hive, "eol", table))
    found = named(reference_of(source), NameRecord("k", identifier="eol:7"))
    assert found is not None
    assert found.common == "western honey bee"


def test_13_a_name_with_a_comma_does_not_shift_the_languages(tmp_path: Path) -> None:
    table = tmp_path / "species_level_taxonomy_chains.csv"
    table.write_text(
        "Kingdom,Phylum,Class,Order,Family,Genus,Species,terminal_vernacular,terminal_vernacular_lang\n"
        'Animalia,Mollusca,Gastropoda,O,F,Pomacea,Pomacea canaliculata,"caracol manzana, snail, apple","Spanish, English"\n',
        encoding="utf-8",
    )
    source = import_taxonomy("itis-chains", table, "itis")
    languages = {row["name"]: row["language"] for row in source.vernaculars.to_pylist()}
    assert languages.get("snail", "") != "en"


def test_14_a_common_name_is_not_cut_like_a_scientific_name() -> None:
    tree = "life -\n. Metazoa kingdom\n. . Mniotilta genus\n. . . Mniotilta varia species"
    source = written_records(tree, vernaculars=vernaculars(t3="Black & White Warbler"))
    found = named(reference_of(source), NameRecord("k", name="Mniotilta varia"))
    assert found is not None
    assert found.common == "Black & White Warbler"


def test_15_the_name_of_a_variety_is_not_that_of_the_species() -> None:
    variety = line_of(INSECTS, "Brassica oleracea italica variety")
    reference = reference_of(written_records(INSECTS, vernaculars=vernaculars(**{variety: "broccoli"})))
    found = named(reference, NameRecord("k", name="Brassica oleracea"))
    assert found is not None
    assert found.common == ""


def test_16_images_of_a_higher_rank_have_no_common_name_of_something_else() -> None:
    root = written_records(INSECTS, vernaculars=vernaculars(t0="everything that lives"))
    found = named(reference_of(root), NameRecord("k", ranks("Animalia", phylum="Arthropoda")))
    assert found is not None
    assert found.common == ""


# Names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Aedes (Stegomyia) aegypti", "Aedes aegypti", id="18 a subgenus"),
        pytest.param("Apis mellifera De Geer, 1773", "Apis mellifera", id="19 an author of two words"),
        pytest.param(
            "Leucanitis roda Herrich-Schäffer 1851", "Leucanitis roda", id="19 an author with a hyphen"
        ),
        pytest.param("Quercus alba Mill.", "Quercus alba", id="19 an abbreviated author"),
        pytest.param("Aus bus Smith and Jones, 1990", "Aus bus", id="19 two authors"),
        pytest.param("Aus bus Jordan &amp;amp; Evermann", "Aus bus", id="19 markup in authors"),
    ],
)
def test_18_and_19_names_are_complete_and_without_authors(text: str, name: str) -> None:
    assert parse_name(text).name == name


def test_20_informal_names_are_no_species(insects: ReferenceTables) -> None:
    assert parse_name("Megaselia sp. 1ES 2009").kind == NameKind.INFORMAL
    record = NameRecord("k", ranks("Animalia", "Culicidae", "Aedes", "Aedes sp. 3", cls="Insecta"))
    assert taxon_of(insects, record).species == ""
    assert parse_name("Leo persica").name == "Leo persica"
    assert CROSS in parse_name("Fragaria x ananassa").name


@pytest.mark.parametrize("word", ["not_classified", "unknown", "(unidentified)", "pleasehelp"])
def test_21_words_for_unknown_are_no_names(word: str) -> None:
    assert label_of(NameRecord("k", ranks("Animalia", word, word, word))) == (("kingdom", "Animalia"),)


def test_21_kingdoms_have_one_name(insects: ReferenceTables) -> None:
    assert {KINGDOMS[name] for name in ("Metazoa", "Animalia")} == {"Animalia"}
    assert {KINGDOMS[name] for name in ("Viridiplantae", "Archaeplastida", "Plantae")} == {"Plantae"}
    assert set(insects.taxa["kingdom"].to_pylist()) <= {"", *KINGDOMS.values()}
    assert taxon_of(insects, NameRecord("k", (" metazoa",) + ("",) * 6)).kingdom == "animalia"


def test_22_the_ranks_of_bioscan_are_those_of_its_table(tmp_path: Path) -> None:
    table = tmp_path / "BIOSCAN_5M_metadata.csv"
    table.write_text(
        "processid,phylum,class,order,family,genus,species\n1,Arthropoda,Arachnida,Araneae,Araneidae,Araneus,Araneus diadematus\n",
        encoding="utf-8",
    )
    names = import_taxonomy("bioscan-metadata", table, "bioscan").taxa["name"].to_pylist()
    assert "Arachnida" in names
    assert "Insecta" not in names


# The EOL hierarchy


def test_23_the_nearest_ancestor_of_a_rank_counts(tmp_path: Path) -> None:
    reference = hierarchy(
        tmp_path,
        ("1", "", "", "Chordata", "phylum", "1"),
        ("2", "", "1", "Sarcopterygii", "class", "2"),
        ("3", "", "2", "Therapsida", "order", "3"),
        ("4", "", "3", "Mammalia", "class", "4"),
        ("5", "", "4", "Primates", "order", "5"),
        ("6", "", "5", "Homo", "genus", "6"),
        ("7", "", "6", "Homo sapiens", "species", "7"),
    )
    taxon = taxon_of(reference, NameRecord("k", identifier="eol:7"))
    assert (taxon.cls, taxon.order) == ("mammalia", "primates")


def test_24_a_parent_without_a_page_cuts_nothing(tmp_path: Path) -> None:
    reference = hierarchy(
        tmp_path,
        ("1", "", "", "Hominidae", "family", "1"),
        ("2", "", "1", "Homo", "genus", ""),
        ("3", "", "2", "Homo sapiens", "species", "3"),
    )
    taxon = taxon_of(reference, NameRecord("k", identifier="eol:3"))
    assert (taxon.family, taxon.genus, taxon.species) == ("hominidae", "homo", "sapiens")


def test_25_a_cycle_is_broken_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "taxon.tab"
    rows = ["A\ts\t\t\tB\tAus\tgenus\t\td\tAus\t\t1\t\t", "B\ts\t\t\tA\tAidae\tfamily\t\td\tAidae\t\t2\t\t"]
    path.write_text("\n".join([EOL_HEADER, *rows]) + "\n", encoding="utf-8")
    source = normalise(import_taxonomy("dynamic-hierarchy", path, "eol"))
    assert "cycle" in source.repairs["repair"].to_pylist()
    assert {"Aus", "Aidae"} <= set(reference_of(source).taxa["name"].to_pylist())


def test_26_a_synonym_that_comes_first_does_not_hide_the_accepted_name(tmp_path: Path) -> None:
    reference = hierarchy(
        tmp_path,
        ("S", "3", "", "Simia satyrus", "species", "14"),
        ("1", "", "", "Homininae", "family", "1"),
        ("2", "", "1", "Pan", "genus", "2"),
        ("3", "", "2", "Pan troglodytes", "species", "14"),
    )
    assert taxon_of(reference, NameRecord("k", identifier="eol:14")).scientific == "Pan troglodytes"
    assert taxon_of(reference, NameRecord("k", name="Simia satyrus")).scientific == "Pan troglodytes"


def test_27_a_stray_quote_swallows_nothing(tmp_path: Path) -> None:
    reference = hierarchy(
        tmp_path,
        ("1", "", "", 'Aidae "', "family", "1"),
        ("2", "", "1", '"Aus', "genus", "2"),
        ("3", "", "2", "Aus bus", "species", "3"),
    )
    assert taxon_of(reference, NameRecord("k", identifier="eol:3")) == Taxon(
        family="aidae", genus="aus", species="bus"
    )


def test_28_a_page_that_is_only_named_is_not_put_into_another_kingdom() -> None:
    tree = (
        "life -\n. Metazoa kingdom\n. . Braconidae family\n. . . Agathis genus\n. . . . Agathis malvacearum species\n"
        ". Viridiplantae kingdom\n. . Araucariaceae family\n. . . Agathis genus\n. . . . Agathis australis species"
    )
    reference = reference_of(written_records(tree))
    assert taxon_of(reference, NameRecord("k", name="Agathis malvacearum")).kingdom == "animalia"
    unsure = named(reference, NameRecord("k", name="Agathis nova"))
    assert unsure is None or unsure.taxon.kingdom == ""


# Class indexes and checks


def test_29_class_indexes_do_not_confuse_names_without_a_separator() -> None:
    lineages = Lineages()
    first = lineages.index(Taxon(genus="aus", species="abus"))
    assert first != lineages.index(Taxon(genus="ausa", species="bus"))


def test_30_what_has_no_taxon_is_reported_as_such(insects: ReferenceTables) -> None:
    assert named(insects, NameRecord("k", identifier="eol:404")) is None


def test_31_a_genus_in_two_families_is_reported_and_nan_is_an_epithet() -> None:
    tree = (
        "life -\n. Metazoa kingdom\n. . Aidae family\n. . . Dermestes genus\n. . . . Dermestes nan species\n"
        ". . Bidae family\n. . . Dermestes genus\n. . . . Dermestes null species"
    )
    source = written_records(tree)
    reference = reference_of(source)
    figures = build_figures(reference, [source], separation(), KINGDOMS)
    assert figures["checks"]["genera in several families of one kingdom"]["count"] == 1
    assert taxon_of(reference, NameRecord("k", name="Dermestes nan")).species == "nan"


def test_32_every_name_can_be_traced_to_the_records_of_its_sources(figs: ReferenceTables) -> None:
    rows = figs.xref.filter(pc.equal(figs.xref["name"], "Vulpes vulpes")).to_pylist()
    (row,) = rows
    assert row["source"] == "src"
    assert row["fate"] == "new"
    assert list(figs.about["sources"]) == ["src"]  # type: ignore[call-overload]
