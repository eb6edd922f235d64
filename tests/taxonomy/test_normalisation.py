from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mini_life import mini_life, taxa_of
from open_tree_files import read_open_tree

from tol_luigi.taxonomy.build import Part, build_reference
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.normalisation import Normalisation, normalise
from tol_luigi.taxonomy.records import FORWARDS, NAMES, Records, Repair
from tol_luigi.taxonomy.separation import separation
from tol_luigi.taxonomy.union import Union

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ALL = Normalisation(flag_names=True, major_rank_conflict=True, fold_siblings=True)

Row = dict[str, Any]


def by_uid(records: Records) -> dict[str, Row]:
    return {row["uid"]: row for row in records.taxa.to_pylist()}


def repairs(records: Records, repair: Repair) -> dict[str, tuple[str, str]]:
    """Return what was repaired so, by identifier: the values before and after."""
    rows = records.repairs.to_pylist()
    return {row["uid"]: (row["before"], row["after"]) for row in rows if row["repair"] == repair}


def synonyms(records: Records, uid: str) -> set[str]:
    return {row["name"] for row in records.names.to_pylist() if row["uid"] == uid}


@pytest.fixture(scope="module")
def mini() -> Records:
    return normalise(mini_life(), Normalisation(flag_names=True, fold_siblings=True))


@pytest.fixture(scope="module")
def taxa(mini: Records) -> dict[str, Row]:
    return by_uid(mini)


def source(tree: str, flags: dict[str, int] | None = None, names: Iterable[tuple[str, str]] = ()) -> Records:
    rows = [{"uid": uid, "name": name, "authorship": "", "type": "synonym"} for uid, name in names]
    return Records("test", taxa_of(tree, flags), pa.Table.from_pylist(rows, schema=NAMES))


class TestNames:
    @pytest.mark.parametrize(
        ("uid", "name", "authorship"),
        [
            ("11", "Rana temporaria", "Linnaeus, 1758"),
            ("20", "Homo sapiens", ""),
            ("25", "Ficus variegata", "Röding, 1798"),
            ("49", "Ficus variegata", "Blume"),
            ("41", "Aedes aegypti", ""),
            ("42", "Dermestes nan", ""),
            ("62", "Brassica oleracea var. italica", ""),
            ("67", "Pulvinula constellatio", ""),
            ("97", "Mullerella", ""),
        ],
    )
    def test_canonical_names(self, taxa: dict[str, Row], uid: str, name: str, authorship: str) -> None:
        assert (taxa[uid]["name"], taxa[uid]["authorship"]) == (name, authorship)

    def test_changes_are_recorded(self, mini: Records) -> None:
        assert repairs(mini, Repair.QUOTES) == {"20": ('"Homo sapiens', "Homo sapiens")}
        assert set(repairs(mini, Repair.MARKUP)) == {"67"}
        assert set(repairs(mini, Repair.AUTHORSHIP)) == {"11", "25", "31", "32", "35", "49", "55"}
        assert set(repairs(mini, Repair.HYBRID)) == {"58", "59", "60"}
        assert set(repairs(mini, Repair.DIACRITICS)) == {"97", "98"}

    def test_old_spelling_is_a_synonym(self, mini: Records) -> None:
        assert synonyms(mini, "97") == {"Müllerella"}

    def test_diacritics_stay_if_the_name_without_them_is_in_use(
        self, mini: Records, taxa: dict[str, Row]
    ) -> None:
        assert taxa["61"]["name"] == "Isoëtes lacustris"
        assert synonyms(mini, "61") == {"Isoetes lacustris"}

    def test_informal_names_stay_under_their_genus(self, taxa: dict[str, Row]) -> None:
        megaselia = taxa["39"]

        assert (megaselia["name"], megaselia["parent"]) == ("Megaselia sp. 1ES 2009", "38")
        assert megaselia["flags"] == Flag.INFORMAL

    def test_names_of_clades_in_lower_case_are_not_informal(self, taxa: dict[str, Row]) -> None:
        assert taxa["2"]["flags"] == 0

    def test_hybrids_are_flagged(self, taxa: dict[str, Row]) -> None:
        assert [taxa[uid]["flags"] for uid in ("58", "59", "60")] == [Flag.HYBRID] * 3

    def test_a_subgenus_with_the_name_of_its_genus_is_renamed(
        self, mini: Records, taxa: dict[str, Row]
    ) -> None:
        assert taxa["10"]["name"] == "Rana subgenus Rana"
        assert taxa["9"]["name"] == "Rana"
        assert repairs(mini, Repair.SUBGENUS) == {"10": ("Rana", "Rana subgenus Rana")}

    def test_ranked_names_get_a_capital_letter(self) -> None:
        found = by_uid(normalise(source("1|| metazoa|kingdom\n2|1|asterids|clade\n3|2|Aus bus|species")))

        assert found["1"]["name"] == "Metazoa"
        assert found["2"]["name"] == "asterids"

    def test_a_given_authorship_at_the_end_of_a_name_is_not_repeated(self) -> None:
        records = source("1||Aus bus De Vries f. 1900|species")
        table = records.taxa.set_column(3, records.taxa.schema.field(3), pa.array(["De Vries f. 1900"]))

        (row,) = normalise(replace(records, taxa=table)).taxa.to_pylist()

        assert (row["name"], row["authorship"]) == ("Aus bus", "De Vries f. 1900")


