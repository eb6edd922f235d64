# ruff: noqa: RUF001 (names of organisms are written in many letters)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.hierarchy import Hierarchy
from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import Taxon

ROWS = [
    ("t1", "", "", "Life", 1),
    ("t2", "t1", "Kingdom", "Metazoa", 2),
    ("t3", "t2", "class", "Insecta", 3),
    ("t4", "t3", "superfamily", "Apoidea", 4),
    ("t5", "t4", "genus", "Apis", 5),
    ("t6", "t5", "species", "Apis mellifera", 6),
]
BEE = Taxon.of("Animalia", cls="Insecta", genus="Apis", species="mellifera")


def filled(rows: list[tuple[str, str, str, str, int]]) -> Hierarchy:
    hierarchy = Hierarchy()
    for row in rows:
        hierarchy.add_row(*row)
    return hierarchy


@given(st.permutations(ROWS))
def test_taxon_walks_up_whatever_the_order_of_the_rows(rows: list[tuple[str, str, str, str, int]]) -> None:
    hierarchy = filled(rows)

    assert hierarchy.taxon(6) == BEE
    assert hierarchy.taxon(4) == Taxon.of("Animalia", cls="Insecta")
    assert hierarchy.cycles == ()


@pytest.mark.parametrize("page", [1, 99])
def test_a_page_without_any_name_has_no_taxon(page: int) -> None:
    assert filled(ROWS).taxon(page) is None


@pytest.mark.parametrize(
    ("name", "species"),
    [
        pytest.param("Apis cerana", "cerana", id="two words, the first capitalised"),
        pytest.param("Apis Cerana", "cerana", id="two capitals: the genus goes with the taxon"),
        pytest.param("APIS cerana", "cerana", id="more capitals: the same"),
        pytest.param("Apis cerana japonica", "cerana japonica", id="three words"),
        pytest.param("cerana", "cerana", id="one word"),
        pytest.param("", "", id="none"),
    ],
)
def test_species_keep_the_second_word(name: str, species: str) -> None:
    hierarchy = filled([*ROWS, ("t7", "t5", "species", name, 7)])
    assert hierarchy.taxon(7) == Taxon.of("Animalia", cls="Insecta", genus="Apis", species=species)


@pytest.mark.parametrize(
    ("name", "taxon"),
    [
        pytest.param("Corvus corax", Taxon.of(species="corax"), id="written Xxxx yyy"),
        pytest.param("McCoya bella", Taxon.of(genus="McCoya", species="bella"), id="a capital inside"),
        pytest.param("CORVUS corax", Taxon.of(genus="Corvus", species="corax"), id="all capitals"),
        pytest.param(" Corvus corax", Taxon.of(genus="Corvus", species="corax"), id="a blank before"),
    ],
)
def test_without_a_genus_above_the_spelling_decides_whether_it_is_kept(name: str, taxon: Taxon) -> None:
    assert filled([("s", "", "species", name, 7)]).entry(7) == (taxon, {NameRule.GENUS_SPELLING})


def test_names_with_a_genus_above_or_of_one_word_do_not_depend_on_their_spelling() -> None:
    hierarchy = filled([*ROWS, ("t7", "t3", "species", "cerana", 7)])

    assert hierarchy.entry(6) == (BEE, set())
    assert hierarchy.entry(7) == (Taxon.of("Animalia", cls="Insecta", species="cerana"), set())


def test_no_rule_of_species_touches_a_page_above_them() -> None:
    assert filled(ROWS).entry(4) == (Taxon.of("Animalia", cls="Insecta"), set())


@pytest.mark.parametrize(
    ("rank", "order"),
    [("cls", ""), ("CLASS", ""), ("ORDER", "Xus"), (" order", ""), ("order ", "")],
)
def test_ranks_are_known_in_any_case_but_not_with_blanks(rank: str, order: str) -> None:
    taxon = filled([("a", "", rank, "Xus", 7), ("b", "a", "species", "yus", 8)]).taxon(8)

    assert taxon == Taxon.of(
        order=order, cls="Xus" if rank.lower() in {"cls", "class"} else "", species="yus"
    )


def test_the_last_row_of_a_taxon_id_is_what_it_stands_for() -> None:
    rows = [
        ("a", "", "genus", "Apis", 1),
        ("s", "a", "species", "cerana", 3),
        ("a", "", "genus", "Bombus", 2),
    ]

    assert filled(rows).taxon(3) == Taxon.of(genus="Bombus", species="cerana")


def test_an_empty_taxon_id_is_one_like_others() -> None:
    rows = [("s", "", "species", "cerana", 3), ("", "x", "genus", "Apis", 1)]
    assert filled(rows).taxon(3) == Taxon.of(genus="Apis", species="cerana")


