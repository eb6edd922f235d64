from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import Taxon

BEE = Taxon.of("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "Apis mellifera")


@pytest.fixture
def lookup() -> HigherRankTable:
    lookup = HigherRankTable()
    lookup.add_chain(BEE)
    return lookup


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(Taxon.of(species="Apis mellifera"), BEE, id="from genus and species alone"),
        pytest.param(BEE, BEE, id="complete already"),
        pytest.param(
            Taxon.of(family="Apidae", genus="Apis"),
            Taxon.of("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis"),
            id="from the family",
        ),
        pytest.param(
            Taxon.of("Animalia", order="Hymenoptera"),
            Taxon.of("Animalia", order="Hymenoptera"),
            id="a rank beyond a gap is no start",
        ),
        pytest.param(
            Taxon.of("Plantae", family="Apidae", species="Apis mellifera"),
            BEE,
            id="what stands beyond a gap is overwritten",
        ),
        pytest.param(
            Taxon.of("", "", "Hexapoda", "Hymenoptera", "Apidae", "Apis", "mellifera"),
            BEE,
            id="an unknown start makes room for a lower one",
        ),
        pytest.param(
            Taxon.of(family="Andrenidae", species="Andrena fulva"),
            Taxon.of(family="Andrenidae", species="Andrena fulva"),
            id="unknown names stay",
        ),
        pytest.param(
            Taxon.of("Animalia", "Arthropoda", "Hexapoda", "Hymenoptera", "Apidae", "Apis", "mellifera"),
            Taxon.of("Animalia", "Arthropoda", "Hexapoda", "Hymenoptera", "Apidae", "Apis", "mellifera"),
            id="a complete taxon keeps ranks of its own",
        ),
        pytest.param(
            Taxon.of("Animalia", "Arthropoda", "Hexapoda", "Hymenoptera", "Apidae"),
            Taxon.of("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae"),
            id="without genus and species it is not complete",
        ),
        pytest.param(Taxon(), Taxon(), id="nothing"),
    ],
)
def test_upgrade(lookup: HigherRankTable, before: Taxon, after: Taxon) -> None:
    assert lookup.fill(before) == after


def test_the_first_entry_wins_and_the_contradiction_is_listed_once(lookup: HigherRankTable) -> None:
    other = Taxon.of("Animalia", "Arthropoda", "Insecta", "Diptera", "Apidae", "Apis", "cerana")
    lookup.add_chain(other)
    lookup.add_chain(other)

    assert lookup.fill(Taxon.of(species="Apis cerana")).order == "hymenoptera"
    assert lookup.contradictions == [
        "apidae: family of order hymenoptera at first, then family of order diptera"
    ]


def test_a_species_in_two_families_is_a_contradiction(lookup: HigherRankTable) -> None:
    lookup.add_chain(Taxon.of(family="Andrenidae", species="Apis mellifera"))
    assert lookup.contradictions == [
        "apis mellifera: species of family apidae at first, then species of family andrenidae"
    ]


def test_a_name_at_two_ranks_is_a_contradiction(lookup: HigherRankTable) -> None:
    lookup.add_chain(Taxon.of("Animalia", "Arthropoda", "Insecta", "Apidae", "Bombidae", "Bombus", "bombus"))

    assert lookup.contradictions == [
        "apidae: family of order hymenoptera at first, then order of class insecta"
    ]
    assert lookup.fill(Taxon.of(family="Bombidae")).ranks[3:5] == ("hymenoptera", "apidae")


def test_a_blank_parent_stays_blank(lookup: HigherRankTable) -> None:
    lookup.add_chain(Taxon.of("Animalia", "", "", "", "Megachilidae", "Osmia", "bicornis"))
    lookup.add_chain(Taxon.of("", "", "", "Hymenoptera", "Megachilidae", "Osmia", "rufa"))
    upgraded = lookup.fill(Taxon.of(species="Osmia bicornis"))

    assert lookup.contradictions == [
        "megachilidae: family of no order at first, then family of order hymenoptera",
        "hymenoptera: order of class insecta at first, then order of no class",
    ]
    assert upgraded.ranks[:5] == ("", "", "", "", "megachilidae")
    assert lookup.rules(upgraded) == {NameRule.BLANK_PARENT}
    assert lookup.rules(BEE) == lookup.rules(Taxon.of(family="Apidae")) == set()


def test_each_round_normalises_again(lookup: HigherRankTable) -> None:
    bison = Taxon.of(species="Bison bison bison bonasus")

    assert bison.species == "bison bison bonasus"
    assert lookup.fill(bison) == Taxon(genus="bison", species="bison bonasus")
    assert lookup.fill(Taxon.of(order="Xus", family="Yus", species="Bison bison bison bonasus")) == Taxon(
        order="xus", family="yus", genus="bison", species="bonasus"
    )


