"""Gaps in the seven ranks, filled with what further sources know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
from drawn_sources import KINGDOMS, Row, rows, source, united
from hypothesis import given, settings

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.finish import finished

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records


def release(*sources: Records, fill: bool = True) -> ReferenceTables:
    return finished(united(*sources), kingdoms=KINGDOMS, sources=sources if fill else ())


def path(tables: ReferenceTables, name: str) -> str:
    row = tables.taxa.filter(pc.equal(tables.taxa["name"], name)).to_pylist()[0]
    return "/".join(row[label] for label in RANK_LABELS)


FIRST = source(
    "a",
    Row("1", "", "Metazoa", "kingdom"),
    Row("2", "1", "Mammalia", "class"),
    Row("3", "2", "Felidae", "family"),
    Row("4", "3", "Felis", "genus"),
    Row("5", "4", "Felis catus", "species"),
    Row("6", "2", "Canidae", "family"),
    Row("7", "6", "Canis", "genus"),
    Row("8", "1", "Aves", "class"),
    Row("9", "8", "Strigidae", "family"),
)
SECOND = source(
    "b",
    Row("1", "", "Metazoa", "kingdom"),
    Row("2", "1", "Mammalia", "class"),
    Row("3", "2", "Carnivora", "order"),
    Row("4", "3", "Felidae", "family"),
    Row("5", "3", "Pantheridae", "family"),
    Row("6", "5", "Canis", "genus"),
    Row("7", "3", "Strigidae", "family"),
)


def test_a_gap_is_filled_for_the_family_and_all_below_it() -> None:
    tables = release(FIRST, SECOND)
    assert path(tables, "Felidae") == "Animalia//Mammalia/Carnivora/Felidae//"
    assert path(tables, "Felis catus") == "Animalia//Mammalia/Carnivora/Felidae/Felis/Felis catus"
    assert tables.about["filled_ranks"]["order"] == 3  # type: ignore[index]
    assert path(release(FIRST, SECOND, fill=False), "Felis") == "Animalia//Mammalia//Felidae/Felis/"


def test_no_family_has_two_orders_and_no_order_two_classes() -> None:
    tables = release(FIRST, SECOND)
    assert path(tables, "Canis") == "Animalia//Mammalia//Canidae/Canis/", (
        "its family is the one of the first source"
    )
    assert path(tables, "Strigidae") == "Animalia//Aves//Strigidae//", "Carnivora are Mammalia"


def test_a_kingdom_that_is_no_clade_is_a_label() -> None:
    first = source(
        "a",
        Row("1", "", "Eukaryota", ""),
        Row("2", "1", "Ochrophyta", "phylum"),
        Row("3", "1", "Ciliophora", "phylum"),
        Row("4", "2", "Aus", "genus"),
    )
    second = source(
        "b",
        Row("1", "", "Chromista", "kingdom"),
        Row("2", "1", "Ochrophyta", "phylum"),
        Row("4", "1", "Ciliophora", "phylum"),
    )
    tables = release(first, second)
    assert path(tables, "Aus") == "Chromista/Ochrophyta////Aus/"


def test_the_ranks_above_a_known_order_are_those_of_that_order() -> None:
    first = source(
        "a",
        Row("1", "", "Metazoa", "kingdom"),
        Row("2", "1", "Craniata", "phylum"),
        Row("3", "2", "Mammalia", "class"),
        Row("4", "3", "Carnivora", "order"),
        Row("5", "1", "Felidae", "family"),
    )
    second = source(
        "b",
        Row("1", "", "Metazoa", "kingdom"),
        Row("2", "1", "Chordata", "phylum"),
        Row("4", "2", "Carnivora", "order"),
        Row("5", "4", "Felidae", "family"),
    )
    assert path(release(first, second), "Felidae") == "Animalia/Craniata/Mammalia/Carnivora/Felidae//"


def test_a_name_that_is_no_taxon_is_a_label_of_one_class_only() -> None:
    first = source(
        "a",
        Row("1", "", "Metazoa", "kingdom"),
        Row("2", "1", "Aves", "class"),
        Row("3", "2", "Aidae", "family"),
        Row("4", "1", "Mammalia", "class"),
        Row("5", "4", "Bidae", "family"),
    )
    second = source(
        "b",
        Row("1", "", "Oddia", "order"),
        Row("2", "1", "Aidae", "family"),
        Row("3", "1", "Bidae", "family"),
    )
    tables = release(first, second)
    assert path(tables, "Aidae") == "Animalia//Aves/Oddia/Aidae//"
    assert path(tables, "Bidae") == "Animalia//Mammalia//Bidae//"


@settings(max_examples=60)
@given(rows(), rows(), rows())
def test_filling_changes_no_rank_and_gives_each_taxon_one_label_below_it(
    one: tuple[Row, ...], two: tuple[Row, ...], three: tuple[Row, ...]
) -> None:
    sources = source("a", *one), source("b", *two), source("c", *three)
    plain, filled = release(*sources, fill=False).taxa, release(*sources).taxa
    for label in RANK_LABELS:
        for before, after in zip(plain[label].to_pylist(), filled[label].to_pylist(), strict=True):
            assert before in ("", after)
    assert plain.select(["tol_id", "parent", "name", "unique_name"]).equals(
        filled.select(["tol_id", "parent", "name", "unique_name"])
    )
    backwards = source("a", *one[::-1]), source("b", *two[::-1]), source("c", *three[::-1])
    assert release(*backwards).taxa.equals(filled)
