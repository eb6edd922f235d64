from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.taxonomy.scientific_names import (
    CROSS,
    NameKind,
    ScientificName,
    genus_of,
    parse_name,
    parse_names,
    year_of,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "name", "authorship", "year"),
    [
        ("Aedes (Stegomyia) aegypti", "Aedes aegypti", "", 0),
        ("Rana (Rana) temporaria Linnaeus, 1758", "Rana temporaria", "Linnaeus, 1758", 1758),
        ("Apis mellifera De Geer, 1773", "Apis mellifera", "De Geer, 1773", 1773),
        ("Leucanitis roda Herrich-Schäffer 1851", "Leucanitis roda", "Herrich-Schäffer, 1851", 1851),
        ("Quercus alba Mill.", "Quercus alba", "Mill.", 0),
        ("Aus bus Smith and Jones, 1990", "Aus bus", "Smith & Jones, 1990", 1990),
        ("Etheostoma nigrum Jordan &amp;amp; Evermann", "Etheostoma nigrum", "Jordan & Evermann", 0),
        ("Homo sapiens (Linnaeus, 1758)", "Homo sapiens", "(Linnaeus, 1758)", 1758),
        ("Hominidae Gray, 1825", "Hominidae", "Gray, 1825", 1825),
        ("Poa L.", "Poa", "L.", 0),
        ("Poa annua L", "Poa annua", "L.", 0),
        ("Aus bus Smith, 1900-1902", "Aus bus", "Smith, 1900", 1900),
        ("Aus bus Westwood, [1851]", "Aus bus", "Westwood, [1851]", 1851),
        ("Aus bus van der Hoeven 1850", "Aus bus", "van der Hoeven, 1850", 1850),
        ("Coccinella 7-punctata Linnaeus, 1758", "Coccinella 7-punctata", "Linnaeus, 1758", 1758),
        ("Ficus gracilis Pittier, 1944", "Ficus gracilis", "Pittier, 1944", 1944),
        ("Brassica oleracea L. subsp. capitata (L.) DC.", "Brassica oleracea subsp. capitata", "(L.) DC.", 0),
    ],
)
def test_authorship_is_separated_from_the_name(text: str, name: str, authorship: str, year: int) -> None:
    found = parse_name(text)

    assert (found.name, found.authorship, found.year) == (name, authorship, year)


@pytest.mark.parametrize("name", ["Dermestes nan", "Iomon null", "Ultragryllacris nan"])
def test_epithets_that_look_like_missing_values_are_epithets(name: str) -> None:
    assert parse_name(name) == ScientificName(name, rank="species")


@pytest.mark.parametrize(
    "text",
    ["incertae sedis", "not_classified", "nan", "null", "", " ", "(unidentified)", "unknown", "pleasehelp",
     "Bacteria incertae sedis", "unclassified Asterales", "environmental samples"],
)  # fmt: skip
def test_placeholders_are_no_names(text: str) -> None:
    assert parse_name(text).kind == NameKind.PLACEHOLDER


@pytest.mark.parametrize(
    "text",
    ["Megaselia sp. 1ES 2009", "Megaselia sp.", "Pimpla cf. instigator", "Bombus sp. BOLD:AAB1234", "Asteraceae indet.",
     "uncultured bacterium", "A. reta", "Escherichia coli O157:H7", "Delftia tsuruhatensis ARB", "Plasmodium falciparum FCR-3/Gambia",
     "Buchnera aphidicola (Acyrthosiphon pisum)", "HIV-1 CRO479_2", "Planktothrix agardhii 1807", "Diplommatina rubra A MS-2011",
     "Phylladiorhynchus integrirostris environmental sample", "Pseudomonas fluorescens bv. II", "Melanoides woodwardi/truncatelliformis",
     "Alpheus lottini ssp. B1-2", "Ctenucha _affinis_", "Inf\ufffdentem lato"],
)  # fmt: skip
def test_informal_names_keep_what_identifies_them(text: str) -> None:
    assert parse_name(text)[:2] == (text, "")
    assert parse_name(text).kind == NameKind.INFORMAL


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (f"{CROSS}Agropogon littoralis", f"{CROSS} Agropogon littoralis", NameKind.HYBRID),
        ("x Agropogon", f"{CROSS} Agropogon", NameKind.HYBRID),
        ("Mentha x piperita", f"Mentha {CROSS} piperita", NameKind.HYBRID),
        (f"Salix {CROSS}rubens Schrank", f"Salix {CROSS} rubens", NameKind.HYBRID),
        ("Quercus alba x Quercus robur", f"Quercus alba {CROSS} Quercus robur", NameKind.HYBRID),
        ("Saccharum x Tripidium", f"Saccharum {CROSS} Tripidium", NameKind.HYBRID),
        ("Macaca hybrid", "Macaca hybrid", NameKind.HYBRID),
        ("Tobacco mosaic virus", "Tobacco mosaic virus", NameKind.VIRAL),
        ("Candidatus Pelagibacter ubique", "Candidatus Pelagibacter ubique", NameKind.SCIENTIFIC),
        ("[Candida] danieliae", "Candida danieliae", NameKind.SCIENTIFIC),
        ("Bacillus cereus group", "Bacillus cereus group", NameKind.SCIENTIFIC),
        ("Rana subgenus Rana", "Rana subgenus Rana", NameKind.SCIENTIFIC),
        ("asterids", "asterids", NameKind.SCIENTIFIC),
        ("HOMO SAPIENS", "Homo sapiens", NameKind.SCIENTIFIC),
        ("<i>Homo  sapiens</i>", "Homo sapiens", NameKind.SCIENTIFIC),
        ('"Homo sapiens', "Homo sapiens", NameKind.SCIENTIFIC),
        ("Homo_sapiens", "Homo sapiens", NameKind.SCIENTIFIC),
        ("Acer o'neillii", "Acer o'neillii", NameKind.SCIENTIFIC),
        ("Aus bus n. sp.", "Aus bus", NameKind.SCIENTIFIC),
    ],
)
def test_kinds_of_names(text: str, name: str, kind: NameKind) -> None:
    found = parse_name(text)

    assert (found.name, found.kind) == (name, kind)


