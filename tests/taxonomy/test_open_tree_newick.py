"""The Open Tree's small cases: what it makes of two trees, and what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from open_tree_files import read_newick_cases, read_open_tree

from tol_luigi.taxonomy.flags import INCERTAE_SEDIS, TOMBSTONES, flags_text
from tol_luigi.taxonomy.newick import read_newick, write_newick
from tol_luigi.taxonomy.reasons import Heuristics, Refine
from tol_luigi.taxonomy.records import TAXA, Records
from tol_luigi.taxonomy.union import Union, build_union

if TYPE_CHECKING:
    from pathlib import Path

    from open_tree_files import NewickCase

NO_SEPARATION = Records("separation", TAXA.empty_table())


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "golden" / "taxonomy"


@pytest.fixture(scope="module")
def merges(folder: Path) -> list[NewickCase]:
    return read_newick_cases(folder / "newick_cases.txt")[0]


def merged(case: NewickCase, separation: Records = NO_SEPARATION, **options: object) -> Union:
    trees = [read_newick(case.first, "first"), read_newick(case.second, "second")]
    return build_union(trees, separation, **options)


def tree(union: Union, *, tombstones: bool = False) -> str:
    return write_newick(
        union.parent.tolist(), union.name.to_pylist(), union.flags.tolist(), tombstones=tombstones
    )


def in_order(newick: str) -> str:
    taxa = read_newick(newick).taxa
    rows = {uid: row for row, uid in enumerate(taxa["uid"].to_pylist())}
    parent = [rows.get(uid, -1) for uid in taxa["parent"].to_pylist()]
    return write_newick(parent, taxa["name"].to_pylist())


def answers(union: Union) -> list[tuple[str, str, str]]:
    names = union.name.to_pylist()
    return sorted(
        (row["name"], names[row["taxon"]], row["reason"])
        if row["reason"] != "none" and row["fate"] == "aligned"
        else (row["name"], row["name"] if row["reason"] != "none" else "", row["reason"])
        for row in union.xref.to_pylist()
        if row["source"] == "second"
    )


@pytest.mark.parametrize("heuristics", Heuristics)
@pytest.mark.parametrize("refine", Refine)
def test_the_nine_expectations_hold(merges: list[NewickCase], refine: Refine, heuristics: Heuristics) -> None:
    wanted = [case for case in merges if case.want]

    found = [tree(merged(case, refine=refine, heuristics=heuristics)) for case in wanted]

    assert found == [in_order(case.want) for case in wanted]
    assert len(wanted) == 9


def test_merges_are_those_of_the_open_tree_in_its_mode(merges: list[NewickCase]) -> None:
    unions = [merged(case, refine=Refine.OTT, heuristics=Heuristics.OTT) for case in merges]

    assert [tree(union, tombstones=True) for union in unions] == [in_order(case.result) for case in merges]
    assert [answers(union) for union in unions] == [sorted(case.align) for case in merges]
    shown = int(TOMBSTONES | INCERTAE_SEDIS)
    flags = [
        {
            name: flags_text(flag & shown)
            for name, flag in zip(union.name.to_pylist(), union.flags.tolist(), strict=True)
        }
        for union in unions
    ]
    assert [{name: text for name, text in each.items() if text} for each in flags] == [
        case.flags for case in merges
    ]


@pytest.mark.parametrize("heuristic", ["separation", "lineage", "overlap", "proximity"])
def test_each_heuristic_decides_its_case(folder: Path, heuristic: str) -> None:
    case = read_newick_cases(folder / "newick_cases.txt")[1][heuristic]
    separation = read_open_tree(folder / "separation", "separation")

    union = merged(case, separation, refine=Refine.OTT, heuristics=Heuristics.OTT)

    # the Open Tree finds the root by its name, too, but calls that "confirmed"
    wanted = [answer if answer[0] != "life" else ("life", "life", "division name") for answer in case.align]
    assert answers(union) == sorted(wanted)


def test_strict_refinement_takes_no_taxon_from_its_parent() -> None:
    first, second = "((Wr,Wj,Wg)W)z;", "((Wr,Wt)W,(Wj)N)z;"
    trees = [read_newick(first, "first"), read_newick(second, "second")]

    strict, ott = (tree(build_union(trees, NO_SEPARATION, refine=refine)) for refine in Refine)

    assert strict == in_order("((Wr,Wj,Wg,Wt)W)z;")
    assert ott == in_order("((Wj)N,(Wg,Wr,Wt)W)z;")