class TestRanks:
    def test_a_genus_named_like_a_family_has_no_rank(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert taxa["95"]["rank"] == ""
        assert repairs(mini, Repair.RANK_AGAINST_NAME)["95"] == ("genus", "Curculionidae")

    def test_a_genus_may_end_like_hippophae(self) -> None:
        tree = "1||Danae|genus\n2||Hippophae|genus"

        assert normalise(source(tree)).taxa["rank"].to_pylist() == ["genus", "genus"]
        assert normalise(source(tree), Normalisation(ott=True)).taxa["rank"].to_pylist() == ["", ""]

    def test_unknown_ranks_are_dropped_and_recorded(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert taxa["96"]["rank"] == ""
        assert repairs(mini, Repair.UNKNOWN_RANK) == {"96": ("biotype", "")}

    def test_other_spellings_of_ranks(self, taxa: dict[str, Row]) -> None:
        assert taxa["62"]["rank"] == "variety"

    def test_no_rank_is_no_fault(self) -> None:
        found = normalise(source("1||Aus|no rank\n2|1|Bus|clade"))

        assert found.taxa["rank"].to_pylist() == ["", ""]
        assert found.repairs.num_rows == 0

    def test_a_class_below_an_order_is_recorded(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert taxa["16"]["rank"] == "class"
        assert repairs(mini, Repair.RANK_ORDER)["16"] == ("class", "order Therapsida")

    def test_major_rank_conflict(self) -> None:
        tree = "1||Aves|class\n2|1|Corvidae|family\n3|1|Quiscalus|genus\n4|1|Corvoidea|superfamily\n5|1|aves alia|"

        found = by_uid(normalise(source(tree), Normalisation(major_rank_conflict=True)))

        assert {uid for uid, row in found.items() if row["flags"] & Flag.MAJOR_RANK_CONFLICT} == {"2", "3"}


class TestTree:
    def test_containers_are_emptied(self, taxa: dict[str, Row]) -> None:
        moved = {uid: (taxa[uid]["parent"], taxa[uid]["flags"]) for uid in ("70", "75", "72", "83")}

        assert moved["70"] == ("64", Flag.INCERTAE_SEDIS)
        assert moved["75"] == ("64", Flag.ENVIRONMENTAL | Flag.INFORMAL | Flag.NOT_OTU)
        assert moved["72"] == ("63", Flag.INFORMAL | Flag.NOT_OTU), "an only child is not flagged"
        assert moved["83"] == ("79", 0)
        for uid in ("68", "71", "73", "80", "82"):
            assert taxa[uid]["flags"] == Flag.WAS_CONTAINER
            assert uid not in {row["parent"] for row in taxa.values()}

    def test_the_outermost_container_counts(self) -> None:
        tree = "1||Aus|\n2|1|unclassified Aus|\n3|2|environmental samples|\n4|3|Bus|genus\n5|3|Cus|genus"

        found = by_uid(normalise(source(tree)))

        assert [found[uid]["parent"] for uid in "2345"] == ["1"] * 4
        assert [found[uid]["flags"] for uid in "45"] == [Flag.INCERTAE_SEDIS] * 2
        assert found["3"]["flags"] == Flag.INCERTAE_SEDIS | Flag.WAS_CONTAINER

    def test_taxa_without_a_name_are_containers(self) -> None:
        tree = "1||Aus|\n2|1||order\n3|2|Bus|genus\n4|1|not_classified|family\n5|4|Cus|genus"

        result = normalise(source(tree))

        assert {row["uid"]: row["parent"] for row in result.taxa.to_pylist()}["5"] == "1"
        assert set(repairs(result, Repair.NO_NAME)) == {"2"}
        assert set(repairs(result, Repair.UNKNOWN_NAME)) == {"4"}

    def test_a_cycle_is_broken_at_its_smallest_identifier(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert [taxa[uid]["parent"] for uid in ("86", "87", "88", "89")] == [None, "86", "87", "88"]
        assert repairs(mini, Repair.CYCLE) == {"86": ("88", "")}

    def test_a_taxon_that_is_its_own_parent_is_a_root(self) -> None:
        result = normalise(source("1|1|Aus|genus\n2|1|Aus bus|species"))

        assert result.taxa["parent"].to_pylist() == [None, "1"]
        assert repairs(result, Repair.CYCLE) == {"1": ("1", "")}

    def test_the_biggest_root_is_placed_and_others_are_not(self, mini: Records, taxa: dict[str, Row]) -> None:
        roots = {uid: row["flags"] for uid, row in taxa.items() if row["parent"] is None}

        assert roots == {"1": 0, "86": Flag.UNPLACED, "90": Flag.UNPLACED}
        assert set(repairs(mini, Repair.FURTHER_ROOT)) == {"86", "90"}

    def test_parents_that_are_missing_or_synonyms(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert taxa["91"]["parent"] == "16"
        assert repairs(mini, Repair.PARENT_IS_SYNONYM) == {"91": ("s1", "16")}
        assert repairs(mini, Repair.MISSING_PARENT) == {"90": ("9999", "")}

    def test_siblings_are_folded_on_request(self, mini: Records, taxa: dict[str, Row]) -> None:
        assert "93" not in taxa
        assert taxa["94"]["parent"] == "92"
        assert {"uid": "93", "replacement": "92"} in mini.forwards.to_pylist()
        assert "93" in by_uid(normalise(mini_life()))

    def test_siblings_are_folded_down_the_tree(self) -> None:
        tree = "1||Ausidae|family\n10|1|Aus|genus\n9|1|Aus|genus\n20|10|Aus bus|species\n21|9|Aus bus|species"

        records = source(
            tree, flags={"9": Flag.EXTINCT, "21": Flag.EXTINCT, "20": Flag.EXTINCT}, names=[("10", "Bus")]
        )
        result = normalise(records, ALL)

        assert {uid: row["flags"] for uid, row in by_uid(result).items()} == {
            "1": 0,
            "9": 0,
            "20": Flag.EXTINCT,
        }
        assert synonyms(result, "9") == {"Bus"}
        assert set(repairs(result, Repair.REPEATED_SIBLING)) == {"10", "21"}

    def test_repeated_identifiers(self) -> None:
        result = normalise(source("1||Aus|genus\n2|1|Aus cus|species\n2|1|Aus bus|species"))

        assert by_uid(result)["2"]["name"] == "Aus bus"
        assert repairs(result, Repair.REPEATED_RECORD) == {"2": ("Aus cus", "Aus bus")}

    def test_inherited_flags_that_nothing_explains_become_own_ones(self) -> None:
        flags = {
            "1": Flag.EXTINCT,
            "2": Flag.EXTINCT_INHERITED,
            "3": Flag.HIDDEN_INHERITED | Flag.BARREN,
        }

        found = by_uid(normalise(source("1||Aus|genus\n2|1|Aus bus|species\n3|1|Aus cus|species", flags)))

        assert [found[uid]["flags"] for uid in "123"] == [Flag.EXTINCT, 0, Flag.HIDDEN]

    def test_codes_come_from_kingdoms_but_not_from_genera_of_their_names(self) -> None:
        tree = "1||life|\n2|1|Metazoa|kingdom\n3|2|Bacteria|genus\n4|3|Bacteria aestuans|species\n5|1|Bacteria|domain\n6|5|Aus|genus"

        found = by_uid(normalise(source(tree)))

        assert [found[uid]["code"] for uid in "146"] == ["", "zoological", "bacterial"]


class TestSynonyms:
    def test_chains_lead_to_the_taxon(self, mini: Records) -> None:
        assert synonyms(mini, "16") == {"Bovus", "Boves"}
        assert repairs(mini, Repair.SYNONYM_CHAIN)["s1"] == ("s1", "16")
        assert {"uid": "s1", "replacement": "16"} in mini.forwards.to_pylist()

    def test_circles_and_synonyms_of_nothing_are_recorded(self, mini: Records) -> None:
        assert "Circulus ambo" not in mini.names["name"].to_pylist()
        assert repairs(mini, Repair.SYNONYM_CHAIN)["s3"] == ("Circulus ambo", "")
        assert repairs(mini, Repair.SYNONYM_OF_NOTHING)["404"] == ("Nullus", "")
        assert repairs(mini, Repair.VERNACULAR_OF_NOTHING) == {"500": ("nobody", "")}

    def test_authorships_of_synonyms_are_separated(self, mini: Records) -> None:
        (row,) = (row for row in mini.names.to_pylist() if row["uid"] == "32")

        assert (row["name"], row["authorship"]) == ("Apis mellifica", "Linnaeus, 1761")

    def test_a_synonym_that_repeats_the_name_is_left_out(self, mini: Records) -> None:
        assert repairs(mini, Repair.REPEATED_NAME) == {"32": ("Apis mellifera", "")}

    def test_homonyms_keep_their_vernacular_names(self, mini: Records) -> None:
        found = {row["uid"]: row["name"] for row in mini.vernaculars.to_pylist()}

        assert found["25"] == "variegated fig snail"
        assert found["49"] == "common red-stem fig"


class TestOpenTree:
    def test_only_what_the_open_tree_does_is_done(self) -> None:
        tree = "9||Aus x bus Smith, 1900|species\n8|9|Aus sp.|species\n7|9|Aüs|genus\n6|7|Aüs|subgenus"

        result = normalise(source(tree), Normalisation(ott=True))

        assert result.taxa["uid"].to_pylist() == ["9", "8", "7", "6"]
        assert result.taxa["name"].to_pylist() == ["Aus x bus Smith, 1900", "Aus sp.", "Aus", "Aus"]
        assert not any(result.taxa["flags"].to_pylist())
        assert synonyms(result, "7") == {"Aüs"}

    def test_subgenera_are_renamed_unless_they_are_only_children(self) -> None:
        tree = "1||Aus|genus\n2|1|Aus|subgenus\n3|1|Bus|subgenus\n4|3|Bus|genus\n5|4|Bus|subgenus"

        result = normalise(source(tree), Normalisation(ott=True))

        assert result.taxa["name"].to_pylist() == ["Aus", "Aus subgenus Aus", "Bus", "Bus", "Bus"]


def test_every_taxon_is_a_taxon_or_a_repair_says_why_not(mini: Records) -> None:
    before = mini_life()

    kept = set(mini.taxa["uid"].to_pylist())
    explained = {row["uid"] for row in mini.repairs.to_pylist() if row["repair"] == Repair.REPEATED_SIBLING}
    assert kept | explained == set(before.taxa["uid"].to_pylist())
    assert not kept & explained


def test_an_empty_source_is_normalised() -> None:
    empty = Records("none", taxa_of(""))

    assert normalise(empty, ALL).taxa.num_rows == 0


LETTERS = st.sampled_from(
    ["Aus", "Bus", "Aüs", "Ausidae", "Aus bus", "Aüs bus", "Aus bus Smith, 1900", "Aus sp. 1", "unclassified Aus", "life", "bus",
     "environmental samples", "unknown", "", "Aus x bus", '"Aus', "Bacteria", "Metazoa", "Aus incertae sedis", "Tomato virus"]
)  # fmt: skip
RANKS = st.sampled_from(["", "no rank", "genus", "subgenus", "species", "family", "order", "kingdom", "odd"])
UIDS = st.sampled_from([str(number) for number in range(1, 14)] + ["a", "b", "01"])
FLAGS = st.sampled_from(
    [
        0,
        0,
        int(Flag.EXTINCT),
        int(Flag.EXTINCT_INHERITED),
        int(Flag.UNPLACED),
        int(Flag.MERGED),
        int(Flag.WAS_CONTAINER),
    ]
)


@st.composite
def sources(draw: st.DrawFn) -> Records:
    """Draw sources with any parents, also in circles, repeated identifiers and odd names."""
    rows = draw(st.lists(st.tuples(UIDS, st.none() | UIDS, LETTERS, RANKS, FLAGS), max_size=14))
    taxa = [
        {
            "uid": uid,
            "parent": parent,
            "name": name,
            "authorship": "",
            "rank": rank,
            "code": "",
            "flags": flags,
            "sources": "",
        }
        for uid, parent, name, rank, flags in rows
    ]
    names = draw(st.lists(st.tuples(UIDS, LETTERS), max_size=4))
    forwards = draw(st.lists(st.tuples(UIDS, UIDS), max_size=4))
    return Records(
        "any",
        pa.Table.from_pylist(taxa, schema=taxa_of("").schema),
        pa.Table.from_pylist(
            [{"uid": uid, "name": name, "authorship": "", "type": "synonym"} for uid, name in names],
            schema=NAMES,
        ),
        forwards=pa.Table.from_pylist([{"uid": a, "replacement": b} for a, b in forwards], schema=FORWARDS),
    )


OPTIONS = st.builds(Normalisation, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@settings(max_examples=150)
@given(sources(), OPTIONS)
def test_normalising_again_changes_nothing(records: Records, options: Normalisation) -> None:
    once = normalise(records, options)

    assert normalise(once, options) == once


@settings(max_examples=100)
@given(sources(), OPTIONS.map(lambda options: replace(options, ott=False)), st.randoms(use_true_random=False))
def test_the_order_of_rows_is_of_no_importance(records: Records, options: Normalisation, random: Any) -> None:
    def shuffled(table: pa.Table) -> pa.Table:
        return table.take(pa.array(random.sample(range(len(table)), len(table)), pa.int64()))

    other = replace(
        records,
        taxa=shuffled(records.taxa),
        names=shuffled(records.names),
        forwards=shuffled(records.forwards),
    )

    assert normalise(other, options) == normalise(records, options)


@settings(max_examples=100)
@given(sources(), OPTIONS)
def test_every_row_is_accounted_for_and_the_result_is_a_forest(
    records: Records, options: Normalisation
) -> None:
    result = normalise(records, options)

    parents = {row["uid"]: row["parent"] for row in result.taxa.to_pylist()}
    for uid in parents:
        path = [uid]
        while parents[path[-1]] is not None:
            path.append(parents[path[-1]])
            assert len(path) <= len(parents), "a circle"
    gone = [
        row["uid"]
        for row in result.repairs.to_pylist()
        if row["repair"] in {Repair.REPEATED_SIBLING, Repair.REPEATED_RECORD}
    ]
    assert set(records.taxa["uid"].to_pylist()) <= set(parents) | set(gone)
    assert {row["uid"] for row in result.names.to_pylist()} <= set(parents)


@settings(max_examples=100)
@given(sources(), OPTIONS)
def test_every_record_of_the_importer_has_one_fate_in_a_union(
    records: Records, options: Normalisation
) -> None:
    union = Union.start(separation())
    union.add(normalise(records, options))

    assert Counter(union.xref["source_id"].to_pylist()) == Counter(records.taxa["uid"].to_pylist())


def test_removed_records_have_the_taxon_of_the_record_that_they_were_folded_into() -> None:
    union = Union.start(separation())
    records = source("1||Ausidae|family\n2|1|Aus|genus\n3|1|Aus|genus\n3|1|Bus|genus")
    union.add(normalise(records, ALL))

    rows = {(row["source_id"], row["name"]): row for row in union.xref.to_pylist()}
    assert {key: (row["fate"], row["reason"], row["witness"]) for key, row in rows.items()} == {
        ("1", "Ausidae"): ("new", "none", ""),
        ("2", "Aus"): ("new", "none", ""),
        ("3", "Aus"): ("folded", "repeated sibling", "Aus"),
        ("3", "Bus"): ("folded", "repeated identifier", "Aus"),
    }
    assert len({row["taxon"] for row in rows.values()}) == 2


@pytest.mark.parametrize(
    ("first", "second", "taxa"),
    [
        ("Salvia flava var. flava|variety", "Salvia flava flava|", 1),
        ("Salvia flava flava|", "Salvia flava var. flava|variety", 1),
        ("Salvia flava var. flava|", "Salvia flava flava|variety", 1),
        ("Salvia flava subsp. flava|", "Salvia flava flava|subspecies", 1),
        ("Salvia flava f. flava|form", "Salvia flava forma flava|", 1),
        ("Salvia flava var. flava|variety", "Salvia flava subsp. flava|subspecies", 2),
        ("Salvia flava var. flava|", "Salvia flava subsp. flava|", 2),
        ("Salvia flava var. flava|", "Salvia flava flava|subspecies", 2),
        ("Salvia flava var. flava|", "Salvia flava rubra|", 2),
    ],
)
def test_markers_of_ranks_do_not_make_two_taxa_of_one(first: str, second: str, taxa: int) -> None:
    union = Union.start(separation())
    for prefix, name in (("one", first), ("two", second)):
        tree = f"1||Lamiaceae|family\n2|1|Salvia|genus\n3|2|Salvia flava|species\n4|3|{name}"
        union.add(normalise(replace(source(tree), prefix=prefix), ALL))

    rows = {row["taxon"] for row in union.xref.to_pylist() if row["source_id"] == "4"}
    assert len(rows) == taxa


def test_parts_of_a_source_that_are_not_used_have_a_fate() -> None:
    records = source("1||life|\n2|1|Ausidae|family\n3|1|Fungi|kingdom\n4|3|Aus|genus\n5|3|Aus|genus")
    tables, figures = build_reference({"test": normalise(records, ALL)}, [Part("test", "Ausidae")])

    fates = {row["source_id"]: (row["fate"], row["reason"], row["tol_id"]) for row in tables.xref.to_pylist()}
    assert fates.pop("2")[0] == "new"
    assert set(fates.values()) == {("excluded", "not used", None), ("folded", "repeated sibling", None)}
    assert sum(figures["fates"]["test"].values()) == len(records.taxa)


@pytest.mark.parametrize("name", ["separation", "ncbi_aster", "gbif_aster"])
def test_what_the_open_tree_has_loaded_stays_as_it_is(shared: Path, name: str) -> None:
    loaded = read_open_tree(shared / "golden" / "taxonomy" / name, name)

    result = normalise(loaded, Normalisation(ott=True))

    assert result.taxa.equals(loaded.taxa)
    assert set(result.repairs["repair"].to_pylist()) <= {Repair.REPEATED_NAME}
    assert {(row["uid"], row["name"]) for row in result.names.to_pylist()} == {
        (row["uid"], row["name"]) for row in loaded.names.to_pylist()
    }
