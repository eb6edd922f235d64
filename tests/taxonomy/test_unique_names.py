from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import given
from small_union import LIFE, Taxon, Union, trees

from tol_luigi.taxonomy.flags import Flag, flags_of
from tol_luigi.taxonomy.preorder import Preorder
from tol_luigi.taxonomy.unique_names import synonym_names, unique_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def uniques(taxa: Sequence[Taxon], synonyms: Sequence[str] = ()) -> dict[str, str]:
    union = Union(taxa)
    order = Preorder.of(union.parent.astype(np.int64), np.arange(len(taxa)))
    texts = unique_names(
        order,
        union.name,
        ranks=union.rank,
        flags=union.flags,
        origins=pa.array([taxon.origin for taxon in taxa]),
        synonyms=pa.array([*synonyms, *(name for taxon in taxa for name in taxon.synonyms)], pa.string()),
    )
    return {taxon.origin: text for taxon, text in zip(taxa, texts.to_pylist(), strict=True)}


def test_homonyms_have_the_ancestor_that_separates_them() -> None:
    assert {origin: text for origin, text in uniques(LIFE).items() if text} == {
        "a:5": "Ficus (genus in kingdom Metazoa)",
        "a:6": "Ficus variegata (species in kingdom Metazoa)",
        "a:10": "Ficus (genus in Archaeplastida)",
        "a:11": "Ficus variegata (species in Archaeplastida)",
        "b:12": "Sycomorus (merged with Ficus)",
    }


def test_the_lowest_ancestor_is_used_that_separates_from_all() -> None:
    taxa = (
        Taxon("a:1", "", "Animalia", "kingdom"),
        Taxon("a:2", "a:1", "Insecta", "class"),
        Taxon("a:3", "a:2", "Diptera", "order"),
        Taxon("a:4", "a:3", "Agathis", "genus"),
        Taxon("a:5", "a:2", "Hymenoptera", "order"),
        Taxon("a:6", "a:5", "Agathis", "genus"),
        Taxon("a:7", "a:1", "Aves", "class"),
        Taxon("a:8", "a:7", "Agathis", "genus"),
    )
    found = uniques(taxa)
    assert found["a:4"] == "Agathis (genus in order Diptera)"
    assert found["a:6"] == "Agathis (genus in order Hymenoptera)"
    assert found["a:8"] == "Agathis (genus in class Aves)"


def test_siblings_and_nested_homonyms_have_their_origin() -> None:
    taxa = (
        Taxon("a:1", "", "Ranidae", "family"),
        Taxon("a:2", "a:1", "Rana", "genus"),
        Taxon("a:3", "a:2", "Rana", "subgenus"),
        Taxon("a:4", "a:2", "Rana bus", "species"),
        Taxon("b:5", "a:2", "Rana bus", ""),
    )
    found = uniques(taxa)
    assert found["a:2"] == "Rana (genus a:2)"
    assert found["a:3"] == "Rana (subgenus a:3)"
    assert found["a:4"] == "Rana bus (species a:4)"
    assert found["b:5"] == "Rana bus (b:5)"


def test_a_tombstone_makes_no_other_name_ambiguous() -> None:
    taxa = (
        Taxon("a:1", "", "Aidae", "family"),
        Taxon("a:2", "a:1", "Aus", "genus"),
        Taxon("b:3", "a:1", "Aus", "genus", int(Flag.INCONSISTENT)),
        Taxon("b:4", "a:1", "Bus", "genus", int(Flag.MERGED)),
    )
    assert uniques(taxa) == {"a:1": "", "a:2": "", "b:3": "Aus (inconsistent in Aidae)", "b:4": ""}


@given(trees())
def test_no_two_taxa_have_the_same_unique_name(taxa: tuple[Taxon, ...]) -> None:
    found = uniques(taxa)
    shown = [found[taxon.origin] or taxon.name for taxon in taxa]
    assert len(set(shown)) == len(shown)
    names = [taxon.name for taxon in taxa]
    assert all(bool(found[taxon.origin]) == (names.count(taxon.name) > 1) for taxon in taxa)


def test_homonymous_ancestors_do_not_make_unique_names_equal() -> None:
    taxa = (
        Taxon("a:0", "", "life"),
        *(
            taxon
            for phylum in ("a:1", "a:2")
            for taxon in (
                Taxon(phylum, "a:0", f"Phylum {phylum}", "phylum"),
                Taxon(f"{phylum}1", phylum, "Aidae", "family"),
                Taxon(f"{phylum}2", phylum, "Bidae", "family"),
                Taxon(f"{phylum}11", f"{phylum}1", "Aus", "genus"),
                Taxon(f"{phylum}21", f"{phylum}2", "Aus", "genus"),
            )
        ),
    )
    found = uniques(taxa)
    assert found["a:111"] == "Aus (genus a:111)"
    assert len({found[origin] for origin in ("a:111", "a:121", "a:211", "a:221")}) == 4


def test_synonyms_name_their_taxon() -> None:
    assert synonym_names(pa.array(["Hebe"]), pa.array(["Veronica"])).to_pylist() == [
        "Hebe (synonym for Veronica)"
    ]


def test_the_names_are_those_of_the_open_tree(shared: Path) -> None:
    folder = shared / "golden" / "taxonomy"
    with gzip.open(folder / "aster_union_taxonomy.tsv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    taxa = [
        Taxon(
            row["uid"],
            row["parent_uid"],
            row["name"],
            "" if row["rank"].startswith("no rank") else row["rank"],
            int(flags_of(row["flags"])),
        )
        for row in rows
    ]
    synonyms = []
    for source in ("ncbi_aster", "gbif_aster"):
        with gzip.open(folder / source / "synonyms.tsv.gz", "rt", encoding="utf-8") as file:
            synonyms += [line.partition("\t")[0] for line in file][1:]
    origins = {row["uid"]: row["sourceinfo"].partition(",")[0] for row in rows}
    found = uniques([taxon._replace(origin=taxon.origin) for taxon in taxa], synonyms)
    theirs = {row["uid"]: row["uniqname"] for row in rows}
    assert {uid: text.replace(uid, origins[uid]) if text else "" for uid, text in found.items()} == theirs
