from __future__ import annotations

import pytest
from drawn_sources import KINGDOMS, Row, source, united

from tol_luigi.taxonomy.deprecations import is_gender_change
from tol_luigi.taxonomy.finish import finished

ROOT = Row("0", "", "Metazoa", "kingdom")
FAMILY = Row("1", "0", "Aidae", "family")
GENUS = Row("2", "1", "Aus", "genus")


def causes(
    before: tuple[Row, ...], after: tuple[Row, ...], prefix: str = "a"
) -> dict[str, tuple[str, str, str]]:
    """Return reason, witness and name of the replacement of each name whose id was given up."""
    first = finished(united(source("a", *before)), kingdoms=KINGDOMS)
    second = finished(united(source(prefix, *after)), kingdoms=KINGDOMS, previous=first)
    names = dict(
        zip(map(str, second.taxa["tol_id"].to_pylist()), second.taxa["name"].to_pylist(), strict=True)
    )
    return {
        row["name"]: (row["reason"], row["witness"], names.get(row["replacement"], ""))
        for row in second.deprecated.to_pylist()
    }


def test_a_name_that_is_gone_is_retired() -> None:
    assert causes((ROOT, FAMILY, GENUS), (ROOT, FAMILY)) == {"Aus": ("name-retired", "", "")}


def test_the_same_species_in_two_genders_is_one() -> None:
    alba = Row("4", "2", "Aus alba", "species")
    before = (ROOT, FAMILY, GENUS, Row("3", "2", "Aus albus", "species"), alba)
    assert causes(before, (ROOT, FAMILY, GENUS, alba)) == {
        "Aus albus": ("gender-change", "Aus alba", "Aus alba")
    }


def test_a_record_that_cannot_be_placed_any_more_is_hidden() -> None:
    before = finished(united(source("a", ROOT, FAMILY), source("b", ROOT, FAMILY, GENUS)), kingdoms=KINGDOMS)
    twice = source("a", ROOT, FAMILY, Row("3", "1", "Aus", "genus"), Row("4", "1", "Aus", "genus"))
    after = finished(united(twice, source("b", ROOT, FAMILY, GENUS)), kingdoms=KINGDOMS, previous=before)
    fates = dict(
        zip(after.xref["source_id"].to_pylist()[-2:], after.xref["fate"].to_pylist()[-2:], strict=True)
    )
    assert fates["2"] == "dropped"
    assert after.deprecated.select(["name", "reason", "witness"]).to_pylist() == [
        {"name": "Aus", "reason": "newly-hidden", "witness": "b:2 dropped: ambiguous tip"}
    ]


def test_a_name_that_moves_to_another_kingdom_is_another_taxon() -> None:
    before = (ROOT, FAMILY, GENUS)
    after = (ROOT, FAMILY, Row("7", "", "Viridiplantae", "kingdom"), Row("8", "7", "Aus", "genus"))
    assert causes(before, after) == {"Aus": ("changed-divisions", "Animalia to Plantae", "")}


def test_a_name_that_several_taxa_have_may_have_been_split() -> None:
    before = (ROOT, FAMILY, GENUS)
    plants = Row("7", "", "Viridiplantae", "kingdom")
    after = (ROOT, FAMILY, plants, Row("8", "7", "Aus", "family"), Row("9", "7", "Aus", "genus"))
    reason, witness, _ = causes(before, after)["Aus"]
    assert reason == "possible-splitting"
    assert len(witness.split(",")) == 2


def test_a_taxon_that_becomes_a_synonym_is_lumped() -> None:
    before = (ROOT, FAMILY, GENUS, Row("3", "1", "Bus", "genus"))
    after = (ROOT, FAMILY, Row("2", "1", "Aus", "genus", ("Bus",)))
    assert causes(before, after) == {"Bus": ("probable-lumping", "Aus", "Aus")}


def test_taxa_of_a_source_that_is_removed() -> None:
    after = (Row("9", "", "Viridiplantae", "kingdom"),)
    found = causes((ROOT, FAMILY, GENUS), after, prefix="c")
    assert found["Aidae"] == ("source-removed", "a", "")
    assert found["Aus"] == ("source-removed", "a", "")


def test_the_size_is_the_number_of_tips() -> None:
    first = finished(
        united(
            source(
                "a",
                ROOT,
                FAMILY,
                GENUS,
                Row("3", "2", "Aus bus", "species"),
                Row("4", "2", "Aus cus", "species"),
            )
        ),
        kingdoms=KINGDOMS,
    )
    second = finished(united(source("a", ROOT)), kingdoms=KINGDOMS, previous=first)
    sizes = dict(
        zip(second.deprecated["name"].to_pylist(), second.deprecated["size"].to_pylist(), strict=True)
    )
    assert sizes == {"Aidae": 2, "Aus": 2, "Aus bus": 1, "Aus cus": 1}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Aus albus", "Aus alba", True),
        ("Aus viridis", "Aus viride", True),
        ("Aus albus", "Aus albus", False),
        ("Aus albus", "Bus albus", False),
        ("Aus", "Aa", False),
        ("Aus albus", "Aus albidus", False),
    ],
)
def test_only_the_ending_shows_a_change_of_gender(one: str, other: str, expected: bool) -> None:
    assert is_gender_change(one, other) is expected
