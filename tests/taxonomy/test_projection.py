from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from small_union import KINGDOMS, LIFE, Taxon, Union, trees

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.projection import Projection, rank_columns


def projected(taxa: tuple[Taxon, ...]) -> tuple[Projection, dict[str, dict[str, str]]]:
    union = Union(taxa)
    projection, columns = rank_columns(
        union.parent.astype(np.int64), union.name, union.rank, union.flags, KINGDOMS
    )
    return projection, {
        taxon.origin: {label: columns[label][row].as_py() for label in RANK_LABELS}
        for row, taxon in enumerate(taxa)
    }


def path(ranks: dict[str, str]) -> str:
    return "/".join(ranks.values())


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("a:6", "Animalia/Mollusca///Ficidae/Ficus/Ficus variegata"),
        ("a:11", "Plantae/Tracheophyta//Rosales//Ficus/Ficus variegata"),
        ("sep:7", "Plantae//////"),
        ("sep:1", "//////"),
        pytest.param(
            "b:12", "Plantae/Tracheophyta//Rosales//Ficus/", id="a tombstone has the ranks above it"
        ),
    ],
)
def test_ranks_are_those_of_the_ancestors(origin: str, expected: str) -> None:
    assert path(projected(LIFE)[1][origin]) == expected


def test_a_repeated_rank_is_the_nearest_and_is_reported() -> None:
    taxa = (
        Taxon("d:1", "", "Sarcopterygii", "class"),
        Taxon("d:2", "d:1", "Therapsida", "order"),
        Taxon("d:3", "d:2", "Mammalia", "class"),
        Taxon("d:4", "d:3", "Primates", "order"),
    )
    projection, ranks = projected(taxa)

    assert path(ranks["d:4"]) == "//Mammalia/Primates///"
    assert list(zip(projection.repeats.tolist(), projection.repeated.tolist(), strict=True)) == [
        (2, 0),
        (3, 1),
    ]


def test_names_of_kingdoms_count_without_a_rank_but_not_at_a_lower_one() -> None:
    taxa = (
        Taxon("a:1", "", "Viridiplantae"),
        Taxon("a:2", "a:1", "Fungi", "genus"),
        Taxon("a:3", "a:1", "Metazoa", "", int(Flag.INCONSISTENT)),
    )
    _, ranks = projected(taxa)

    assert path(ranks["a:2"]) == "Plantae/////Fungi/"
    assert path(ranks["a:3"]) == "Plantae//////"


@given(trees())
def test_each_rank_is_found_by_walking_up(taxa: tuple[Taxon, ...]) -> None:
    by_origin = {taxon.origin: taxon for taxon in taxa}
    projection, ranks = projected(taxa)
    repeats = []
    for row, taxon in enumerate(taxa):
        line = [taxon]
        while line[-1].parent:
            line.append(by_origin[line[-1].parent])
        for label in RANK_LABELS:
            assert ranks[taxon.origin][label] == next((one.name for one in line if one.rank == label), "")
        if taxon.rank in RANK_LABELS and any(one.rank == taxon.rank for one in line[1:]):
            repeats.append(row)
    assert projection.repeats.tolist() == repeats


def test_no_taxa_have_no_ranks() -> None:
    none = pa.array([], pa.string())
    _, columns = rank_columns(np.empty(0, np.int64), none, none, np.empty(0, np.uint32), KINGDOMS)
    assert all(len(columns[label]) == 0 for label in RANK_LABELS)
