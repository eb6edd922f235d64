from __future__ import annotations

import pytest

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
    names.add_inaturalist(BEE, "Apis mellifera", "Western Honey Bee")
    names.add_inaturalist(Taxon.of(species="Apis cerana"), "Apis cerana", "Eastern Honey Bee")
    names.add_eol("<i>Apis cerana</i>", "Asian honey bee")
    names.add_eol("<i>Apis</i>", "bees")
    assert names.entries() == {
        "Apis mellifera": "honey bee",
        "Apis cerana": "Eastern Honey Bee",
        "Apis": "bees",
    }


def test_inaturalist_names_count_under_both_names() -> None:
    names = CommonNames()
    names.add_inaturalist(
        Taxon.of(genus="Brassica", species="oleracea"), "Brassica oleracea italica", "broccoli"
    )
    assert names.entries() == {"Brassica oleracea": "broccoli", "Brassica oleracea italica": "broccoli"}


def test_eol_names_are_cleaned_but_keep_the_common_name() -> None:
    names = CommonNames()
    names.add_eol("<i>Macaca fuscata</i> Blyth, 1875", " Japanese Macaque ")
    assert names.entries() == {"Macaca fuscata": "Japanese Macaque"}


def test_empty_names_leave_room_for_later_ones() -> None:
    names = CommonNames()
    names.add_eol("Apis", " ")
    names.add_eol("(Apis)", "nobody")
    names.add_eol("Apis", "bees")
    assert names.entries() == {"Apis": "bees"}


def test_a_taxon_without_scientific_name_has_no_common_name() -> None:
    assert CommonNames().of(Taxon.of(family="Apidae")) == ""


def test_entries_are_a_copy() -> None:
    names = CommonNames()
    names.entries()["Apis"] = "bees"
    assert names.entries() == {}
