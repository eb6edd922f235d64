"""The faults of published names that are counted when a dataset is relabelled."""

from __future__ import annotations

import pytest

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import Taxon, common_or_name
from tol_luigi.report.relabelling import faults_text
from tol_luigi.taxonomy.published_faults import FAULT_TEXTS, Fault, PublishedFaults

LION = "Animalia/Chordata/Mammalia/Carnivora/Felidae/Panthera/leo"
OAK = "Plantae/Tracheophyta/Magnoliopsida/Fagales/Fagaceae/Quercus/alba"


def labels(path: str, common: str = "") -> tuple[str, ...]:
    ranks = tuple(path.split("/"))
    return (*ranks, common_or_name(Taxon.from_rendered(ranks), common))


def found(*images: tuple[tuple[str, ...], tuple[str, ...]], rules: tuple[NameRule, ...] = ()) -> set[str]:
    faults = PublishedFaults()
    for before, now in images:
        faults.add(before, now, rules, 2, ("before", "now"))
    return set(faults.figures())


def test_names_without_a_fault_have_none() -> None:
    assert (
        found((labels(LION, "lion"), labels(LION, "Lion")), (labels(OAK), labels(OAK, "white oak"))) == set()
    )


@pytest.mark.parametrize(
    ("before", "now", "fault"),
    [
        (OAK.replace("Plantae", "Animalia"), OAK, Fault.OTHER_KINGDOM),
        (LION.replace("Chordata", "Chordta"), LION, Fault.OTHER_RANK),
        ("/////Panthera/leo", LION, Fault.NOTHING_ABOVE),
        (LION.replace("Carnivora", ""), LION, Fault.GAP),
        (OAK.replace("Plantae", "Viridiplantae"), OAK, Fault.KINGDOM_NAME),
        (LION.replace("Felidae", "Incertae sedis"), LION.replace("Felidae", ""), Fault.UNKNOWN_WORD),
        (LION.replace("leo", "not_classified"), LION.replace("leo", ""), Fault.UNKNOWN_WORD),
        (LION.replace("leo", "panthera"), LION, Fault.EPITHET_IS_GENUS),
        (LION.replace("leo", "leo smith and"), LION, Fault.AUTHOR),
        (LION.replace("leo", "leo herrich-"), LION, Fault.AUTHOR),
        (LION.replace("leo", "leo mill."), LION, Fault.AUTHOR),
        (LION.replace("leo", "sp."), LION.replace("leo", ""), Fault.INFORMAL),
        (LION.replace("leo", "leo persica"), LION, Fault.INFRASPECIFIC),
        (LION.replace("leo", "nan"), LION.replace("leo", "nan"), Fault.MISSING_VALUE),
    ],
)
def test_one_name_shows_a_fault(before: str, now: str, fault: Fault) -> None:
    assert found((labels(before), labels(now))) == {fault}


def test_tautonyms_and_hybrids_are_no_faults() -> None:
    names = [LION.replace("leo", "panthera"), OAK.replace("alba", "\u00d7 hybrida")]
    assert found(*((labels(name), labels(name)) for name in names)) == set()


def test_images_without_a_family_with_the_ranks_of_another_taxon() -> None:
    fly = "Animalia/Arthropoda/Insecta/Diptera///"
    crow = "Animalia/Chordata/Aves/Passeriformes///"
    assert found((labels(crow), labels(fly))) == {Fault.OTHER_RANK, Fault.NO_FAMILY}


def test_common_names() -> None:
    cats = "Animalia/Chordata/Mammalia/Carnivora/Felidae//"
    assert found((labels(cats, "tree"), labels(cats))) == {Fault.COMMON_OF_HIGHER}
    assert found((labels(LION, "snail"), labels(LION, "lion"))) == {Fault.OTHER_COMMON}
    fig, snail = (f"{kingdom}/////Ficus/variegata" for kingdom in ("Plantae", "Animalia"))
    shared = [(labels(fig, "fig"), labels(fig, "fig")), (labels(fig, "fig"), labels(snail, "fig"))]
    assert Fault.COMMON_OF_HOMONYM in found(*shared)


def test_a_species_with_two_paths_and_lineages_that_differ_in_a_separator() -> None:
    old = labels(OAK.replace("Tracheophyta", "Magnoliophyta"))
    assert found((labels(OAK), labels(OAK)), (old, labels(OAK))) == {Fault.OTHER_RANK, Fault.SEVERAL_PATHS}
    names = labels("/////Aus/abus"), labels("/////Ausa/bus")
    assert found(*((name, name) for name in names)) == {Fault.ONE_CLASS}


def test_rules_that_were_applied_and_images_without_a_name_count_too() -> None:
    assert found((labels(LION), labels(LION)), rules=(NameRule.HOMONYM_GENUS,)) == {Fault.HOMONYM_GENUS}
    faults = PublishedFaults()
    faults.add_unnamed(0)
    assert faults.figures() == {}
    faults.add_unnamed(3)
    assert faults.figures() == {"no_name": {"images": 3, "examples": []}}


def test_the_report_shows_counts_and_the_most_frequent_examples() -> None:
    faults = PublishedFaults()
    for images, name in ((2, "b"), (2, "a"), (5, "c")):
        faults.add(labels("/////Panthera/leo"), labels(LION), (), images, (name, "lion"))
    lines = faults_text(faults.figures(), FAULT_TEXTS).splitlines()
    assert lines[1:] == [
        "Images by the faults of their published names:",
        f"    9 {FAULT_TEXTS[Fault.NOTHING_ABOVE]}  [nothing_above]",
        *("        5 c", "            now lion", "        2 a", "            now lion", "        2 b"),
        "            now lion",
    ]
    assert faults_text({}, FAULT_TEXTS) == ""
    assert set(FAULT_TEXTS) == set(Fault)