@pytest.mark.parametrize("above", ["aus", "bus"])
def test_a_name_that_comes_again_ends_the_way_up(above: str) -> None:
    lookup = HigherRankTable()
    lookup.add_resolved("Cus cus", {"r": {"phylum": "Aus", "class": above, "order": "Dus", "family": "Eus"}})
    lookup.add_resolved("Fus fus", {"r": {"phylum": above, "class": "Aus"}})

    assert lookup.fill(Taxon.of(species="Cus cus")).ranks[2:5] == (above, "dus", "eus")


def test_resolved_names_fill_what_itis_lacks(lookup: HigherRankTable) -> None:
    lookup.add_resolved(
        "Andrena fulva",
        {
            "first": {"class": "Insecta", "order": "Hymenoptera", "family": "Andrenidae", "genus": "Andrena"},
            "second": {"family": "Apidae"},
        },
    )
    lookup.add_resolved("Apis mellifera", {"first": {"family": "Andrenidae", "order": "Diptera"}})
    lookup.add_resolved("Nomada", {})
    lookup.add_resolved(" ", {"first": {"family": "Apidae"}})
    lookup.add_resolved("Halictus", {"first": {"family": "Halictidae"}})

    assert lookup.fill(Taxon.of(species="Andrena fulva")).ranks[:5] == (*BEE.ranks[:4], "andrenidae")
    assert lookup.fill(Taxon.of(species="Apis mellifera")) == BEE
    assert lookup.fill(Taxon.of(family="Andrenidae")).order == "hymenoptera"
    assert lookup.fill(Taxon.of(genus="Halictus")).family == "halictidae"
    assert lookup.fill(Taxon.of(genus="Nomada")).family == ""
    assert lookup.fill(Taxon()) == Taxon()
    assert lookup.contradictions == []


def test_charinidae_among_the_squamata_are_boidae() -> None:
    lookup = HigherRankTable()
    lookup.add_chain(
        Taxon.of("Animalia", "Chordata", "Reptilia", "Squamata", "Charinidae", "Charina", "bottae")
    )
    lookup.add_chain(
        Taxon.of("Animalia", "Arthropoda", "Arachnida", "Amblypygi", "Charinidae", "Charinus", "milloti")
    )

    assert lookup.fill(Taxon.of(species="Charina bottae")).family == "boidae"
    assert lookup.fill(Taxon.of(species="Charinus milloti")).order == "amblypygi"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            Taxon("", "", "", "collembola", "x", "y", "z"),
            ("animalia", "arthropoda", "collembola", "collembola"),
            id="collembola",
        ),
        pytest.param(
            Taxon("", "", "aquificae", "x", "x", "y", "z"),
            ("", "aquificae", "aquificae", "x"),
            id="aquificae, without a row of bacteria",
        ),
        pytest.param(
            Taxon("", "", "micrognathozoa", "x", "x", "y", "z"),
            ("animalia", "micrognathozoa", "micrognathozoa", "x"),
            id="micrognathozoa",
        ),
        pytest.param(
            Taxon("", "protozoa", "x", "x", "x", "y", "z"), ("protozoa", "protozoa", "x", "x"), id="protozoa"
        ),
    ],
)
def test_names_at_two_ranks_are_known_beforehand(
    lookup: HigherRankTable, before: Taxon, after: tuple[str, ...]
) -> None:
    assert lookup.fill(before).ranks[:4] == after


def test_entries_fixed_beforehand_stand_against_itis_if_it_knows_what_they_lead_to() -> None:
    lookup = HigherRankTable()
    lookup.add_chain(Taxon.of(family="Syrphidae", species="Leptogaster flavipes"))

    assert lookup.fill(Taxon.of(species="Leptogaster flavipes")).family == ""
    lookup.add_chain(Taxon.of(family="Asilidae", species="Asilus crabroniformis"))
    assert lookup.fill(Taxon.of(species="Leptogaster flavipes")).family == "asilidae"
    assert lookup.contradictions == []


NAMES = st.sampled_from(["", "a", "b", "c"])
TAXA = st.builds(Taxon, *[NAMES] * 7)


@given(st.lists(TAXA, max_size=6), TAXA)
def test_upgrade_keeps_the_species_and_loses_no_rank(chains: list[Taxon], taxon: Taxon) -> None:
    lookup = HigherRankTable()
    for chain in chains:
        lookup.add_chain(chain)
    upgraded = lookup.fill(taxon)

    assert (upgraded.genus, upgraded.species) == (taxon.genus, taxon.species)
    assert all(after for before, after in zip(taxon.ranks, upgraded.ranks, strict=True) if before)


@given(st.lists(TAXA, min_size=1, max_size=6))
def test_order_of_consistent_chains_does_not_matter(chains: list[Taxon]) -> None:
    forwards, backwards = HigherRankTable(), HigherRankTable()
    for chain in chains:
        forwards.add_chain(chain)
    for chain in reversed(chains):
        backwards.add_chain(chain)

    assert bool(forwards.contradictions) == bool(backwards.contradictions)
    if not forwards.contradictions:
        assert [forwards.fill(chain) for chain in chains] == [backwards.fill(chain) for chain in chains]
