"""Laws of unions, for any taxonomies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_taxonomies import SEPARATION, sources, taxonomies

from tol_luigi.taxonomy.flag_inference import INFERRED
from tol_luigi.taxonomy.flags import TOMBSTONES
from tol_luigi.taxonomy.products import Fate
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.records import NAMES, TAXA, Records
from tol_luigi.taxonomy.tree import Tree
from tol_luigi.taxonomy.union import Union, build_union

MODES = st.fixed_dictionaries({"refine": st.sampled_from(Refine), "heuristics": st.sampled_from(Heuristics)})


def contents(union: Union) -> dict[str, Any]:
    """Return all that a union says, to compare unions."""
    tables = (union.synonyms, union.xref, union.conflicts, union.vernaculars, union.forwards)
    columns = (union.name, union.rank, union.code, union.authorship, union.sources)
    return {
        "parent": union.parent.tolist(),
        "flags": union.flags.tolist(),
        "columns": [column.to_pylist() for column in columns],
        "tables": [table.to_pylist() for table in tables],
    }


@settings(max_examples=50)
@given(sources(), MODES)
def test_a_union_is_one_tree(records: list[Records], mode: dict[str, Any]) -> None:
    union = build_union(records, SEPARATION, **mode)

    tree = Tree(union.parent)
    assert len(tree.roots) == 1
    assert tree.depth.min() == 0


@settings(max_examples=50)
@given(sources(), MODES)
def test_tombstones_have_no_children(records: list[Records], mode: dict[str, Any]) -> None:
    union = build_union(records, SEPARATION, **mode)

    tree = Tree(union.parent)
    assert tree.is_tip[(union.flags & np.uint32(TOMBSTONES)) != 0].all()


@settings(max_examples=50)
@given(sources(), MODES)
def test_every_record_has_one_fate(records: list[Records], mode: dict[str, Any]) -> None:
    rows = build_union(records, SEPARATION, **mode).xref.to_pylist()

    fates = Counter((row["source"], row["source_id"]) for row in rows)
    assert fates == Counter((each.prefix, uid) for each in records for uid in each.taxa["uid"].to_pylist())
    assert {row["fate"] for row in rows} <= set(Fate)
    assert all((row["taxon"] is None) == (row["fate"] in (Fate.DROPPED, Fate.EXCLUDED)) for row in rows)


@settings(max_examples=50)
@given(sources(), MODES)
def test_every_new_taxon_has_one_origin(records: list[Records], mode: dict[str, Any]) -> None:
    union = build_union(records, SEPARATION, **mode)

    kinds = {Fate.NEW, Fate.REFINEMENT, Fate.ABSORBED, Fate.INCONSISTENT}
    origins = Counter(row["taxon"] for row in union.xref.to_pylist() if row["fate"] in kinds)
    assert origins == Counter(range(len(SEPARATION.taxa), len(union)))


@settings(max_examples=50)
@given(sources(), MODES)
def test_the_first_identifier_is_that_of_the_source_with_the_highest_priority(
    records: list[Records], mode: dict[str, Any]
) -> None:
    union = build_union(records, SEPARATION, **mode)

    written = {
        (each.prefix, row["uid"]): (row["sources"] or f"{each.prefix}:{row['uid']}").split(",")
        for each in records
        for row in each.taxa.to_pylist()
    }
    expected: dict[int, list[str]] = {}
    for row in union.xref.to_pylist():  # in order of priority
        if row["taxon"] is not None:
            expected.setdefault(row["taxon"], []).extend(written[row["source"], row["source_id"]])
    found = {taxon: curies for taxon, curies in enumerate(union.sources.to_pylist()) if curies}
    assert found == {taxon: list(dict.fromkeys(curies)) for taxon, curies in expected.items()}


@settings(max_examples=50)
@given(sources(), st.sampled_from(Heuristics))
def test_strict_unions_keep_taxa_below_their_parents(records: list[Records], heuristics: Heuristics) -> None:
    union = Union.start(SEPARATION, heuristics=heuristics)
    for each in records:
        before = union._forest.tree
        union.add(each)
        after = union._forest.tree
        rows = np.flatnonzero(before.parent >= 0)
        above = before.parent[rows]
        inside = (after.pre[above] < after.pre[rows]) & (
            after.pre[rows] < after.pre[above] + after.size[above]
        )
        assert inside.all()


@settings(max_examples=50)
@given(sources(2), MODES)
def test_taxa_keep_their_names_and_rows(records: list[Records], mode: dict[str, Any]) -> None:
    union = build_union(records[:1], SEPARATION, **mode)
    before = union.name.to_pylist()

    union.add(records[1])

    assert union.name.to_pylist()[: len(before)] == before


@settings(max_examples=50)
@given(sources(2))
def test_a_source_that_is_added_again_changes_nothing(records: list[Records]) -> None:
    once, twice = (build_union([*records, *again], SEPARATION) for again in ([], records[-1:]))

    assert contents(twice) == contents(once)


def as_records(union: Union) -> Records:
    """Return a union as a source, with the identifiers of its taxa."""
    rows = [str(row) for row in range(len(union))]
    sources = [",".join(curies) for curies in union.sources.to_pylist()]
    for row, uid in enumerate(SEPARATION.taxa["uid"].to_pylist()):
        sources[row] = ",".join(filter(None, [f"separation:{uid}", sources[row]]))
    own = union.flags & ~np.uint32(INFERRED)
    columns = {
        "uid": rows,
        "parent": [str(row) if row >= 0 else None for row in union.parent.tolist()],
        "name": union.name,
        "authorship": union.authorship,
        "rank": union.rank,
        "code": union.code,
        "flags": own,
        "sources": sources,
    }
    names = union.synonyms
    synonyms = {"uid": [str(row) for row in names["taxon"].to_pylist()]}
    synonyms |= {name: names[name] for name in ("name", "authorship", "type")}
    return Records("union", pa.table(columns, schema=TAXA), pa.table(synonyms, schema=NAMES))


@settings(max_examples=50)
@given(sources(2))
def test_a_union_that_is_added_to_itself_stays(records: list[Records]) -> None:
    union = build_union(records, SEPARATION)
    before = contents(union)

    union.add(as_records(union))

    after = contents(union)
    assert after["parent"] == before["parent"]
    assert after["flags"] == before["flags"]
    assert after["columns"][:4] == before["columns"][:4]


def shuffled(records: Records, seed: int) -> Records:
    """Return the same records in another order."""
    generator = np.random.default_rng(seed)
    tables = (records.taxa, records.names, records.vernaculars)
    taxa, names, vernaculars = (table.take(generator.permutation(len(table))) for table in tables)
    return replace(records, taxa=taxa, names=names, vernaculars=vernaculars)


@settings(max_examples=50)
@given(sources(2), MODES, st.integers(0, 9))
def test_the_order_of_records_does_not_matter(
    records: list[Records], mode: dict[str, Any], seed: int
) -> None:
    one = build_union(records, SEPARATION, **mode)
    other = build_union([shuffled(each, seed) for each in records], shuffled(SEPARATION, seed), **mode)

    assert contents(other) == contents(one)


@settings(max_examples=50)
@given(taxonomies("a"), MODES)
def test_informal_names_are_never_aligned(records: Records, mode: dict[str, Any]) -> None:
    other = replace(
        records, prefix="b", taxa=records.taxa.set_column(7, TAXA.field(7), [[""] * len(records.taxa)])
    )
    rows = build_union([records, other], SEPARATION, **mode).xref.to_pylist()

    assert {row["fate"] for row in rows if " sp. " in row["name"] and row["source"] == "b"} <= {Fate.NEW}


@pytest.mark.parametrize("refine", Refine)
def test_an_empty_source_adds_nothing(refine: Refine) -> None:
    union = build_union([Records("empty", TAXA.empty_table())], SEPARATION, refine=refine)

    assert len(union) == len(SEPARATION.taxa)
    assert union.xref.num_rows == 0
