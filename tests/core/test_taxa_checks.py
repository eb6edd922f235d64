from __future__ import annotations

import pyarrow as pa
import pytest

from tol_luigi.core.taxa_checks import CHECKS, Tally, count_taxa, excesses

WHOLE = {
    "split": "train",
    "source": "eol",
    "kingdom": "Animalia",
    "phylum": "Chordata",
    "class": "Aves",
    "order": "Passeriformes",
    "family": "Corvidae",
    "genus": "Corvus",
    "species": "corax",
    "common": "raven",
    "name_rules": "",
}
NO_GENUS = {"genus": "", "species": ""}
NO_FAMILY = {**NO_GENUS, "family": ""}
NOTHING = dict.fromkeys(("kingdom", "phylum", "class", "order", "family", "genus", "species"), "")


def piece(*rows: dict[str, str]) -> pa.Table:
    return pa.Table.from_pylist([{**WHOLE, **row} for row in rows])


def encoded(table: pa.Table) -> pa.Table:
    """Give the same rows with each text kept once, among others that are in no row."""
    other = pa.Table.from_pylist([dict.fromkeys(table.schema.names, "two words (Unidentified)")])
    kinds = [field.with_type(pa.dictionary(pa.int32(), pa.string())) for field in table.schema]
    return pa.concat_tables([other, table]).cast(pa.schema(kinds)).unify_dictionaries().slice(1)


def tally(*rows: dict[str, str]) -> Tally:
    counted = count_taxa([piece(*rows)])
    assert count_taxa([encoded(piece(*rows))]) == counted
    return counted


def faults(counted: Tally) -> dict[str, dict[str, int]]:
    """What was counted, without zeros."""
    return {name: dict(+counts) for name, counts in counted.counts.items() if +counts}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({}, {}, id="nothing is wrong with a whole row"),
        pytest.param({"kingdom": ""}, {"genus_without_higher": {"kingdom": 1}}, id="a genus without kingdom"),
        pytest.param(
            {"order": "", "family": ""},
            {"genus_without_higher": {"order": 1, "family": 1}},
            id="a genus without order and family counts twice",
        ),
        pytest.param({"species": ""}, {}, id="a genus may lack its species"),
        pytest.param(NO_GENUS, {}, id="a family with all above it"),
        pytest.param(
            {**NO_GENUS, "order": "", "class": ""},
            {"family_without_higher": {"order": 1, "class": 1}},
            id="a family without order and class",
        ),
        pytest.param(NO_FAMILY, {}, id="an order with all above it"),
        pytest.param(
            {**NO_FAMILY, "phylum": "", "class": ""},
            {"order_without_higher": {"phylum": 1, "class": 1}},
            id="an order without phylum and class",
        ),
        pytest.param(
            {**NO_FAMILY, "order": "", "phylum": ""}, {}, id="a class without phylum is looked at by no rule"
        ),
        pytest.param(
            {"genus": ""},
            {"species_without_genus": {"eol": 1}},
            id="a species with higher ranks but no genus",
        ),
        pytest.param({**NOTHING, "species": "corax"}, {}, id="a species with nothing else is no orphan"),
        pytest.param(
            {"species": "corax principalis"},
            {"species_of_many_words": {"corax principalis": 1}},
            id="a species of two words",
        ),
        pytest.param(
            {"species": "(Unidentified)"}, {"species_unidentified": {"eol": 1}}, id="an unidentified species"
        ),
        pytest.param(
            {"common": "", "source": "bioscan"},
            {"missing_common": {"bioscan": 1}},
            id="no common name, by source",
        ),
        pytest.param(
            {"split": "train_small", "kingdom": "", "common": ""}, {}, id="train_small is passed over"
        ),
    ],
)
def test_each_rule(row: dict[str, str], expected: dict[str, dict[str, int]]) -> None:
    assert faults(tally(row)) == expected


def test_rows_are_counted_by_each_rule_that_has_touched_them() -> None:
    rows = [{"name_rules": "common_cleaned"}, {"name_rules": "common_cleaned,blank_parent"}, {}]
    repeated = {"name_rules": "homonym_genus", "split": "train_small"}

    assert tally(*rows, repeated).rules == {
        "common_cleaned": 2, "blank_parent": 1, "homonym_genus": 0, "genus_spelling": 0
    }  # fmt: skip


def test_kingdoms_are_counted_without_the_unknown() -> None:
    counted = tally(
        {}, {}, {"kingdom": "Plantae"}, {"kingdom": ""}, {"kingdom": "Fungi", "split": "train_small"}
    )

    assert counted.kingdoms == {"Animalia": 2, "Plantae": 1}
    assert counted.totals()["kingdoms"] == 2
    assert counted.rows == 4


def test_pieces_add_up() -> None:
    pieces = [piece({"common": ""}), piece({"split": "val", "common": ""})]

    assert count_taxa(pieces).totals()["missing_common"] == 2
    assert count_taxa(pieces).rows == 2


def test_a_piece_of_train_small_alone_counts_nothing() -> None:
    counted = tally({"split": "train_small"})

    assert counted.rows == 0
    assert counted.totals() == dict.fromkeys(CHECKS, 0)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param({}, [], id="no limits"),
        pytest.param({"missing_common": None}, [], id="none is no limit"),
        pytest.param({"missing_common": 2}, [], id="as many as allowed"),
        pytest.param({"missing_common": 3}, [], id="fewer than allowed"),
        pytest.param(
            {"missing_common": 1},
            ["missing_common: 2 (rows without a common name), at most 1 allowed"],
            id="one too many",
        ),
        pytest.param(
            {"kingdoms": 0, "species_of_many_words": 0},
            ["kingdoms: 1 (kingdoms, usually three), at most 0 allowed"],
            id="only what is above",
        ),
    ],
)
def test_excesses(limits: dict[str, int | None], expected: list[str]) -> None:
    assert excesses(tally({"common": ""}, {"common": ""}), limits) == expected
