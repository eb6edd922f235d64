"""Names of lists are matched to the taxon that they mean, and to no other."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_taxonomy import SMALL, Node, reference

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.lookup import Lookup
from tol_luigi.taxonomy.lookup_store import write_lookup
from tol_luigi.taxonomy.matching import Matcher, MatchStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def names_of(node: Node) -> Iterator[str]:
    yield node.name
    for child in node.below:
        yield from names_of(child)


NAMES = sorted(set(names_of(SMALL)))


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Lookup:
    path = tmp_path_factory.mktemp("small") / "lookup.sqlite"
    write_lookup(path, reference(SMALL))
    return Lookup(path)


@pytest.fixture(scope="module")
def matcher(lookup: Lookup) -> Matcher:
    return Matcher(lookup)


@pytest.fixture
def matcher_of(tmp_path: Path) -> Callable[..., Matcher]:
    """Make a matcher of a few taxa."""

    def make(*nodes: Node) -> Matcher:
        path = tmp_path / "lookup.sqlite"
        write_lookup(path, reference(Node("life", "", nodes)))
        return Matcher(Lookup(path))

    return make


@pytest.mark.parametrize(
    ("name", "status", "taxon"),
    [
        pytest.param("Apis mellifera", "exact", "Apis mellifera", id="accepted"),
        pytest.param("  apis   MELLIFERA ", "exact", "Apis mellifera", id="blanks and case"),
        pytest.param("Apis mellifica", "synonym", "Apis mellifera", id="synonym"),
        pytest.param("Metazoa", "synonym", "Animalia", id="synonym of one word"),
        pytest.param("Apis mellifera Linnaeus, 1758", "canonical", "Apis mellifera", id="authorship"),
        pytest.param("Apis mellifica L.", "canonical", "Apis mellifera", id="synonym with authorship"),
        pytest.param("<i>Quercus alba</i> L.", "canonical", "Quercus alba", id="markup"),
        pytest.param("Quercus_robur", "canonical", "Quercus robur", id="name of a folder"),
        pytest.param("Apis (Apis) cerana Fabricius", "canonical", "Apis cerana", id="subgenus"),
        pytest.param("Quercus albus", "stem", "Quercus alba", id="ending of a gender"),
        pytest.param("Apis melifera", "fuzzy", "Apis mellifera", id="missing letter"),
        pytest.param("Apis mellfiera", "fuzzy", "Apis mellifera", id="letters exchanged"),
        pytest.param("Bombsu terrestris", "fuzzy", "Bombus terrestris", id="genus misspelt"),
        pytest.param("Cuercus robur", "fuzzy", "Quercus robur", id="first letter of the genus"),
        pytest.param("Bombus terestriss", "fuzzy", "Bombus terrestris", id="two letters of a long word"),
        pytest.param("Apidea", "fuzzy", "Apidae", id="family misspelt"),
        pytest.param("Apis nova", "partial", "Apis", id="unknown species"),
        pytest.param("Apis sp.", "partial", "Apis", id="open nomenclature"),
        pytest.param("Apis cf. mellifera", "partial", "Apis", id="doubtful"),
        pytest.param("Apis mellifera nova", "partial", "Apis mellifera", id="unknown subspecies"),
        pytest.param("Ficus variegata Blume", "canonical", "Ficus variegata", id="homonym with authorship"),
        pytest.param("Quercus sp. 1", "exact", "Quercus sp. 1", id="informal name of the taxonomy"),
        pytest.param("Ficus variegata", "ambiguous", "life", id="homonym"),
        pytest.param("Ficus nova", "ambiguous", "life", id="species of a homonym"),
        pytest.param("Vermes", "unknown", "", id="tombstone"),
        pytest.param("Nonsense nova", "unknown", "", id="unknown genus"),
        pytest.param("unknown", "unknown", "", id="no name"),
        pytest.param("", "unknown", "", id="empty"),
        pytest.param("western honey bee", "unknown", "", id="vernacular"),
    ],
)
def test_a_name_is_matched(name: str, status: str, taxon: str, matcher: Matcher) -> None:
    match = matcher.match(name)
    assert (match.status, match.name) == (status, taxon)
    assert (match.tol_id is None) == (status == "unknown")


@pytest.mark.parametrize(
    ("name", "context", "status", "family"),
    [
        pytest.param("Ficus variegata", {"kingdom": "Plantae"}, "exact", "Moraceae", id="kingdom"),
        pytest.param("Ficus variegata", {"kingdom": "Viridiplantae"}, "exact", "Moraceae", id="clade"),
        pytest.param("Ficus variegata", {"kingdom": " metazoa"}, "exact", "Ficidae", id="other spelling"),
        pytest.param("Ficus variegata", {"class": "Gastropoda"}, "exact", "Ficidae", id="class"),
        pytest.param("Ficus variegatus", {"kingdom": "Plantae"}, "stem", "Moraceae", id="stem"),
        pytest.param("Ficus variegats", {"kingdom": "Animalia"}, "fuzzy", "Ficidae", id="fuzzy"),
        pytest.param("Ficus nova", {"kingdom": "Plantae"}, "partial", "Moraceae", id="genus"),
        pytest.param("Nova nova", {"family": "Fagaceae"}, "partial", "Fagaceae", id="family only"),
        pytest.param("Quercus alba", {"kingdom": "Animalia"}, "partial", "", id="another kingdom"),
        pytest.param("Quercus alba", {"kingdom": "Chromista"}, "exact", "Fagaceae", id="unclear kingdom"),
        pytest.param(
            "Apis cerana", {"phylum": "Chordata", "class": "Aves"}, "unknown", "", id="other ranks throughout"
        ),
        pytest.param(
            "Apis cerana", {"phylum": "Chordata", "class": "Insecta"}, "exact", "Apidae", id="one rank agrees"
        ),
    ],
)
def test_what_is_above_a_name_decides(
    name: str, context: dict[str, str], status: str, family: str, matcher: Matcher
) -> None:
    match = matcher.match(name, context)
    assert (match.status, match.ranks["family"]) == (status, family)


def test_an_ambiguous_name_names_the_candidates(matcher: Matcher) -> None:
    match = matcher.match("Ficus variegata")
    assert [candidate.name for candidate in match.candidates] == [
        "Ficus variegata (species in Animalia)",
        "Ficus variegata (species in Plantae)",
    ]
    assert match.reason == "2 taxa have this name"


def test_a_contradiction_is_explained(matcher: Matcher) -> None:
    match = matcher.match("Quercus alba", {"kingdom": "Animalia"})
    assert match.reason.startswith("it is in kingdom Plantae, not Animalia")
    assert [candidate.name for candidate in match.candidates] == ["Quercus alba"]


def test_a_name_of_a_tombstone_is_explained(matcher: Matcher) -> None:
    assert matcher.match("Vermes").reason == "the taxonomy keeps it as inconsistent, not as a taxon"


def test_a_name_of_one_word_needs_more_than_a_similar_spelling(matcher: Matcher) -> None:
    match = matcher.match("Bombsu")
    assert (match.status, [one.name for one in match.candidates]) == ("unknown", ["Bombus"])
    assert matcher.match("Bombsu", {"family": "Apidae"}).name == "Bombus"


def test_a_known_genus_is_not_taken_for_one_of_another_family(matcher_of: Callable[..., Matcher]) -> None:
    turtles = Node("Cheloniidae", "family", (Node("Chelonia", "genus"),))
    flies = Node("Syrphidae", "family", (Node("Chelonis", "genus", (Node("Chelonis fasciata", "species"),)),))
    match = matcher_of(Node("Animalia", "kingdom", (turtles, flies))).match("Chelonia fasciata")
    assert (match.status, match.name) == ("partial", "Chelonia")


def test_a_spelling_decides_between_forms_of_one_name(matcher_of: Callable[..., Matcher]) -> None:
    forms = Node("Salvia flava flava", "subspecies"), Node("Salvia flava var. flava", "variety")
    match = matcher_of(Node("Salvia flava", "species", forms)).match("Salvia flava var. flava")
    assert (match.status, match.rank, match.reason) == ("exact", "variety", "by spelling")


def test_an_accepted_name_comes_before_a_synonym_of_its_kingdom(matcher_of: Callable[..., Matcher]) -> None:
    animals = Node(
        "Animalia",
        "kingdom",
        (
            Node("Xenus", "genus", (Node("Xenus albus", "species"),)),
            Node("Yenus", "genus", (Node("Yenus niger", "species", synonyms=("Xenus albus",)),)),
        ),
    )
    match = matcher_of(animals).match("Xenus albus")
    assert (match.status, match.name) == ("exact", "Xenus albus")


def test_a_synonym_in_another_kingdom_stays_ambiguous(matcher_of: Callable[..., Matcher]) -> None:
    animals = Node("Animalia", "kingdom", (Node("Xenus albus", "species"),))
    plants = Node("Plantae", "kingdom", (Node("Yenus niger", "species", synonyms=("Xenus albus",)),))
    assert matcher_of(animals, plants).match("Xenus albus").status == "ambiguous"


def test_a_subgenus_does_not_hide_its_genus(matcher_of: Callable[..., Matcher]) -> None:
    genus = Node("Xenus", "genus", (Node("Xenus", "subgenus"),))
    match = matcher_of(Node("Animalia", "kingdom", (genus,))).match("Xenus")
    assert (match.status, match.rank) == ("exact", "genus")


def test_two_equally_similar_names_are_ambiguous(matcher_of: Callable[..., Matcher]) -> None:
    genus = Node("Xenus", "genus", (Node("Xenus montana", "species"), Node("Xenus fontana", "species")))
    match = matcher_of(Node("Animalia", "kingdom", (genus,))).match("Xenus lontana")
    assert (match.status, match.name, len(match.candidates)) == ("ambiguous", "Xenus", 2)


def test_names_that_differ_from_an_informal_one_are_not_similar(matcher_of: Callable[..., Matcher]) -> None:
    genus = Node("Xenus", "genus", (Node("Xenus sp. 12", flags=Flag.INFORMAL),))
    match = matcher_of(Node("Animalia", "kingdom", (genus,))).match("Xenus sp. 13")
    assert (match.status, match.name) == ("partial", "Xenus")


@given(st.sampled_from(NAMES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_name_of_the_taxonomy_matches_itself(matcher: Matcher, name: str) -> None:
    match = matcher.match(name)
    assert match.status in {"exact", "ambiguous"} or name == "Vermes"
    assert name in {
        match.name,
        *(candidate.name.partition(" (")[0] for candidate in match.candidates),
        "Vermes",
    }


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """A name of two words with one wrong, missing, additional or exchanged letter."""
    name = draw(st.sampled_from([name for name in NAMES if name.count(" ") == 1]))
    places = [place for place, letter in enumerate(name) if place and letter != " "]
    place, letter = draw(st.sampled_from(places)), draw(st.sampled_from(string.ascii_lowercase))
    kind = draw(st.sampled_from(["wrong", "missing", "additional", "exchanged"]))
    if kind == "exchanged":
        assume(place + 1 < len(name) and name[place + 1] != " ")
        return name, name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    letter = "" if kind == "missing" else letter
    return name, name[:place] + letter + name[place + (kind != "additional") :]


@given(misspelt())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_a_name_with_one_wrong_letter_is_found_and_never_taken_for_an_exact_one(
    matcher: Matcher, names: tuple[str, str]
) -> None:
    name, wrong = names
    assume(wrong not in NAMES)
    match = matcher.match(wrong)
    assert match.status in {"fuzzy", "stem", "ambiguous"}
    found = {match.name, *(candidate.name.partition(" (")[0] for candidate in match.candidates)}
    assert name in found
    assert 0 < match.score < 1


@given(st.text(max_size=40), st.dictionaries(st.sampled_from(RANK_LABELS), st.text(max_size=20)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_has_a_match(matcher: Matcher, text: str, context: dict[str, str]) -> None:
    match = matcher.match(text, context)
    assert match.status in MatchStatus
    assert set(match.ranks) == set(RANK_LABELS)
    assert 0 <= match.score <= 1


def test_many_names_are_matched_with_their_contexts(matcher: Matcher) -> None:
    contexts = [{"kingdom": "Plantae"}, None, {"kingdom": "Animalia"}]
    matches = list(matcher.match_all(["Ficus variegata"] * 3, contexts))
    assert [match.ranks["kingdom"] for match in matches] == ["Plantae", "", "Animalia"]
