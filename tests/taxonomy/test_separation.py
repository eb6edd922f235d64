from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mini_life import mini_life, taxa_of

from tol_luigi.core.errors import TableError
from tol_luigi.taxonomy.kingdoms import CODES, KINGDOMS, kingdom_of
from tol_luigi.taxonomy.normalisation import normalise
from tol_luigi.taxonomy.ranks import LEVELS
from tol_luigi.taxonomy.records import NAMES, TAXA, Records
from tol_luigi.taxonomy.separation import FOUND, Presence, divisions_in, separation

if TYPE_CHECKING:
    from pathlib import Path

LIST = separation()

PARENTS = dict(zip(LIST.taxa["name"].to_pylist(), LIST.taxa["parent"].to_pylist(), strict=True))

NAMES_OF_ALL = LIST.taxa["name"].to_pylist() + LIST.names["name"].to_pylist()

ALSO_GENERA = {"Archaea", "Bacteria", "Biota", "Ciliophora", "Ctenophora", "Plecoptera"}
"""Names of the list that genera have, too, so that only taxa above the genus may be taken for them."""

GENERA = ALSO_GENERA | {
    "Acantharea", "Anemone", "Ciliata", "Chelonia", "Chlorobium", "Culicoides", "Dermatophagoides", "Ficus", "Gordia", "Hydra",
    "Lepas", "Mantis", "Morus", "Oenanthe", "Ostrea", "Pieris", "Prunella", "Rana", "Sabellaria", "Squamaria", "Turritella",
}  # fmt: skip
"""Genera that large sources have."""


def lineage(name: str) -> list[str]:
    names = {row["uid"]: row["name"] for row in LIST.taxa.to_pylist()}
    path = [name]
    while PARENTS[path[-1]] is not None:
        path.append(names[PARENTS[path[-1]]])
    return path


def test_the_list_is_one_tree_with_unique_names() -> None:
    assert LIST.taxa.schema == TAXA
    assert LIST.names.schema == NAMES
    assert len(set(NAMES_OF_ALL)) == len(NAMES_OF_ALL)
    assert len(set(LIST.taxa["uid"].to_pylist())) == len(PARENTS)
    assert {lineage(name)[-1] for name in PARENTS} == {"life"}


def test_ranks_descend() -> None:
    ranks = {row["name"]: LEVELS.get(row["rank"], 0) for row in LIST.taxa.to_pylist()}

    for name in PARENTS:
        levels = [ranks[above] for above in lineage(name) if ranks[above]]
        assert levels == sorted(levels, reverse=True), name


def test_no_name_is_that_of_a_genus_but_those_that_are_known() -> None:
    assert GENERA.intersection(NAMES_OF_ALL) == ALSO_GENERA


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("Sar", "Eukaryota"),
        ("Stramenopiles", "SAR"),
        ("Alveolata", "SAR"),
        ("Rhizaria", "SAR"),
        ("Viridiplantae", "Archaeplastida"),
        ("Tracheophyta", "Chloroplastida"),
        ("Bryophyta", "Streptophyta"),
        ("Aves", "Chordata"),
        ("Odonata", "Insecta"),
        ("Animalia", "Eukaryota"),
    ],
)
def test_places(name: str, group: str) -> None:
    primary = {row["name"]: row["uid"] for row in LIST.names.to_pylist()}
    by_uid = {row["uid"]: row["name"] for row in LIST.taxa.to_pylist()}

    assert group in lineage(by_uid[primary[name]] if name in primary else name)


def test_kingdoms_that_are_no_clades_are_compatible_with_all_eukaryotes() -> None:
    others = {row["name"]: row["uid"] for row in LIST.names.to_pylist()}

    assert others["Chromista"] == others["Protozoa"] == "eukaryota"


