"""From sources to the tables of a release, and from release to release."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from drawn_sources import KINGDOMS, SEPARATION, Row, rows, source, united
from hypothesis import given, settings
from open_tree_files import read_open_tree, read_rows

from tol_luigi.taxonomy.finish import finished
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.ott_files import write_text_files
from tol_luigi.taxonomy.patched_union import Changes, PatchedUnion
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.union import build_union

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.products import ReferenceTables
    from tol_luigi.taxonomy.records import Records


def release(*given: Records, previous: ReferenceTables | None = None) -> ReferenceTables:
    return finished(united(*given), kingdoms=KINGDOMS, previous=previous)


def ids(tables: ReferenceTables) -> dict[str, int | None]:
    """Return the id of the taxon of each record."""
    columns = (tables.xref[name].to_pylist() for name in ("source", "source_id", "tol_id"))
    return {f"{prefix}:{uid}": tol_id for prefix, uid, tol_id in zip(*columns, strict=True)}


def records_of_taxa(tables: ReferenceTables) -> dict[int, frozenset[str]]:
    """Return the records of each taxon that has any."""
    found: dict[int, set[str]] = {}
    for record, tol_id in ids(tables).items():
        if tol_id is not None:
            found.setdefault(tol_id, set()).add(record)
    return {tol_id: frozenset(records) for tol_id, records in found.items()}


ANIMALS = source(
    "a",
    Row("1", "", "Animalia", "kingdom"),
    Row("2", "1", "Chordata", "phylum"),
    Row("3", "2", "Felidae", "family"),
    Row("4", "3", "Felis", "genus"),
    Row("5", "4", "Felis catus", "species", ("Felis domesticus",), ("house cat", "cat")),
)
MORE = source(
    "b",
    Row("x", "", "Felidae", "family"),
    Row("y", "x", "Lynx", "genus"),
    Row("z", "x", "Felis", "genus"),
    Row("w", "z", "Felis domesticus", "species", (), ("domestic cat",)),
)


def test_a_release_contains_the_tree_in_preorder_with_seven_ranks() -> None:
    taxa = release(ANIMALS, MORE).taxa
    assert taxa["name"].to_pylist() == [
        "life",
        "Animalia",
        "Chordata",
        "Felidae",
        "Felis",
        "Felis catus",
        "Lynx",
        "Metazoa",
        "Viridiplantae",
    ]
    assert taxa["tol_id"].to_pylist() == list(range(1, 10))
    cat = taxa.slice(5, 1).to_pylist()[0]
    assert cat["sources"] == "a:5,b:w"
    assert cat["parent"] == 5
    assert [cat[rank] for rank in ("kingdom", "class", "family", "species")] == [
        "Animalia",
        "",
        "Felidae",
        "Felis catus",
    ]


def test_names_vernaculars_and_records_have_the_id_of_their_taxon() -> None:
    tables = release(ANIMALS, MORE)
    names = tables.names.filter(pc.equal(tables.names["tol_id"], 6))
    assert names.select(["name", "type", "source"]).to_pylist() == [
        {"name": "Felis catus", "type": "accepted", "source": "a"},
        {"name": "Felis domesticus", "type": "synonym", "source": "a"},
    ]
    assert tables.vernaculars["tol_id"].to_pylist() == [6, 6, 6]
    assert tables.vernaculars["name"].to_pylist() == ["domestic cat", "house cat", "cat"]
    assert ids(tables)["b:w"] == ids(tables)["a:5"] == 6


@settings(max_examples=40)
@given(rows(), rows())
def test_tables_account_for_every_record_and_every_taxon(one: tuple[Row, ...], two: tuple[Row, ...]) -> None:
    tables = release(source("a", *one), source("b", *two))
    ours = tables.taxa["tol_id"].to_pylist()
    assert len(set(ours)) == len(ours)
    assert {*tables.taxa["parent"].to_pylist()} <= {None, *ours}
    assert tables.taxa["parent"].null_count == 1

    records = Counter(zip(*(tables.xref[name].to_pylist() for name in ("source", "source_id")), strict=True))
    wanted = Counter([*(("a", row.uid) for row in one), *(("b", row.uid) for row in two)])
    assert records == wanted
    assert {*tables.xref["tol_id"].to_pylist()} <= {None, *ours}
    fates = Counter(tables.xref["fate"].to_pylist())
    assert sum(fates.values()) == len(one) + len(two)

    accepted = tables.names.filter(pc.equal(tables.names["type"], "accepted"))
    assert accepted["tol_id"].to_pylist() == ours
    assert accepted["name"].to_pylist() == tables.taxa["name"].to_pylist()
    assert {*tables.names["tol_id"].to_pylist()} <= {*ours}
    shown = [
        unique or name
        for unique, name in zip(*(tables.taxa[c].to_pylist() for c in ("unique_name", "name")), strict=True)
    ]
    lost = tables.taxa["flags"].to_numpy() & (Flag.MERGED | Flag.INCONSISTENT)
    visible = [text for text, flag in zip(shown, lost, strict=True) if not flag]
    assert len(set(visible)) == len(visible)


@settings(max_examples=40)
@given(rows(), rows())
def test_the_order_of_rows_does_not_matter(one: tuple[Row, ...], two: tuple[Row, ...]) -> None:
    tables = release(source("a", *one), source("b", *two))
    again = release(source("a", *one[::-1]), source("b", *two[::-1]))
    for name in ("taxa", "names", "xref", "conflicts", "vernaculars"):
        assert getattr(tables, name).equals(getattr(again, name)), name


@settings(max_examples=40)
@given(rows(), rows())
def test_a_release_built_again_keeps_every_id(one: tuple[Row, ...], two: tuple[Row, ...]) -> None:
    sources = source("a", *one), source("b", *two)
    first = release(*sources)
    second = release(*sources, previous=first)
    assert second.taxa.equals(first.taxa)
    assert len(second.forwards) == len(second.deprecated) == 0
    assert second.about["ids"]["new"] == 0  # type: ignore[index]


@settings(max_examples=60)
@given(rows(), rows(), rows(), rows())
def test_no_id_is_lost_and_none_is_used_for_two_taxa(
    one: tuple[Row, ...], two: tuple[Row, ...], later: tuple[Row, ...], latest: tuple[Row, ...]
) -> None:
    first = release(source("a", *one), source("b", *two))
    second = release(source("a", *later), source("b", *two), previous=first)
    third = release(source("a", *later), source("b", *latest), previous=second)
    used: set[int] = set()
    for before, after in ((first, second), (second, third)):
        used |= {*before.taxa["tol_id"].to_pylist()}
        live = after.taxa["tol_id"].to_pylist()
        forwards = dict(
            zip(*(after.forwards[name].to_pylist() for name in ("id", "replacement")), strict=True)
        )
        deprecated = after.deprecated["id"].to_pylist()
        assert len(set(live)) == len(live)
        assert len(set(deprecated)) == len(deprecated)
        assert used <= {*live, *deprecated}
        assert forwards.keys() <= {*deprecated}
        assert {*deprecated}.isdisjoint(live)
        assert {*forwards.values()} <= {*live}
        assert all(new > max(used) for new in live if new not in used)

        known = {records: tol_id for tol_id, records in records_of_taxa(before).items()}
        for tol_id, records in records_of_taxa(after).items():
            assert known.get(records, tol_id) == tol_id, "a taxon with the same records has another id"


def test_ids_follow_their_records_whatever_their_names() -> None:
    first = release(ANIMALS, MORE)
    renamed = source(
        "a",
        Row("1", "", "Animalia", "kingdom"),
        Row("3", "1", "Feliformia", "family"),
        Row("4", "3", "Felis", "genus"),
        Row("5", "4", "Felis silvestris", "species"),
        Row("2", "1", "Craniata", "phylum"),
    )
    second = release(renamed, previous=first)
    assert {key: ids(second)[key] for key in ("a:1", "a:2", "a:3", "a:4", "a:5")} == {
        key: ids(first)[key] for key in ("a:1", "a:2", "a:3", "a:4", "a:5")
    }


def test_an_id_that_its_source_replaces_is_forwarded() -> None:
    first = release(
        source(
            "a",
            Row("1", "", "Aus", "genus"),
            Row("2", "1", "Aus bus", "species"),
            Row("3", "1", "Aus ca", "species"),
        )
    )
    second = release(
        source("a", Row("1", "", "Aus", "genus"), Row("2", "1", "Aus bus", "species"), given_up=[("3", "2")]),
        previous=first,
    )
    old, new = ids(first)["a:3"], ids(first)["a:2"]
    assert second.forwards.to_pylist() == [{"id": old, "replacement": new}]
    assert second.deprecated.to_pylist() == [
        {
            "id": old,
            "size": 1,
            "name": "Aus ca",
            "sourceinfo": "a:3",
            "reason": "merged",
            "witness": "Aus bus",
            "replacement": str(new),
            "status": "forwarded",
        }
    ]


def test_ids_follow_names_where_records_have_new_identifiers() -> None:
    first = release(ANIMALS)
    renumbered = source(
        "c",
        *(
            Row(f"n{row['uid']}", f"n{row['parent']}" if row["parent"] else "", row["name"], row["rank"])
            for row in ANIMALS.taxa.to_pylist()
        ),
    )
    second = release(renumbered, previous=first)
    assert {key: ids(second)[f"c:n{key}"] for key in "12345"} == {
        key: ids(first)[f"a:{key}"] for key in "12345"
    }
    assert second.about["ids"]["new"] == 0  # type: ignore[index]


def test_an_id_comes_back_with_its_record() -> None:
    with_lynx, without = (
        source("b", Row("x", "", "Felidae", "family"), Row("y", "x", "Lynx", "genus")),
        source("b", Row("x", "", "Felidae", "family")),
    )
    first = release(ANIMALS, with_lynx)
    second = release(ANIMALS, without, previous=first)
    assert second.deprecated.select(["id", "reason", "status"]).to_pylist() == [
        {"id": ids(first)["b:y"], "reason": "name-retired", "status": "retired"}
    ]
    third = release(ANIMALS, with_lynx, previous=second)
    assert ids(third) == ids(first)
    assert len(third.deprecated) == 0


def test_a_union_without_sources_is_a_release() -> None:
    tables = finished(build_union([], SEPARATION), kingdoms=KINGDOMS)
    assert tables.taxa["name"].to_pylist() == ["life", "Metazoa", "Viridiplantae"]
    assert tables.taxa["kingdom"].to_pylist() == ["", "Animalia", "Plantae"]


def test_the_taxonomy_of_asterales_is_written_as_the_open_tree_does(shared: Path, tmp_path: Path) -> None:
    folder = shared / "golden" / "taxonomy"
    separation, *asterales = (
        read_open_tree(folder / name, prefix)
        for name, prefix in (("separation", "separation"), ("ncbi_aster", "ncbi"), ("gbif_aster", "gbif"))
    )
    union = build_union(asterales, separation, refine=Refine.OTT, heuristics=Heuristics.OTT)
    write_text_files(tmp_path, finished(union, kingdoms=KINGDOMS))

    ours = compared(list(read_rows(tmp_path / "taxonomy.tsv")))
    theirs = compared(list(read_rows(folder / "aster_union_taxonomy.tsv.gz")))
    assert len(ours) == 23020
    assert ours == theirs


def compared(rows: list[dict[str, str]]) -> dict[str, tuple[object, ...]]:
    """Return the rows of ``taxonomy.tsv`` by the origin of their taxon, without their ids.

    The flag ``sibling_higher`` is left out, which the answer lacks. Identifiers are in any order after the origin.
    """
    key = {row["uid"]: row["sourceinfo"].partition(",")[0] or row["name"] for row in rows}
    return {
        key[row["uid"]]: (
            key.get(row["parent_uid"], ""),
            row["name"],
            row["rank"],
            sorted(row["sourceinfo"].split(",")),
            row["uniqname"],
            {*row["flags"].strip("\t|").split(",")} - {"sibling_higher", ""},
        )
        for row in rows
    }


def test_ids_are_kept_where_a_patch_makes_a_synonym() -> None:
    union = united(ANIMALS, MORE)
    names = union.name.to_pylist()
    changes = Changes(
        parents=union.parent.astype(np.int64),
        own_flags=union.flags.copy(),
        ranks={},
        merged={names.index("Lynx"): names.index("Felis")},
        names=(),
    )
    patched = PatchedUnion(union, changes)
    first = finished(union, kingdoms=KINGDOMS)
    second = finished(patched, kingdoms=KINGDOMS, previous=first)
    assert ids(second)["b:y"] == ids(second)["a:4"] == ids(first)["a:4"]
    assert second.forwards.to_pylist() == [{"id": ids(first)["b:y"], "replacement": ids(first)["a:4"]}]
    third = finished(patched, kingdoms=KINGDOMS, previous=second)
    assert third.taxa.equals(second.taxa)
    assert third.forwards.equals(second.forwards)
    assert third.deprecated.equals(second.deprecated)
