from __future__ import annotations

import pytest

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.taxon import Taxon
from tol_luigi.core.vernacular import CommonNames

BEE = Taxon.of(genus="Apis", species="Apis mellifera")


@pytest.mark.parametrize(
    ("vernaculars", "languages", "common"),
    [
        pytest.param("honey bee", "English", "honey bee", id="one name"),
        pytest.param(
            "abeja, honey bee, hive bee", "Spanish, English, English", "honey bee", id="the first English one"
        ),
        pytest.param("abeja", "Spanish", "", id="none in English"),
        pytest.param("abeja, honey bee", "Spanish", "", id="a name without a language"),
        pytest.param("", "", "", id="none"),
        pytest.param(", honey bee", "English, English", "honey bee", id="an empty name is passed over"),
        pytest.param(" , honey bee", "English, English", " ", id="a blank is a name"),
    ],
)
def test_itis_gives_its_first_english_name(vernaculars: str, languages: str, common: str) -> None:
    names = CommonNames()
    names.add_itis(BEE, vernaculars, languages)
    assert names.of(BEE) == common


def test_the_last_itis_row_of_a_species_wins() -> None:
    names = CommonNames()
    names.add_itis(BEE, "honey bee", "English")
    names.add_itis(BEE, "hive bee", "English")
    names.add_itis(BEE, "abeja", "Spanish")
    assert names.of(BEE) == "hive bee"


def test_the_first_source_wins() -> None:
    names = CommonNames()
    names.add_itis(BEE, "honey bee", "English")
    names.add_as_written("Apis mellifera", "Apis mellifera", "Western Honey Bee")
    names.add_as_written("Apis cerana", "Apis cerana", "Eastern Honey Bee")
    names.add_cleaned("<i>Apis cerana</i>", "Asian honey bee")
    names.add_cleaned("<i>Apis</i>", "bees")
    assert names.entries() == {
        "Apis mellifera": "honey bee",
        "Apis cerana": "Eastern Honey Bee",
        "Apis": "bees",
    }


def test_inaturalist_names_count_under_both_names() -> None:
    names = CommonNames()
    names.add_as_written("Brassica oleracea", "Brassica oleracea italica", "broccoli")
    names.add_as_written("Brassica oleracea", "", "cabbage")
    assert names.entries() == {"Brassica oleracea": "broccoli", "Brassica oleracea italica": "broccoli"}


@pytest.mark.parametrize(
    ("canonical_form", "vernacular", "entries"),
    [
        pytest.param("Corvus corax", "Common Raven", {"Corvus corax": "common raven"}, id="capitals"),
        pytest.param("Corvus corax", "raven (common)", {"Corvus corax": "raven"}, id="brackets"),
        pytest.param("Corvus corax", "<b>raven</b>", {"Corvus corax": "raven"}, id="markup"),
        pytest.param("Corvus corax", "black & white warbler", {}, id="two authors"),
        pytest.param(
            "<i>Corvus corax</i> Linnaeus, 1758",
            "raven",
            {"Corvus corax Linnaeus, 1758": "raven"},
            id="an author",
        ),
        pytest.param("CORVUS CORAX", "raven", {"CORVUS CORAX": "raven"}, id="case of the key"),
        pytest.param("Corvus corax ", "raven", {"Corvus corax ": "raven"}, id="a blank behind the key"),
        pytest.param("<i></i>", "raven", {}, id="no key"),
    ],
)
def test_eol_names_are_cleaned_and_their_keys_lose_markup_only(
    canonical_form: str, vernacular: str, entries: dict[str, str]
) -> None:
    names = CommonNames()
    names.add_cleaned(canonical_form, vernacular)
    assert names.entries() == entries


@pytest.mark.parametrize(
    ("vernacular", "rules"),
    [
        pytest.param("raven", set(), id="clean already"),
        pytest.param("Common Raven", {NameRule.COMMON_CLEANED}, id="changed"),
        pytest.param("black & white warbler", {NameRule.COMMON_CLEANED}, id="emptied"),
    ],
)
def test_names_that_cleaning_has_changed_are_known(vernacular: str, rules: set[NameRule]) -> None:
    names = CommonNames()
    names.add_itis(BEE, "honey bee", "English")
    names.add_cleaned("Apis mellifera", "Honey Bee")
    names.add_cleaned("Corvus corax", vernacular)
    assert names.rules(Taxon.of(species="Corvus corax")) == rules
    assert names.rules(BEE) == set()


def test_empty_names_leave_room_for_later_ones() -> None:
    names = CommonNames()
    names.add_cleaned("Apis", " ")
    names.add_cleaned("Apis", "(Apis)")
    names.add_cleaned("Apis", "bees")
    assert names.entries() == {"Apis": "bees"}


def test_itis_names_count_without_a_scientific_name_and_with_blanks() -> None:
    names = CommonNames()
    names.add_itis(Taxon.of("Animalia"), "animal ", "English")
    assert names.entries() == {"": "animal "}


def test_a_taxon_without_scientific_name_has_no_common_name() -> None:
    assert CommonNames().of(Taxon.of(family="Apidae")) == ""


def test_entries_are_a_copy() -> None:
    names = CommonNames()
    names.entries()["Apis"] = "bees"
    assert names.entries() == {}