def test_it_contains_the_list_of_the_open_tree(shared: Path) -> None:
    folder = shared / "golden" / "taxonomy" / "separation"
    rows = [line.split("\t") for line in (folder / "taxonomy.tsv").read_text().splitlines()[1:]]
    synonyms = [line.split("\t")[0] for line in (folder / "synonyms.tsv").read_text().splitlines()[1:]]
    names = {row[0]: row[2] for row in rows}

    assert {row[2] for row in rows} | set(synonyms) <= set(NAMES_OF_ALL)
    for _, parent, name, _ in rows:
        assert not parent or names[parent] in lineage(name)


def test_it_is_normal() -> None:
    result = normalise(LIST)

    assert result.repairs.num_rows == 0
    assert set(result.taxa["name"].to_pylist()) == set(LIST.taxa["name"].to_pylist())
    assert not any(result.taxa["flags"].to_pylist())


def test_groups_that_a_source_has() -> None:
    found = {row["group"]: row for row in divisions_in(normalise(mini_life()), LIST).to_pylist()}

    assert found["Ctenophora"]["uids"] == ["43"], "not the genera"
    assert (found["Archaeplastida"]["presence"], found["Archaeplastida"]["name"]) == (Presence.MISSING, "")
    assert (found["Chloroplastida"]["presence"], found["Chloroplastida"]["name"]) == (
        Presence.FOUND,
        "Viridiplantae",
    )
    assert set(found) == set(PARENTS)


def test_the_group_nearest_to_the_root_is_meant_and_two_are_ambiguous() -> None:
    tree = (
        "1||life|\n2|1|Metazoa|kingdom\n3|2|Insecta|class\n4|3|Insecta|order\n5|2|Aves|class\n6|1|Aves|class"
    )

    found = {row["group"]: row for row in divisions_in(Records("test", taxa_of(tree)), LIST).to_pylist()}

    assert found["Insecta"]["uids"] == ["3"]
    assert found["Aves"]["uids"] == ["6"]
    twice = divisions_in(Records("test", taxa_of("1||life|\n2|1|Aves|class\n3|1|Aves|class")), LIST)
    (aves,) = (row for row in twice.to_pylist() if row["group"] == "Aves")
    assert (aves["presence"], aves["uids"]) == (Presence.AMBIGUOUS, ["2", "3"])
    assert twice.schema == FOUND


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("life\nAus\tBus", r"line 3: Bus, the parent of Aus, is not above it\. Add it, or correct it\."),
        ("life\nAus\tlife\tclan", r"line 3: clan is no rank\."),
        ("life\n# comment\nAus\tlife\t\tlife", r"line 4: the name 'life' is empty or occurs twice\."),
        ("life\nAus\tlife\t\t\tmore", r"line 3: there are 5 columns\. Write at most 4\."),
    ],
)
def test_errors_in_another_list(tmp_path: Path, lines: str, problem: str) -> None:
    path = tmp_path / "groups.tsv"
    path.write_text(f"name\tparent\trank\tother names\n{lines}\n")

    with pytest.raises(TableError, match=problem):
        separation(path)


def test_another_list(tmp_path: Path) -> None:
    path = tmp_path / "groups.tsv"
    path.write_text("name\tparent\trank\tother names\nlife\nAus\tlife\tphylum\tBus|Cus\n")

    groups = separation(path)

    assert groups.taxa["name"].to_pylist() == ["life", "Aus"]
    assert groups.names["name"].to_pylist() == ["Bus", "Cus"]


@pytest.mark.parametrize(
    ("clade", "kingdom"),
    [
        ("Metazoa", "Animalia"),
        (" metazoa", "Animalia"),
        ("Viridiplantae", "Plantae"),
        ("Archaeplastida", "Plantae"),
        ("Chloroplastida", "Plantae"),
        ("Sar", "Chromista"),
        ("Euglenozoa", "Protozoa"),
        ("Fungi", "Fungi"),
        ("Chordata", ""),
        ("", ""),
    ],
)
def test_kingdoms_of_clades(clade: str, kingdom: str) -> None:
    assert kingdom_of(clade) == kingdom


def test_kingdoms_are_their_own_kingdoms() -> None:
    assert {KINGDOMS[kingdom] for kingdom in KINGDOMS.values()} == set(KINGDOMS.values())
    assert set(CODES) <= set(KINGDOMS)
