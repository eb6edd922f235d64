from __future__ import annotations

import pytest

from tol_luigi.core.errors import TableError
from tol_luigi.core.exclusions import Exclusions
from tol_luigi.core.taxon import Taxon
from tol_luigi.sources.eol import EOL

CONTENT = {
    "Mobula birostris": [
        "/old/place/10431575_49672921_eol-full-size-copy.jpg",
        "29663203_49672921_eol-copy.jpg",
    ],
    "Animalia-Arthropoda-Insecta-Lepidoptera-Nymphalidae-Polygonia-c-album": [],
    "Animalia-Cnidaria-Anthozoa----": ["/x/1056352_EOL-media-7-CalPhotos:0000 0000 0817 2856.jpeg"],
}


@pytest.fixture
def unseen() -> Exclusions:
    return Exclusions("unseen.json", CONTENT, with_species=True)


def test_counts(unseen: Exclusions) -> None:
    assert (len(unseen.listed_keys(EOL.key)), unseen.files, unseen.species) == (2, 3, 2)
    assert unseen.unparsed == ("Animalia-Cnidaria-Anthozoa----",)


@pytest.mark.parametrize(
    ("content_id", "page_id", "matches"),
    [(10431575, 49672921, True), (49672921, 10431575, False), (1056352, 7, False)],
)
def test_match_images(unseen: Exclusions, content_id: int, page_id: int, matches: bool) -> None:
    assert unseen.match_images(EOL.key, [(content_id, page_id)]) == (
        {(content_id, page_id)} if matches else set()
    )


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("10431575_49672921_eol-full-size-copy.jpg", True),
        ("new/place/10431575_49672921_eol-full-size-copy.jpg", True),
        ("1056352_EOL-media-7-CalPhotos:0000 0000 0817 2856.jpeg", True),
        ("10431575_49672921_eol-full-size-copy.png", False),
        ("", False),
    ],
)
def test_match_file(unseen: Exclusions, name: str, matches: bool) -> None:
    assert unseen.match_file(name) is matches


@pytest.mark.parametrize(
    ("taxon", "matches"),
    [
        pytest.param(Taxon.of(species="Mobula birostris"), True, id="a key of two words"),
        pytest.param(
            Taxon.of("Animalia", family="Mobulidae", species="Mobula birostris"), True, id="whatever is above"
        ),
        pytest.param(Taxon.of(species="Polygonia c-album"), True, id="a dash in the epithet"),
        pytest.param(Taxon.of(species="Mobula alfredi"), False, id="another species"),
        pytest.param(Taxon.of(genus="Mobula"), False, id="the genus alone"),
        pytest.param(Taxon(), False, id="nothing"),
    ],
)
def test_match_species(unseen: Exclusions, taxon: Taxon, matches: bool) -> None:
    assert unseen.match_species(taxon) is matches


@pytest.mark.parametrize(
    "key", ["Bison bison bonasus", "Animalia-Chordata-Mammalia-Artiodactyla-Bovidae-Bison-bison bonasus"]
)
@pytest.mark.parametrize("species", ["bison bonasus", "bonasus", "bison bison bonasus"])
def test_words_that_repeat_the_genus_do_not_count(key: str, species: str) -> None:
    exclusions = Exclusions("unseen.json", {key: []}, with_species=True)

    assert exclusions.match_species(Taxon(genus="bison", species=species))
    assert not exclusions.match_species(Taxon(genus="bison", species="bison"))


def test_blanks_around_a_genus_do_not_count(unseen: Exclusions) -> None:
    assert unseen.match_species(Taxon.of(genus="Mobula ", species="birostris"))
    assert not unseen.match_species(Taxon.of(genus=" ", species="birostris"))


def test_species_stay_where_the_list_is_of_images() -> None:
    seen = Exclusions("seen.json", CONTENT, with_species=False)

    assert not seen.match_species(Taxon.of(species="Mobula birostris"))
    assert seen.match_images(EOL.key, [(10431575, 49672921)])
    assert seen.species == 2


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (["a.jpg"], r"is not a JSON object \(found list\)"),
        ({"Mobula birostris": "a.jpg"}, "'Mobula birostris' is not a list of strings"),
        ({"Mobula birostris": [1]}, "'Mobula birostris' is not a list of strings"),
        (None, r"is not a JSON object \(found NoneType\)"),
    ],
)
def test_other_content_is_refused(content: object, what: str) -> None:
    with pytest.raises(TableError, match=rf"^unseen\.json: .*{what}\. It must be"):
        Exclusions("unseen.json", content, with_species=True)