def test_scraped_names_belong_to_the_genus_entered_last() -> None:
    hierarchy = filled(
        [
            ("k1", "", "kingdom", "Metazoa", 1),
            ("g1", "k1", "genus", "Agathis", 2),
            ("k2", "", "kingdom", "Chloroplastida", 3),
            ("g2", "k2", "genus", "Agathis", 4),
            ("g3", "k2", "genus", "Araucaria", 5),
        ]
    )
    hierarchy.add_scraped(6, "Agathis malvacearum")
    hierarchy.add_scraped(7, "Araucaria araucana")

    assert hierarchy.entry(6) == (
        Taxon.of("Plantae", genus="Agathis", species="malvacearum"),
        {NameRule.HOMONYM_GENUS},
    )
    assert hierarchy.entry(7) == (Taxon.of("Plantae", genus="Araucaria", species="araucana"), set())


def test_a_scraped_name_that_cleans_to_nothing_still_describes_its_page() -> None:
    hierarchy = filled(ROWS)
    hierarchy.add_scraped(7, "(x)")
    hierarchy.add_scraped(7, "Apis cerana")

    assert hierarchy.taxon(7) is None


def test_the_first_row_of_a_page_wins_and_the_others_still_have_children() -> None:
    hierarchy = filled([*ROWS, ("t7", "t3", "species", "Apis aliena", 6), ("t8", "t7", "", "below", 8)])

    assert hierarchy.taxon(6) == BEE
    assert hierarchy.taxon(8) == BEE
    assert len(hierarchy) == 9


def test_a_rank_met_twice_keeps_the_higher_one() -> None:
    hierarchy = filled([*ROWS, ("t7", "t5", "genus", "Subapis", 7)])
    assert hierarchy.taxon(7) == Taxon.of("Animalia", cls="Insecta", genus="Apis")


def test_a_parent_without_a_page_ends_the_walk() -> None:
    assert filled([("t9", "nowhere", "genus", "Apis", 9)]).taxon(9) == Taxon.of(genus="Apis")


def test_cycles_stop_and_are_reported_once() -> None:
    hierarchy = filled(
        [("a", "b", "genus", "Apis", 1), ("b", "a", "family", "Apidae", 2), ("c", "c", "order", "Xus", 3)]
    )

    assert hierarchy.taxon(1) == hierarchy.taxon(1) == Taxon.of(family="Apidae", genus="Apis")
    assert hierarchy.taxon(3) == Taxon.of(order="Xus")
    assert hierarchy.cycles == (1, 3)


@pytest.mark.parametrize(("page", "species"), [(331434, "latouchii"), (52338888, "lateralis")])
def test_two_pages_are_corrected(page: int, species: str) -> None:
    hierarchy = filled([("g", "", "genus", "Opisthotropis", 42333), ("s", "", "species", "Wrong name", page)])
    assert hierarchy.taxon(page) == Taxon.of(genus="Opisthotropis", species=species)


@pytest.mark.parametrize(
    ("name", "taxon"),
    [
        pytest.param(
            "<i>Apis cerana</i> (L.)",
            Taxon.of("Animalia", "", "Insecta", "", "", "Apis", "cerana"),
            id="genus known",
        ),
        pytest.param("Meleagris gallopavo Linnaeus, 1758", Taxon.of(species="gallopavo"), id="genus unknown"),
        pytest.param("Orthetrum", Taxon.of(species="orthetrum"), id="one word"),
        pytest.param(
            "<i>Fragaria</i> × <i>ananassa</i>",
            Taxon.of(genus="fragaria", species="× ananassa"),
            id="three words",
        ),
        pytest.param("(L.)", None, id="nothing left"),
    ],
)
def test_scraped_names_describe_pages_without_rows(name: str, taxon: Taxon | None) -> None:
    hierarchy = filled(ROWS)
    hierarchy.add_scraped(77, name)
    assert hierarchy.taxon(77) == taxon
    assert 77 in hierarchy


def test_rows_stand_against_scraped_names() -> None:
    hierarchy = filled(ROWS)
    hierarchy.add_scraped(6, "Bombus terrestris")
    assert hierarchy.taxon(6) == BEE


@given(st.dictionaries(st.integers(1, 12), st.integers(1, 12)))
def test_every_walk_ends(parents: dict[int, int]) -> None:
    hierarchy = filled([(str(page), str(parent), "genus", "Apis", page) for page, parent in parents.items()])
    for page in parents:
        assert hierarchy.taxon(page) == Taxon.of(genus="Apis")
    assert set(hierarchy.cycles) <= set(parents)
