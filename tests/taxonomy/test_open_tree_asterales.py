"""The Open Tree's Asterales: every record and every taxon as its own program has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from open_tree_files import read_open_tree, read_rows

from tol_luigi.taxonomy.flags import Flag, flags_text
from tol_luigi.taxonomy.ranks import rank_of
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.tree import Tree
from tol_luigi.taxonomy.union import Union, build_union

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "golden" / "taxonomy"


@pytest.fixture(scope="module")
def union(folder: Path) -> Union:
    separation, *sources = (
        read_open_tree(folder / name, prefix)
        for name, prefix in [("separation", "separation"), ("ncbi_aster", "ncbi"), ("gbif_aster", "gbif")]
    )
    return build_union(sources, separation, refine=Refine.OTT, heuristics=Heuristics.OTT)


def keys(union: Union) -> list[str]:
    """Return the origin of every taxon, or its name if it is one of the separation list."""
    pairs = zip(union.sources.to_pylist(), union.name.to_pylist(), strict=True)
    return [sources[0] if sources else name for sources, name in pairs]


def test_every_record_of_gbif_has_its_fate(union: Union, folder: Path) -> None:
    taxa = keys(union)
    found = {
        row["source_id"]: (
            taxa[row["taxon"]] if row["fate"] == "aligned" else "",
            "" if row["score"] is None else str(row["score"]),
            row["reason"],
        )
        for row in union.xref.to_pylist()
        if row["source"] == "gbif"
    }
    wanted = {
        row["source_id"]: (row["target_qid"], row["value"], row["reason"])
        for row in read_rows(folder / "aster_align_gbif.tsv.gz")
    }
    assert found == wanted
    assert len(wanted) == 11_221


def test_every_taxon_has_its_parent_name_rank_and_flags(union: Union, folder: Path) -> None:
    taxa = keys(union)
    # the Open Tree's program has not inferred sibling_higher for this file
    flags = [flags_text(each & ~Flag.SIBLING_HIGHER) for each in union.flags.tolist()]
    above = [taxa[row] if row >= 0 else "" for row in union.parent.tolist()]
    columns = (above, union.name.to_pylist(), union.rank.to_pylist(), flags)
    found = dict(zip(taxa, zip(*columns, strict=True), strict=True))
    rows = list(read_rows(folder / "aster_union_taxonomy.tsv.gz"))
    own = {row["uid"]: row["sourceinfo"].split(",")[0] or row["name"] for row in rows}
    wanted = {
        own[row["uid"]]: (
            own.get(row["parent_uid"], ""),
            row["name"],
            rank_of(row["rank"]),
            ",".join(sorted(row["flags"].split(","))),
        )
        for row in rows
    }
    assert found == wanted
    assert len(found) == len(taxa) == len(rows) == 23_020


def test_every_taxon_has_its_identifiers(union: Union, folder: Path) -> None:
    found = {sources[0]: {*sources} for sources in union.sources.to_pylist() if sources}
    rows = read_rows(folder / "aster_union_taxonomy.tsv.gz")
    wanted = [row["sourceinfo"].split(",") for row in rows if row["sourceinfo"]]
    assert found == {sources[0]: {*sources} for sources in wanted}


@pytest.fixture(scope="module")
def strict_union(folder: Path) -> tuple[Union, Tree]:
    """Return the union as it is by default, and its tree before GBIF was added."""
    union = Union.start(read_open_tree(folder / "separation", "separation"))
    union.add(read_open_tree(folder / "ncbi_aster", "ncbi"))
    before = Tree(union.parent)
    union.add(read_open_tree(folder / "gbif_aster", "gbif"))
    return union, before


def test_no_taxon_of_ncbi_loses_its_parent_to_gbif(strict_union: tuple[Union, Tree]) -> None:
    union, before = strict_union
    after = Tree(union.parent)
    rows = np.flatnonzero(before.parent >= 0)
    above = before.parent[rows]

    assert (after.pre[above] < after.pre[rows]).all()
    assert (after.pre[rows] < after.pre[above] + after.size[above]).all()
    assert len(after) > len(before)


def test_gbif_added_again_changes_nothing(strict_union: tuple[Union, Tree], folder: Path) -> None:
    union = strict_union[0]
    before = union.parent, union.flags, union.sources, union.synonyms, union.xref

    union.add(read_open_tree(folder / "gbif_aster", "gbif"))

    parent, flags, *tables = union.parent, union.flags, union.sources, union.synonyms, union.xref
    assert np.array_equal(parent, before[0])
    assert np.array_equal(flags, before[1])
    assert all(one.equals(other) for one, other in zip(tables, before[2:], strict=True))
