from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.lineages import Lineages
from tol_luigi.core.taxon import Taxon

TAXA = st.lists(st.builds(Taxon, *[st.sampled_from(["", "a", "b"])] * 7), max_size=30)


def test_index_counts_in_order_of_first_sight() -> None:
    lineages = Lineages()

    assert lineages.index(Taxon.of("Animalia", "Chordata")) == (0, 0, 0, 0, 0, 0, 0)
    assert lineages.index(Taxon.of("Plantae", "Tracheophyta")) == (1, 1, 1, 1, 1, 1, 1)
    assert lineages.index(Taxon.of("Animalia", "Mollusca")) == (0, 2, 2, 2, 2, 2, 2)
    assert lineages.index(Taxon.of("Animalia", "Chordata")) == (0, 0, 0, 0, 0, 0, 0)
    assert lineages.counts == (2, 3, 3, 3, 3, 3, 3)


def test_one_name_in_two_lineages_is_two_classes() -> None:
    lineages = Lineages()

    assert lineages.index(Taxon.of("Animalia", genus="Aotus"))[5] == 0
    assert lineages.index(Taxon.of("Plantae", genus="Aotus"))[5] == 1


def test_lineages_that_read_the_same_without_separators_are_two_classes() -> None:
    lineages = Lineages()

    assert lineages.index(Taxon.of("Animalia", "", "Aves"))[2] == 0
    assert lineages.index(Taxon.of("Animalia", "Aves", ""))[2] == 1


@given(TAXA)
def test_two_indexes_are_equal_exactly_where_the_lineages_are(taxa: list[Taxon]) -> None:
    lineages = Lineages()
    for rank in range(7):
        pairs = {(taxon.ranks[: rank + 1], lineages.index(taxon)[rank]) for taxon in taxa}
        assert len({lineage for lineage, _ in pairs}) == len({index for _, index in pairs}) == len(pairs)
        assert {index for _, index in pairs} == set(range(len(pairs)))
