"""The comparison of two releases: figures and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from drawn_sources import KINGDOMS, Row, rows, source, united
from hypothesis import given, settings

from tol_luigi.taxonomy.comparison import compare
from tol_luigi.taxonomy.comparison_text import comparison_text
from tol_luigi.taxonomy.finish import finished
from tol_luigi.taxonomy.flags import Flag

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables


def releases(
    before: tuple[Row, ...], after: tuple[Row, ...], **options: Any
) -> tuple[ReferenceTables, ReferenceTables]:
    first = finished(united(source("a", *before)), kingdoms=KINGDOMS)
    return first, finished(united(source("a", *after, **options)), kingdoms=KINGDOMS, previous=first)


BEFORE = (
    Row("1", "", "Metazoa", "kingdom"),
    Row("2", "1", "Aidae", "family"),
    Row("3", "2", "Aus", "genus"),
    Row("4", "3", "Aus albus", "species"),
    Row("5", "3", "Aus cus", "species"),
    Row("6", "1", "Bidae", "family"),
    Row("7", "6", "Bus", "genus"),
    Row("8", "2", "Xus", "genus"),
    Row("9", "8", "Xus xus", "species"),
    Row("10", "2", "Yus", "genus"),
)
AFTER = (
    Row("1", "", "Metazoa", "kingdom"),
    Row("2", "1", "Aidae", "family"),
    Row("11", "2", "Ainae", "subfamily"),
    Row("3", "11", "Aus", "genus"),
    Row("4", "3", "Aus alba", "species"),
    Row("6", "1", "Bidae", "family"),
    Row("7", "2", "Bus", "genus"),
    Row("9", "3", "Xus xus", "species", flags=int(Flag.EXTINCT)),
    Row("10", "2", "Yus", "genus", flags=int(Flag.INCERTAE_SEDIS)),
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return compare(*releases(BEFORE, AFTER, given_up=[("5", "4")]))


def test_taxa_that_come_and_go_are_counted(found: dict[str, Any]) -> None:
    assert found["added"] == {"count": 1, "ranks": {"subfamily": 1}, "examples": ["Ainae"]}
    assert found["removed"]["reasons"] == {"merged": 1, "name-retired": 1}
    assert found["removed"]["examples"] == ["Aus cus: merged", "Xus: name-retired"]
    assert found["merged"] == {"count": 1, "examples": ["Aus cus is Aus alba"]}


def test_renamed_taxa_are_counted(found: dict[str, Any]) -> None:
    assert found["renamed"] == {"count": 1, "only the gender": 1, "examples": ["Aus albus is Aus alba"]}


def test_moves_have_a_cause(found: dict[str, Any]) -> None:
    moved = found["moved"]
    assert moved["ranks"] == {"genus": 2, "species": 1}
    assert sorted(moved["examples"]) == [
        "Aus: a new taxon comes between it and its parent",
        "Bus: another parent",
        "Xus xus: its parent is gone",
    ]
    assert sum(moved["causes"].values()) == 3


def test_changes_of_ranks_and_flags_are_counted(found: dict[str, Any]) -> None:
    assert found["ranks"]["family"] == {
        "changed": 1,
        "filled": 0,
        "emptied": 0,
        "examples": ["Bidae is Aidae for 1"],
    }
    assert found["flags"]["extinct"] == {"gained": 1, "lost": 0}
    assert found["flags"]["incertae_sedis"] == {"gained": 1, "lost": 0}


def test_a_split_taxon_is_counted() -> None:
    first = finished(
        united(
            source("a", *BEFORE[:3]),
            source("b", Row("1", "", "Aidae", "family"), Row("2", "1", "Aus", "genus")),
        ),
        kingdoms=KINGDOMS,
    )
    second = finished(
        united(
            source("a", *BEFORE[:3]),
            source("b", Row("1", "", "Aidae", "family"), Row("2", "1", "Zus", "genus")),
        ),
        kingdoms=KINGDOMS,
        previous=first,
    )
    figures = compare(first, second)
    assert figures["split"] == {"count": 1, "examples": ["Aus is Aus and Zus"]}
    assert figures["fates"] == {"b": {"aligned to new": 1}}
    assert second.about["ids"]["collisions"]["count"] == 1  # type: ignore[index]


def test_a_release_does_not_differ_from_itself() -> None:
    first, second = releases(BEFORE, BEFORE)
    assert comparison_text("old", "new", compare(first, second)).splitlines() == [
        "Taxa of new, compared with old",
        "",
        f"{len(first.taxa)} taxa, {len(first.taxa)} before; {len(first.taxa)} in both",
        "nothing has changed",
    ]


def test_the_text_says_what_the_figures_say(found: dict[str, Any]) -> None:
    text = comparison_text("old", "new", json.loads(json.dumps(found)))
    assert "1 added (1 subfamily)\n    Ainae\n" in text
    assert "2 removed (1 merged, 1 name-retired)" in text
    assert "1 renamed (1 only the gender)" in text
    assert "    family Bidae is Aidae for 1" in text
    assert "records" in text


@settings(max_examples=30)
@given(rows(), rows())
def test_added_and_removed_taxa_are_the_difference(before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
    first, second = releases(before, after)
    found = compare(first, second)
    assert len(first.taxa) - found["removed"]["count"] == found["taxa"]["both"]
    assert len(second.taxa) - found["added"]["count"] == found["taxa"]["both"]
    assert sum(found["removed"]["reasons"].values()) == found["removed"]["count"]
    assert "not listed" not in found["removed"]["reasons"]
    assert comparison_text("old", "new", json.loads(json.dumps(found))).endswith("\n")
