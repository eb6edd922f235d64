"""The report of a build: figures and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from drawn_sources import KINGDOMS, SEPARATION, Row, rows, source, united
from hypothesis import given, settings

from tol_luigi.taxonomy.finish import finished
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.records import REPAIRS, Records
from tol_luigi.taxonomy.report import build_figures
from tol_luigi.taxonomy.report_text import build_text

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables


def figures(*sources: Records) -> dict[str, Any]:
    tables = finished(united(*sources), kingdoms=KINGDOMS)
    return build_figures(tables, sources, SEPARATION, KINGDOMS)


FIRST = source(
    "a",
    Row("1", "", "Metazoa", "kingdom"),
    Row("2", "1", "Mollusca", "phylum"),
    Row("3", "2", "Ficidae", "family"),
    Row("4", "3", "Ficus", "genus"),
    Row("5", "4", "Ficus variegata", "species"),
    Row("6", "2", "Aidae", "family"),
    Row("7", "6", "Ficus", "genus"),
    Row("8", "4", "Bidae", "family", flags=int(Flag.EXTINCT)),
    Row("9", "8", "Cidae", "family"),
)
SECOND = source(
    "b",
    Row("1", "", "Viridiplantae", "kingdom"),
    Row("2", "1", "Rosales", "order"),
    Row("3", "2", "Moraceae", "family"),
    Row("4", "3", "Ficus", "genus", ("Sycomorus",)),
    Row("5", "4", "Ficus variegata", "species", (), ("fig",)),
    Row("6", "2", "Lost", "genus"),
    Row("7", "", "Metazoa", "kingdom"),
    Row("8", "7", "Mollusca", "phylum"),
    Row("9", "8", "Gastropoda", "class"),
    Row("10", "9", "Ficidae", "family"),
)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return figures(FIRST, SECOND)


def test_records_are_counted_by_fate(found: dict[str, Any]) -> None:
    assert {prefix: sum(fates.values()) for prefix, fates in found["fates"].items()} == {"a": 9, "b": 10}
    assert found["fates"]["a"] == {"new": 8, "aligned": 1}
    assert sum(found["reasons"]["b"].values()) == 10


def test_homonyms_in_two_kingdoms_are_listed(found: dict[str, Any]) -> None:
    check = found["checks"]["names in several kingdoms"]
    assert check == {
        "count": 2,
        "examples": ["Ficus: Animalia, Plantae", "Ficus variegata: Animalia, Plantae"],
    }
    assert found["homonyms"]["names"] == 2
    assert found["homonyms"]["ranks"] == {"genus": 1, "species": 1}


def test_a_genus_in_two_families_is_listed(found: dict[str, Any]) -> None:
    check = found["checks"]["genera in several families of one kingdom"]
    assert check == {"count": 1, "examples": ["Ficus (Animalia): Aidae, Ficidae"]}


def test_ranks_out_of_order_are_listed(found: dict[str, Any]) -> None:
    checks = found["checks"]
    assert checks["taxa in a taxon of a lower rank"]["examples"] == ["family Bidae in genus Ficus"]
    assert checks["taxa in a taxon of the same rank"]["examples"] == [
        "family Bidae in family Ficidae",
        "family Cidae in family Bidae",
    ]


def test_gaps_that_a_source_could_fill_are_listed(found: dict[str, Any]) -> None:
    gaps = found["gaps"]["class"]
    assert "Ficidae: Gastropoda (b)" in gaps["examples"]
    assert gaps["known"] <= gaps["gaps"]
    filled = finished(united(FIRST, SECOND), kingdoms=KINGDOMS, sources=(FIRST, SECOND))
    after = build_figures(filled, (FIRST, SECOND), SEPARATION, KINGDOMS)["gaps"]["class"]
    assert after["gaps"] < gaps["gaps"]
    assert after["known"] == 0


def test_divisions_are_found_in_sources(found: dict[str, Any]) -> None:
    assert found["separation"] == {"life": [], "Metazoa": ["a", "b"], "Viridiplantae": ["b"]}


def test_a_joined_homonym_is_listed() -> None:
    tables = finished(united(FIRST, SECOND), kingdoms=KINGDOMS)
    assert records_joined(tables) == []
    snail = pc.index(tables.xref["source_id"], "5").as_py()
    tol_id = tables.xref["tol_id"][snail]
    is_fig = pc.and_(pc.equal(tables.xref["source"], "b"), pc.equal(tables.xref["source_id"], "5"))
    place = tables.xref.schema.get_field_index("tol_id")
    joined = tables.xref.set_column(
        place, tables.xref.schema.field(place), pc.if_else(is_fig, tol_id, tables.xref["tol_id"])
    )
    assert records_joined(tables, joined) == ["b:5 Ficus variegata of Plantae is Ficus variegata of Animalia"]


def records_joined(tables: ReferenceTables, xref: pa.Table | None = None) -> list[str]:
    changed = tables if xref is None else type(tables)(tables.taxa, tables.names, xref)
    checks = build_figures(changed, (FIRST, SECOND), SEPARATION, KINGDOMS)["checks"]
    examples: list[str] = checks["records in another kingdom than their taxon"]["examples"]
    return examples


def test_repairs_are_counted_also_for_a_source_in_two_parts() -> None:
    repair = {"repair": "diacritics", "uid": "1", "line": None, "before": "", "after": ""}
    repairs = pa.Table.from_pylist([repair, repair | {"repair": "cycle"}], REPAIRS)
    parts = [Records("a", source("a", Row(uid, "", "Aus")).taxa, repairs=repairs) for uid in ("1", "2")]
    assert figures(*parts)["repairs"] == {"a": {"cycle": 2, "diacritics": 2}}


def test_the_text_says_what_the_figures_say(found: dict[str, Any]) -> None:
    text = build_text(json.loads(json.dumps(found)))
    assert text.startswith(f"{found['taxa']['all']:,} taxa from 2 sources\n")
    assert "2 names in several kingdoms\n    Ficus: Animalia, Plantae\n" in text
    assert "    no class of Ficidae: Gastropoda (b)" in text
    assert "2 of 3 divisions found in a source\n    in none: life\n" in text
    assert "ids, all new: there is no previous release\n" in text
    assert all(line == line.rstrip() for line in text.splitlines())


@settings(max_examples=30)
@given(rows(), rows())
def test_any_build_has_a_report(one: tuple[Row, ...], two: tuple[Row, ...]) -> None:
    found = figures(source("a", *one), source("b", *two))
    assert {prefix: sum(fates.values()) for prefix, fates in found["fates"].items()} == {
        "a": len(one),
        "b": len(two),
    }
    assert build_text(json.loads(json.dumps(found))).endswith("\n")
