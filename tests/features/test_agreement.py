"""How well images agree with their taxa, in numbers that can be reckoned by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import text_bank

from tol_luigi.features import agreement as agreements
from tol_luigi.features.agreement import RANKS, agreement, prototype_agreement
from tol_luigi.features.extractor import unit_rows

CAT = ("Animalia", "Chordata", "Mammalia", "Carnivora", "Felidae", "Felis", "catus")
WILDCAT = (*CAT[:6], "silvestris")
GOLDFISH = ("Animalia", "Chordata", "", "Cypriniformes", "Cyprinidae", "Carassius", "auratus")
MORUS_BIRD = ("Animalia", "Chordata", "Aves", "Suliformes", "Sulidae", "Morus", "")
MORUS_TREE = ("Plantae", "Tracheophyta", "Magnoliopsida", "Rosales", "Moraceae", "Morus", "")
TAXA = [MORUS_TREE, GOLDFISH, CAT, MORUS_BIRD, WILDCAT]
BANK = text_bank(TAXA, np.eye(5, dtype=np.float32))
SCALE = 2.0


def one(label: tuple[str, ...], *weights: float) -> dict[str, object]:
    """Return the values of an image, by its weights for the taxa in the order of TAXA."""
    image = np.array([weights], np.float32)
    found = agreement(image / np.linalg.norm(image), [label], BANK, SCALE)
    assert tuple(found) == agreements.AGREEMENT_COLUMNS
    return {name: values[0] for name, values in found.items()}


def test_probabilities_of_ranks_are_sums_over_their_taxa() -> None:
    found = one(CAT, 0, 0, 1, 0, 0)
    likely, other = math.exp(SCALE), 1.0
    total = likely + 4 * other
    assert found["agree_cos"] == pytest.approx(1)
    assert found["agree_margin"] == pytest.approx(1)
    assert found["agree_rank_of_label"] == 1
    assert found["agree_top1_taxon"] == "Animalia Chordata Mammalia Carnivora Felidae Felis catus"
    assert found["agree_p_species"] == found["agree_top1_p"] == pytest.approx(likely / total)
    assert found["agree_p_genus"] == pytest.approx((likely + other) / total)
    assert found["agree_p_kingdom"] == pytest.approx((likely + 3 * other) / total)
    assert found["agree_lca_rank"] == "species"
    assert found["agree_deepest_rank"] == "species"


def test_homonyms_of_two_kingdoms_are_two_taxa() -> None:
    found = one(MORUS_TREE, 0, 0, 0, 1, 0)
    assert found["agree_lca_rank"] is None
    assert found["agree_rank_of_label"] == 5  # all others are as near or nearer
    assert found["agree_margin"] == pytest.approx(-1)
    assert found["agree_p_kingdom"] == found["agree_p_genus"] == pytest.approx(1 / (math.exp(SCALE) + 4))


def test_missing_ranks_have_no_probability_and_do_not_end_a_lineage() -> None:
    found = one(GOLDFISH, 0, 1, 0, 0, 0)
    assert found["agree_p_class"] is None
    assert found["agree_p_species"] == found["agree_p_order"] == pytest.approx(found["agree_top1_p"])
    assert found["agree_lca_rank"] == "species"
    genus = one(MORUS_BIRD, 0, 0, 0, 1, 0)
    assert genus["agree_p_species"] is None
    assert (genus["agree_lca_rank"], genus["agree_deepest_rank"]) == ("genus", "genus")


def test_two_likely_species_make_their_genus_the_deepest_rank() -> None:
    found = one(WILDCAT, 0, 0, 1, 0, 1)
    assert found["agree_deepest_rank"] == "genus"
    assert found["agree_rank_of_label"] == 2


def test_a_label_without_texts_has_the_probabilities_of_the_ranks_that_have_some() -> None:
    lynx = (*CAT[:5], "Lynx", "lynx")
    found = one(lynx, 0, 0, 1, 0, 0)
    assert found["agree_cos"] is found["agree_p_genus"] is found["agree_rank_of_label"] is None
    assert found["agree_p_family"] > 0.7
    assert found["agree_lca_rank"] == "family"


def test_an_image_without_a_vector_has_no_values() -> None:
    images = np.array([[np.nan] * 5, [1, 0, 0, 0, 0]], np.float32)
    found = agreement(images, [CAT, MORUS_TREE], BANK, SCALE)
    assert all(values[0] is None for values in found.values())
    assert found["agree_rank_of_label"][1] == 1


def test_texts_of_a_taxon_are_averaged() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    bank = text_bank([CAT, CAT, GOLDFISH], vectors)
    assert bank.lineages == [GOLDFISH, CAT]
    np.testing.assert_allclose(bank.vectors, [[1, 0], [math.sqrt(0.5)] * 2], atol=1e-3)


@pytest.mark.parametrize(
    ("lineages", "message"),
    [
        pytest.param([CAT, CAT], "is not after", id="twice"),
        pytest.param([CAT, ("Animalia",)], "is not after|has not 7 ranks", id="too few ranks"),
        pytest.param([], "0 taxa", id="none"),
    ],
)
def test_a_bank_that_is_not_sorted_is_rejected(lineages: list[tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agreements.TextBank(lineages, np.zeros((len(lineages), 2), np.float16))


NAMES = st.sampled_from(["", "a", "b"])
LINEAGES = st.lists(st.tuples(*[NAMES] * 7), min_size=1, max_size=30, unique=True)


@settings(max_examples=30)
@given(LINEAGES, st.integers(0, 2**32 - 1))
def test_chunks_and_order_change_nothing_and_ranks_are_nested(
    lineages: list[tuple[str, ...]], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    vectors = unit_rows(chance.normal(size=(len(lineages), 4)).astype(np.float32))
    images = unit_rows(chance.normal(size=(5, 4)).astype(np.float32))
    labels = [lineages[place] for place in chance.integers(0, len(lineages), 5)]
    found = agreement(images, labels, text_bank(lineages, vectors), 10)
    turned = text_bank(lineages[::-1], vectors[::-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreements, "CELLS_AT_ONCE", 1)
        patch.setattr(agreements, "ROWS_AT_ONCE", 2)
        again = agreement(images, labels, turned, 10)
    for name, values in found.items():
        for value, other in zip(values, again[name], strict=True):
            assert (
                value == other if isinstance(value, str | None) else other == pytest.approx(value, abs=1e-5)
            )
    for row in range(5):
        chances = [found[f"agree_p_{rank}"][row] for rank in RANKS]
        known = [chance for chance in chances if chance is not None]
        assert known == sorted(known, reverse=True) or np.all(np.diff(known) < 1e-9)


def test_an_image_unlike_the_others_of_its_taxon_stands_out() -> None:
    near = [[1, 0.1 * place] for place in range(5)]
    vectors = unit_rows(np.array([*near, [0, 1], [0, 1], [np.nan, 0], [1, 0]], np.float32))
    taxa = ["a"] * 6 + ["b", "b", "c"]
    found = prototype_agreement(vectors, taxa)
    assert int(np.nanargmin(found["proto_z"])) == 5
    assert found["proto_z"][5] < -2
    # The only image of its taxon, one without a vector, and one whose only companion has none.
    assert np.isnan(found["proto_cos"][[6, 7, 8]]).all()
    others = vectors[1:6].sum(axis=0)
    assert found["proto_cos"][0] == pytest.approx(vectors[0] @ others / np.linalg.norm(others), abs=1e-6)
    again = prototype_agreement(vectors, taxa, rows_at_once=2)
    np.testing.assert_allclose(again["proto_cos"], found["proto_cos"], rtol=1e-5)


def test_equal_images_have_no_deviations() -> None:
    found = prototype_agreement(np.ones((4, 2), np.float32), ["a"] * 4)
    np.testing.assert_allclose(found["proto_cos"], 1, rtol=1e-6)
    assert np.isnan(found["proto_z"]).all()
