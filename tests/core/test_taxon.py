from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tol_luigi.core.taxon import RANK_LABELS, RANKS, Taxon, common_or_name

if TYPE_CHECKING:
    from pathlib import Path

# U+0149 is the one character that changes when it is capitalised and lower-cased again; Unicode has retired it.
ANY = st.text(alphabet=st.characters(exclude_characters="\u0149", exclude_categories=["Cs"]), max_size=12)
WORDS = st.lists(
    st.sampled_from(
        ["Apis", "apis", "mellifera", "var.", "f.", "x", "1758", "Smith", "&", "<i>", "</i>", "unknown"]
    ),
    max_size=5,
).map(" ".join)
RANK = ANY | WORDS | st.sampled_from(["Metazoa", "archaeplastida", "<i>Unknown</i>", "(unidentified)", ""])
TAXA = st.builds(Taxon.of, *[RANK] * 7)


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]


@pytest.mark.parametrize(
    ("given_ranks", "held"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"kingdom": "Metazoa"}, ("animalia",), id="metazoa are animals"),
        pytest.param({"kingdom": "<b>Archaeplastida</b>"}, ("plantae",), id="archaeplastida are plants"),
        pytest.param({"kingdom": "chloroplastida"}, ("plantae",), id="chloroplastida are plants"),
        pytest.param({"phylum": "Unknown"}, (), id="unknown is nothing"),
        pytest.param({"phylum": "<i>Unknown</i>"}, (), id="marked-up unknown is nothing"),
        pytest.param({"species": "(Unidentified)"}, (), id="unidentified is nothing"),
        pytest.param({"family": "PleaseHelp"}, (), id="a cry for help is nothing"),
        pytest.param(
            {"genus": "Apis", "species": "Apis mellifera"},
            ("", "", "", "", "", "apis", "mellifera"),
            id="the genus goes from the species",
        ),
        pytest.param(
            {"species": "Apis mellifera"},
            ("", "", "", "", "", "apis", "mellifera"),
            id="an empty genus is filled",
        ),
        pytest.param(
            {"species": "mellifera"}, ("", "", "", "", "", "", "mellifera"), id="one word is no genus"
        ),
        pytest.param(
            {"genus": "Apis", "species": "cerana japonica"},
            ("", "", "", "", "", "apis", "cerana japonica"),
            id="other words stay",
        ),
        pytest.param(
            {"species": "Gorilla gorilla gorilla"},
            ("", "", "", "", "", "gorilla", "gorilla"),
            id="of two equal words one goes",
        ),
        pytest.param(
            {"species": "Bison bison athabascae"},
            ("", "", "", "", "", "bison", "bison athabascae"),
            id="a tautonym with more words keeps them",
        ),
        pytest.param(
            {"species": "unknown mellifera"},
            ("", "", "", "", "", "", "mellifera"),
            id="an unknown genus is none",
        ),
        pytest.param(
            {"genus": "Fragaria", "species": "x ananassa"},
            ("", "", "", "", "", "fragaria", "x ananassa"),
            id="a hybrid",
        ),
    ],
)
def test_of(given_ranks: dict[str, str], held: tuple[str, ...]) -> None:
    assert Taxon.of(**given_ranks).ranks == held + ("",) * (7 - len(held))


def test_labels_differ_from_fields_in_cls_only() -> None:
    assert [pair for pair in zip(RANKS, RANK_LABELS, strict=True) if pair[0] != pair[1]] == [("cls", "class")]


def test_taxon_meets_every_golden_name(shared: Path) -> None:
    names = rows(shared / "golden" / "names.tsv")
    taxa = [Taxon.of(species=raw) for raw, *_ in names]

    assert len(names) == 3000
    assert [[taxon.genus, taxon.species, taxon.scientific] for taxon in taxa] == [row[2:] for row in names]


def test_taxon_meets_every_golden_taxon(shared: Path) -> None:
    golden = rows(shared / "golden" / "taxa.tsv")
    taxa = [Taxon.of(*row[:7]) for row in golden]
    made = [
        [taxon.taxonomic, taxon.scientific, " ".join(" ".join(pair) for pair in taxon.tagged)]
        for taxon in taxa
    ]

    assert len(golden) == 1500
    assert made == [row[7:] for row in golden]


def test_unknown_ranks_leave_no_gap() -> None:
    taxon = Taxon.of("Animalia", family="Apidae")

    assert taxon.rendered == ("Animalia", "", "", "", "Apidae", "", "")
    assert taxon.taxonomic == "Animalia Apidae"
    assert taxon.scientific == ""
    assert taxon.tagged == [("kingdom", "Animalia"), ("family", "Apidae")]


def test_class_is_tagged_as_class() -> None:
    assert Taxon.of(cls="Insecta").tagged == [("class", "Insecta")]


@pytest.mark.parametrize(("taxon", "empty"), [(Taxon(), True), (Taxon(species="apis"), False)])
def test_is_empty(taxon: Taxon, empty: bool) -> None:
    assert taxon.is_empty is empty


@pytest.mark.parametrize(
    ("taxon", "common", "name"),
    [
        (Taxon.of(family="Apidae", species="Apis mellifera"), "honey bee", "honey bee"),
        (Taxon.of(family="Apidae", species="Apis mellifera"), "", "Apis mellifera"),
        (Taxon.of("Animalia", family="Apidae"), "", "Animalia Apidae"),
    ],
)
def test_common_or_name(taxon: Taxon, common: str, name: str) -> None:
    assert common_or_name(taxon, common) == name


def test_from_rendered_wants_seven_ranks() -> None:
    with pytest.raises(ValueError, match="7 ranks, not 2"):
        Taxon.from_rendered(["Animalia", "Chordata"])


@given(TAXA)
def test_from_rendered_renders_the_same(taxon: Taxon) -> None:
    assert Taxon.from_rendered(taxon.rendered).rendered == taxon.rendered


@given(TAXA)
def test_again_is_normalising_what_was_rendered(taxon: Taxon) -> None:
    assert taxon.renormalised() == Taxon.of(*taxon.rendered)


@given(st.builds(Taxon, *[RANK] * 7))
def test_again_normalises_ranks_that_never_were(taxon: Taxon) -> None:
    assert taxon.renormalised().rendered == Taxon.of(*taxon.rendered).rendered


@given(TAXA)
def test_of_rendered_renders_the_same_where_the_species_is_one_word(taxon: Taxon) -> None:
    assume(len(taxon.species.split()) < 2)
    assert Taxon.of(*taxon.rendered).rendered == taxon.rendered


@given(st.builds(Taxon.of, *[WORDS] * 7))
def test_of_rendered_renders_the_same_unless_species_repeats_genus(taxon: Taxon) -> None:
    assume(taxon.genus and taxon.species.split()[:1] != [taxon.genus])
    assert Taxon.of(*taxon.rendered).rendered == taxon.rendered


@given(TAXA)
def test_forms_agree(taxon: Taxon) -> None:
    assert taxon.taxonomic.split() == " ".join(value for _, value in taxon.tagged).split()
    assert taxon.is_empty == (taxon.tagged == [])
    assert pickle.loads(pickle.dumps(taxon)) == taxon  # noqa: S301 (our own bytes)
