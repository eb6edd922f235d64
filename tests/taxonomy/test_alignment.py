"""What decides between homonyms: the identifiers, authorships and codes that the Open Tree does not use, and clades."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tol_luigi.core.errors import SourceError
from tol_luigi.taxonomy.authorship import authorship_of
from tol_luigi.taxonomy.clades import only_clades, without_clades
from tol_luigi.taxonomy.flag_inference import infer_flags
from tol_luigi.taxonomy.flags import Flag, flags_text
from tol_luigi.taxonomy.newick import read_newick, write_newick
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.reasons import Heuristics
from tol_luigi.taxonomy.records import NAMES, TAXA, Records
from tol_luigi.taxonomy.tree import Tree
from tol_luigi.taxonomy.union import Union, build_union

NOTHING = Records("separation", TAXA.empty_table())


def taxa(prefix: str, *rows: dict[str, object], synonyms: dict[str, str] | None = None) -> Records:
    """Return taxa that are numbered from 1; synonyms are given by number."""
    usual = {"parent": None, "authorship": "", "rank": "", "code": "", "flags": 0, "sources": ""}
    numbered = [{**usual, "uid": str(number), **row} for number, row in enumerate(rows, start=1)]
    names = [
        {"uid": uid, "name": name, "authorship": "", "type": "synonym"}
        for uid, name in (synonyms or {}).items()
    ]
    return Records(prefix, pa.Table.from_pylist(numbered, TAXA), pa.Table.from_pylist(names, NAMES))


def last(union: Union) -> dict[str, object]:
    """Return what became of the last record."""
    row = union.xref.to_pylist()[-1]
    sources = union.sources.to_pylist()
    return {
        "taxon": None if row["taxon"] is None else sources[row["taxon"]][0],
        **{key: row[key] for key in ("fate", "reason", "score")},
    }


TWO_AGATHIS = taxa(
    "first",
    {"name": "Agathis", "authorship": "Latreille, 1804", "code": "zoological", "rank": "genus"},
    {"name": "Agathis", "authorship": "Salisb.", "code": "botanical", "rank": "genus"},
)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            {"authorship": "(Latr., 1804)"},
            {"taxon": "first:1", "fate": "aligned", "reason": "by authorship", "score": 3},
            id="the author, abbreviated, and the year",
        ),
        pytest.param(
            {"code": "botanical"},
            {"taxon": "first:2", "fate": "aligned", "reason": "nomenclatural code", "score": 3},
            id="the code rejects the other one, and the name is the same",
        ),
        pytest.param(
            {"code": "bacterial"},
            {"taxon": "second:1", "fate": "new", "reason": "nomenclatural code", "score": -3},
            id="the code rejects both",
        ),
        pytest.param(
            {},
            {"taxon": None, "fate": "dropped", "reason": "ambiguous tip", "score": 0},
            id="nothing decides",
        ),
        pytest.param(
            {"sources": "first:2"},
            {"taxon": "first:2", "fate": "aligned", "reason": "source id", "score": 3},
            id="the identifier",
        ),
        pytest.param(
            {"flags": int(Flag.INFORMAL)},
            {"taxon": "second:1", "fate": "new", "reason": "informal name", "score": None},
            id="an informal name has no candidates",
        ),
        pytest.param(
            {"flags": int(Flag.WAS_CONTAINER)},
            {"taxon": None, "fate": "excluded", "reason": "container", "score": None},
            id="a container is no taxon",
        ),
    ],
)
def test_homonyms(record: dict[str, object], expected: dict[str, object]) -> None:
    second = taxa("second", {"name": "Agathis", "rank": "genus", **record})

    union = build_union([TWO_AGATHIS, second], NOTHING)

    assert last(union) == expected


def test_the_open_tree_does_not_look_at_authorships() -> None:
    second = taxa("second", {"name": "Agathis", "authorship": "Latreille, 1804", "rank": "genus"})

    union = build_union([TWO_AGATHIS, second], NOTHING, heuristics=Heuristics.OTT)

    assert last(union)["reason"] == "ambiguous tip"


def test_another_ending_of_an_epithet_finds_the_taxon_if_no_name_does() -> None:
    union = build_union([taxa("first", {"name": "Aus bona"}), taxa("second", {"name": "Aus bonus"})], NOTHING)

    assert last(union)["taxon"] == "first:1"
    assert union.synonyms.to_pylist() == [
        {"taxon": 0, "name": "Aus bonus", "authorship": "", "type": "synonym", "source": "second"}
    ]


def test_a_synonym_of_either_side_finds_the_taxon() -> None:
    first = taxa("first", {"name": "Aus novus"}, synonyms={"1": "Bus novus"})
    second = taxa("second", {"name": "Cus novus"}, synonyms={"1": "Bus novus"})

    union = build_union([first, second], NOTHING)

    assert last(union)["taxon"] == "first:1"
    assert union.synonyms["name"].to_pylist() == ["Bus novus", "Cus novus"]


@pytest.mark.parametrize(
    ("text", "surnames", "year"),
    [
        ("(Linnaeus, 1758)", {"linnaeus"}, 1758),
        ("L. ex Mill.", {"l.", "mill."}, None),
        ("De Geer, 1773", {"geer"}, 1773),
        ("Herrich-Schäffer 1851", {"herrich-schaffer"}, 1851),
        ("Jordan & Evermann, 1898", {"jordan", "evermann"}, 1898),
        ("J.E. Smith", {"smith"}, None),
        ("", set(), None),
    ],
)
def test_authorship(text: str, surnames: set[str], year: int | None) -> None:
    found = authorship_of(text)

    assert (found.surnames, found.year) == (surnames, year)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("L.", "Linnaeus, 1758", True),
        ("Fabr.", "(Fabricius, 1775)", True),
        ("(L.) Mill.", "Mill.", True),
        ("Miller", "Mill.", True),
        ("Smith", "Smithers", False),
        ("Latreille, 1804", "Salisb.", False),
    ],
)
def test_authors_are_the_same_if_one_abbreviates_the_other(one: str, other: str, same: bool) -> None:
    assert authorship_of(one).shares_author(authorship_of(other)) is same


LIFE = read_newick("((c,d)Fungi,((e,f)b,Fungi)Plantae)life;", "source")


def newick(records: Records) -> str:
    rows = {uid: row for row, uid in enumerate(records.taxa["uid"].to_pylist())}
    parent = [rows.get(uid, -1) for uid in records.taxa["parent"].to_pylist()]
    return write_newick(parent, records.taxa["name"].to_pylist())


def test_a_source_is_split_into_a_clade_and_the_rest() -> None:
    assert newick(only_clades(LIFE, ["Fungi"])) == "(c,d)Fungi;"
    assert newick(without_clades(LIFE, ["Fungi"])) == "((Fungi,(e,f)b)Plantae)life;"


def test_a_clade_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"^source: no taxon, or more than one, is the clade 'Animalia'\."):
        only_clades(LIFE, ["Animalia"])


@pytest.mark.parametrize(
    ("parents", "problem"),
    [
        pytest.param([None, "9"], "record 2 has the parent 9, which does not exist", id="no parent"),
        pytest.param(["2", "1"], "record 1 is its own ancestor", id="cycle"),
    ],
)
def test_records_that_are_no_tree_are_an_error(parents: list[str | None], problem: str) -> None:
    records = taxa("source", *({"name": "Aus", "parent": parent} for parent in parents))

    with pytest.raises(SourceError, match=rf"^source: {problem}\. Normalise "):
        build_union([records], NOTHING)


@pytest.mark.parametrize("text", ["(a,b", "a)b;", "(a,b);", "(a b]c;"])
def test_a_text_that_is_no_tree_of_names_is_an_error(text: str) -> None:
    with pytest.raises(SourceError, match=r"^newick: this is not a Newick tree of names: "):
        read_newick(text)


def test_newick_has_names_and_ranks() -> None:
    rows = read_newick("('it''s',Species=Aus_bus:0.1)Genus=Aus[note];").taxa.to_pylist()

    assert [(row["name"], row["rank"], row["parent"]) for row in rows] == [
        ("it's", "", "3"),
        ("Aus bus", "species", "3"),
        ("Aus", "genus", None),
    ]


@pytest.mark.parametrize(
    ("newick", "flags", "expected"),
    [
        pytest.param(
            "((Species=a)Genus=b)c;",
            {"b": Flag.UNPLACED},
            {"a": "unplaced_inherited", "b": "unplaced"},
            id="inherited",
        ),
        pytest.param("((Subspecies=a)Species=b)c;", {}, {"a": "infraspecific"}, id="below a species"),
        pytest.param("((Genus=a)Family=b,d)c;", {}, {"a": "barren", "b": "barren"}, id="no species"),
        pytest.param(
            "((Species=a,Species=d)Genus=b)c;",
            {"a": Flag.EXTINCT, "d": Flag.EXTINCT},
            {"a": "extinct", "d": "extinct", "b": "extinct_inherited", "c": "extinct_inherited"},
            id="all children are extinct",
        ),
        pytest.param(
            "((Species=a,Species=d)Genus=b)c;", {"a": Flag.EXTINCT}, {"a": "extinct"}, id="one is alive"
        ),
        pytest.param(
            "((Species=a)Family=b,(Species=e)Genus=d)c;", {}, {"d": "sibling_higher"}, id="a higher sibling"
        ),
    ],
)
def test_inferred_flags(newick: str, flags: dict[str, Flag], expected: dict[str, str]) -> None:
    records = read_newick(newick)
    rows = {uid: row for row, uid in enumerate(records.taxa["uid"].to_pylist())}
    names = records.taxa["name"].to_pylist()
    tree = Tree(np.array([rows.get(uid, -1) for uid in records.taxa["parent"].to_pylist()], dtype=np.int32))
    rank = np.array([LEVELS.get(text, 0) for text in records.taxa["rank"].to_pylist()], dtype=np.int16)

    found = infer_flags(tree, rank, np.array([flags.get(name, 0) for name in names], dtype=np.uint32))

    texts = dict(zip(names, map(flags_text, found.tolist()), strict=True))
    assert {name: text for name, text in texts.items() if text} == expected