@pytest.mark.parametrize(
    ("text", "name", "rank"),
    [
        ("Panthera leo persica", "Panthera leo persica", ""),
        ("Brassica oleracea var italica", "Brassica oleracea var. italica", "variety"),
        ("Brassica oleracea var. italica", "Brassica oleracea var. italica", "variety"),
        ("Aus bus ssp. cus", "Aus bus subsp. cus", "subspecies"),
        ("Aus bus f. cus", "Aus bus f. cus", "form"),
        ("Aedes (Stegomyia)", "Stegomyia", "subgenus"),
        ("Quercus sect. Lobatae", "Quercus sect. Lobatae", "section"),
    ],
)
def test_ranks_that_a_name_shows(text: str, name: str, rank: str) -> None:
    found = parse_name(text)

    assert (found.name, found.rank) == (name, rank)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Apis mellifera De Geer, 1773", "zoological"),
        ("Aus bus (L.) P.Beauv. ex Smith", "botanical"),
        ("Candidatus Pelagibacter ubique", "bacterial"),
        ("Tobacco mosaic virus", "viral"),
        ("Quercus alba", ""),
    ],
)
def test_codes_that_a_name_shows(text: str, code: str) -> None:
    assert parse_name(text).code == code


def test_genus_of_a_name() -> None:
    assert genus_of("Megaselia sp. 1ES 2009") == "Megaselia"
    assert genus_of(f"{CROSS} Agropogon littoralis") == "Agropogon"
    assert genus_of("Homo") == ""
    assert genus_of("uncultured bacterium") == ""


def test_year_is_that_of_the_first_publication() -> None:
    assert year_of("(Linnaeus, 1758) Smith, 1990") == 1758
    assert year_of("Mill.") == 0


def test_many_names_are_parsed_like_single_ones_in_their_order() -> None:
    texts = [
        "Homo sapiens",
        "Aus bus Smith, 1900",
        "unknown",
        "Homo sapiens",
        "Aus sp. 1",
        "Aus bus Smith, 1900",
    ]

    rows = [ScientificName(**row) for row in parse_names(pa.array(texts)).to_pylist()]

    assert rows == [parse_name(text) for text in texts]


def test_nulls_and_long_columns_are_parsed() -> None:
    found = parse_names(pa.chunked_array([pa.array(["Homo sapiens", None], pa.large_string())]))

    assert found["kind"].to_pylist() == [NameKind.SCIENTIFIC, NameKind.PLACEHOLDER]


def test_no_names_are_parsed() -> None:
    assert parse_names(pa.array([], pa.string())).num_rows == 0


WORDS = st.sampled_from(
    ["Aus", "Bus", "aus", "bus", "cus", "Aüs", "(Bus)", "var.", "var", "subsp.", "f.", "sp.", "cf.", "x", CROSS, "Smith", "de",
     "Smith,", "1900", "L.", "&", "ex", "(Linnaeus, 1758)", "1", "A1", "'Peace'", '"', "<i>", "</i>", "&amp;", "agg.", "group",
     "virus", "hybrid", "nan", "incertae", "sedis", "[Aus]", "s.l.", "?", "subgenus", "sect.", "BUS", "samples", "†"]
)  # fmt: skip
"""What names are made of, in any order."""


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_parsing_a_canonical_name_changes_nothing(words: list[str]) -> None:
    once = parse_name(" ".join(words))

    again = parse_name(once.name)

    assert (again.name, again.kind) == (once.name, once.kind)


def test_real_names_keep_their_genus_and_are_settled(shared: Path) -> None:
    lines = (shared / "golden" / "names.tsv").read_text(encoding="utf-8").splitlines()[1:]
    texts = [line.split("\t")[0] for line in lines]

    once = parse_names(pa.array(texts))
    again = parse_names(once["name"])

    assert again["name"].equals(once["name"])
    assert again["kind"].equals(once["kind"])
    scientific = [
        (text, name)
        for text, name, kind in zip(texts, once["name"].to_pylist(), once["kind"].to_pylist(), strict=True)
        if kind == NameKind.SCIENTIFIC
    ]
    assert len(scientific) > 2000
    assert [text for text, name in scientific if text.split()[0] != name.split()[0]] == []
