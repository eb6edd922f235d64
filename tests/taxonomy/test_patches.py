from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mini_life import mini_life

from tol_luigi.core.errors import TableError
from tol_luigi.taxonomy.build import Part, build_reference
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.normalisation import Normalisation, normalise
from tol_luigi.taxonomy.patches import Patch, Statement, TaxonRef, read_patches
from tol_luigi.taxonomy.patching import OUTCOMES, PatchState, apply_patches
from tol_luigi.taxonomy.separation import separation
from tol_luigi.taxonomy.union import Union, build_union

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.patched_union import UnionLike


@pytest.fixture(scope="module")
def union() -> Union:
    return build_union([normalise(mini_life(), Normalisation(fold_siblings=True))], separation())


def row_of(union: UnionLike, uid: str) -> int:
    """Return the row of a taxon of the source."""
    (row,) = (row for row, ids in enumerate(union.sources.to_pylist()) if f"mini:{uid}" in ids)
    return row


def parent_of(union: UnionLike, uid: str) -> str:
    return str(union.name[int(union.parent[row_of(union, uid)])].as_py())


def flags_of(union: UnionLike, uid: str) -> int:
    return int(union.flags[row_of(union, uid)])


def patch(statement: str, taxon: str | TaxonRef, other: str | TaxonRef = "", rank: str = "") -> Patch:
    one, two = (ref if isinstance(ref, TaxonRef) else TaxonRef(ref) for ref in (taxon, other))
    return Patch("p", "https://example.org", Statement(statement), one, two if other else None, rank)


def applied(union: UnionLike, *patches: Patch) -> tuple[UnionLike, list[tuple[str, str]]]:
    result, outcomes = apply_patches(union, patches)
    assert outcomes.schema == OUTCOMES
    return result, [(row["state"], row["reason"]) for row in outcomes.to_pylist()]


TRUE, APPLIED = (PatchState.TRUE, ""), (PatchState.APPLIED, "")


class TestStatements:
    def test_a_taxon_gets_another_parent(self, union: Union) -> None:
        wanted = patch("has_parent", "Passer domesticus", "Aves")

        result, states = applied(union, wanted)

        assert states == [APPLIED]
        assert parent_of(result, "94") == "Aves"
        assert flags_of(result, "94") & Flag.EDITED
        assert applied(result, wanted)[1] == [TRUE]

    def test_a_parent_that_is_right_is_left_alone(self, union: Union) -> None:
        result, states = applied(union, patch("has_parent", "Primates", "Mammalia"))

        assert states == [TRUE]
        assert result.flags.tolist() == union.flags.tolist()

    def test_a_taxon_cannot_be_moved_into_itself(self, union: Union) -> None:
        _, (first, second) = applied(
            union, patch("has_parent", "Mammalia", "Homo"), patch("has_parent", "Homo", "Homo")
        )

        assert first == (PatchState.NOT_APPLIED, "Homo is in Mammalia or is the same taxon")
        assert second[0] == PatchState.NOT_APPLIED

    def test_a_taxon_that_is_placed_is_placed(self, union: Union) -> None:
        assert flags_of(union, "70") & Flag.INCERTAE_SEDIS

        result, _ = applied(union, patch("has_parent", "Ascodesmis nigricans", "Pulvinula"))

        assert not flags_of(result, "70") & Flag.INCERTAE_SEDIS

    def test_two_taxa_become_one(self, union: Union) -> None:
        wanted = patch("synonym_of", "Pulvinula", "Pyronemataceae")

        result, states = applied(union, wanted)

        assert states == [APPLIED]
        assert parent_of(result, "67") == "Pyronemataceae"
        assert ("Pulvinula", row_of(union, "65")) in [
            (row["name"], row["taxon"]) for row in result.synonyms.to_pylist()
        ]
        records = {row["source_id"]: row["taxon"] for row in result.xref.to_pylist()}
        assert records["66"] == row_of(union, "65")
        assert result.flags[row_of(union, "66")] & Flag.MERGED
        assert applied(result, wanted)[1] == [TRUE]

    def test_a_taxon_becomes_a_synonym_of_one_in_it(self, union: Union) -> None:
        result, states = applied(union, patch("synonym_of", "Hominidae", "Homo"))

        assert states == [APPLIED]
        assert parent_of(result, "19") == "Primates"
        assert parent_of(result, "20") == "Homo"

    def test_names_follow_a_synonym_that_becomes_one_itself(self, union: Union) -> None:
        wanted = [patch("synonym_of", "Homo", "Hominidae"), patch("synonym_of", "Hominidae", "Primates")]

        result, states = applied(union, *wanted)

        assert states == [APPLIED, APPLIED]
        added = [row for row in result.synonyms.to_pylist() if row["source"] == "patch"]
        assert [(row["name"], row["taxon"]) for row in added] == [
            ("Homo", row_of(union, "17")),
            ("Hominidae", row_of(union, "17")),
        ]
        assert applied(result, *wanted)[1] == [TRUE, TRUE]

    def test_a_name_of_nothing_becomes_a_synonym(self, union: Union) -> None:
        wanted = patch("synonym_of", "Homo rhodesiensis", "Homo sapiens")

        result, states = applied(union, wanted)

        assert states == [APPLIED]
        assert "Homo rhodesiensis" in result.synonyms["name"].to_pylist()
        assert applied(result, wanted)[1] == [TRUE]

    def test_a_synonym_is_one(self, union: Union) -> None:
        assert applied(union, patch("synonym_of", "Apis mellifica", "Apis mellifera"))[1] == [TRUE]

    def test_a_name_is_no_synonym_of_itself(self, union: Union) -> None:
        (state,) = applied(union, patch("synonym_of", "Homo", "Homo"))[1]

        assert state == (PatchState.NOT_APPLIED, "it is the accepted name of the same taxon")

    def test_ranks(self, union: Union) -> None:
        result, states = applied(
            union,
            patch("has_rank", "Curculionidae", rank="family"),
            patch("has_rank", "Primates", rank="order"),
        )

        assert states == [APPLIED, TRUE]
        assert result.rank[row_of(union, "95")].as_py() == "family"

    def test_extinction(self, union: Union) -> None:
        result, states = applied(union, patch("is_extinct", "Hominidae"), patch("is_extinct", "Homo sapiens"))

        assert states == [APPLIED, TRUE]
        assert flags_of(result, "18") & Flag.EXTINCT
        assert flags_of(result, "20") & Flag.EXTINCT_INHERITED

    def test_what_is_extant_has_no_extinct_ancestors(self, union: Union) -> None:
        gone, _ = applied(union, patch("is_extinct", "Primates"))
        wanted = patch("is_extant", "Homo sapiens")

        result, states = applied(gone, wanted)

        assert states == [APPLIED]
        assert not any(
            flags_of(result, uid) & (Flag.EXTINCT | Flag.EXTINCT_INHERITED) for uid in ("15", "18", "20")
        )
        assert applied(result, wanted)[1] == [TRUE]

    def test_a_taxon_whose_members_are_extinct_is_not_extant(self, union: Union) -> None:
        gone, _ = applied(union, patch("is_extinct", "Homo sapiens"))

        assert applied(gone, patch("is_extant", "Homo"))[1] == [
            (PatchState.NOT_APPLIED, "all of its children are extinct")
        ]

    def test_hidden(self, union: Union) -> None:
        result, states = applied(union, patch("hidden", "Agathis malvacearum"))

        assert states == [APPLIED]
        assert flags_of(result, "31") & Flag.HIDDEN

    def test_taxa_that_are_not_the_same(self, union: Union) -> None:
        snail, fig = TaxonRef("Ficus", ancestor="Mollusca"), TaxonRef("Ficus", ancestor="Moraceae")

        assert applied(union, patch("not_same", snail, fig))[1] == [TRUE]
        ((state, reason),) = applied(union, patch("not_same", snail, snail))[1]
        assert (state, reason.partition(",")[0]) == (PatchState.NOT_APPLIED, "they are one taxon")

    @pytest.mark.parametrize("prefixes", [("mini", "other"), ("other", "mini")])
    def test_records_that_are_not_the_same_are_kept_apart(self, prefixes: tuple[str, str]) -> None:
        one, other = (TaxonRef(source=f"{prefix}:20") for prefix in prefixes)
        apart = patch("not_same", one, other)
        mini = normalise(mini_life(), Normalisation(fold_siblings=True))
        sources = {"mini": mini, "other": replace(mini, prefix="other")}
        parts = [Part(prefix) for prefix in sources]

        for patches in ([], [apart]):
            tables, figures = build_reference(sources, parts, patches=patches)
            rows = [row for row in tables.xref.to_pylist() if row["source_id"] == "20"]
            assert len({row["tol_id"] for row in rows}) == 1 + len(patches)
            assert [row["state"] for row in figures["patches"]] == [PatchState.TRUE] * len(patches)
        assert [row["reason"] for row in rows if row["source"] == "other"] == ["not the same"]

    def test_a_later_patch_that_contradicts_one_is_reported(self, union: Union) -> None:
        _, states = applied(
            union, patch("has_parent", "Homo", "Aves"), patch("has_parent", "Homo", "Primates")
        )

        assert states == [(PatchState.NOT_APPLIED, "a later patch contradicts it"), APPLIED]


class TestReferences:
    @pytest.mark.parametrize(
        ("ref", "uid"),
        [
            (TaxonRef("Agathis", ancestor="Hymenoptera"), "30"),
            (TaxonRef("Agathis", descendant="Agathis australis"), "51"),
            (TaxonRef("Agathis", witness="Araucariaceae"), "51"),
            (TaxonRef("Agathis", witness="Agathis malvacearum"), "30"),
            (TaxonRef("Ctenophora", rank="phylum"), "43"),
            (TaxonRef("Ctenophora", source="mini:77"), "77"),
            (TaxonRef(source="mini:77"), "77"),
            (TaxonRef("Apis mellifica"), "32"),
        ],
    )
    def test_what_tells_homonyms_apart(self, union: Union, ref: TaxonRef, uid: str) -> None:
        result, states = applied(union, patch("hidden", ref))

        assert states == [APPLIED]
        assert flags_of(result, uid) & Flag.HIDDEN

    def test_homonyms_are_not_guessed(self, union: Union) -> None:
        ((state, reason),) = applied(union, patch("hidden", "Agathis"))[1]

        assert state == PatchState.NOT_APPLIED
        assert reason == "there are 2 taxa Agathis (in Braconidae, in Araucariaceae)"

    def test_taxa_that_do_not_exist(self, union: Union) -> None:
        states = applied(
            union, patch("hidden", "Nemo"), patch("has_parent", "Homo", TaxonRef("Aves", ancestor="Fungi"))
        )[1]

        assert states == [
            (PatchState.NOT_APPLIED, "there is no taxon Nemo"),
            (PatchState.NOT_APPLIED, "there is no taxon Aves (ancestor Fungi)"),
        ]


WORDS = [
    "Homo",
    "Hominidae",
    "Homo sapiens",
    "Primates",
    "Mammalia",
    "Therapsida",
    "Aves",
    "Ficus",
    "Nemo",
    "life",
    "Simia sapiens",
]


@st.composite
def any_patches(draw: st.DrawFn) -> list[Patch]:
    refs = st.builds(TaxonRef, st.sampled_from(WORDS), st.sampled_from(["", "", "Mollusca", "Chordata"]))
    rank = st.sampled_from(["", "family", "genus"])
    one = st.builds(patch, st.sampled_from(["is_extinct", "is_extant", "hidden"]), refs)
    two = st.builds(patch, st.sampled_from(["has_parent", "synonym_of", "not_same"]), refs, refs)
    return draw(st.lists(one | two | st.builds(patch, st.just("has_rank"), refs, rank=rank), max_size=6))


def columns(union: UnionLike) -> list[Any]:
    synonyms = sorted(map(str, union.synonyms.to_pylist()))
    return [union.parent.tolist(), union.rank.to_pylist(), union.sources.to_pylist(), synonyms, union.xref]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patches=any_patches())
def test_patches_leave_a_tree_and_are_idempotent_where_they_hold(union: Union, patches: list[Patch]) -> None:
    once, outcomes = apply_patches(union, patches)

    parents = once.parent
    for row in range(len(parents)):
        steps = 0
        while row >= 0:
            row = int(parents[row])  # noqa: PLW2901 (a walk to the root)
            steps += 1
            assert steps <= len(parents), "a circle"
    kept = [
        each
        for each, state in zip(patches, outcomes["state"].to_pylist(), strict=True)
        if state != PatchState.NOT_APPLIED
    ]
    again, states = applied(once, *kept)
    assert states == [TRUE] * len(kept)
    assert columns(again) == columns(once)
    assert again.flags.tolist() == once.flags.tolist()


GOOD = """
- id: quiscalus
  evidence: https://example.org/12
  note: It was in Corvidae.
  has_parent:
    taxon: {name: Quiscalus, descendant: Quiscalus mexicanus}
    parent: {name: Icteridae, ancestor: Aves}
- id: nan
  evidence: https://example.org/13
  is_extinct: Dermestes nan
- id: 3
  evidence: https://example.org/14
  has_rank: {taxon: {name: No, source: ncbi:007}, rank: no rank}
"""


def test_a_file_of_patches(tmp_path: Path) -> None:
    path = tmp_path / "patches.yaml"
    path.write_text(GOOD)

    first, second, third = read_patches(path)

    assert first.other == TaxonRef("Icteridae", ancestor="Aves")
    assert (first.statement, first.note) == (Statement.HAS_PARENT, "It was in Corvidae.")
    assert second.taxon == TaxonRef("Dermestes nan")
    assert (third.uid, third.rank, third.taxon) == ("3", "", TaxonRef("No", source="ncbi:007"))


def test_an_empty_file_has_no_patches(tmp_path: Path) -> None:
    path = tmp_path / "patches.yaml"
    path.write_text("# none yet\n")

    assert read_patches(path) == []


HEAD = "- id: one\n  evidence: https://example.org\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "  has_parnt: {}\n", r"line 3: has_parnt is no key of a patch\. Write one of id, evidence, note, has_parent"),
        (HEAD + "  hidden: {taxon: Aus, why: x}\n", r"line 3: why is no key of a hidden\. Write one of taxon\."),
        (HEAD + "  hidden: {taxon: {nam: Aus}}\n", r"line 3: nam is no key of a taxon\."),
        (HEAD + "  has_parent: {taxon: Aus}\n", r"line 3: has_parent has no parent\. Add the key parent\."),
        (HEAD + "  has_parent: Aus\n", r"line 3: has_parent is not a mapping\."),
        (HEAD + "  has_rank: {taxon: Aus, rank: clan}\n", r"line 3: rank is 'clan', which is none\."),
        (HEAD + "  hidden: {taxon: {ancestor: Aus}}\n", r"line 3: a taxon has neither a name nor a source\."),
        (HEAD + "  hidden:\n", r"line 3: name is not a text\."),
        (HEAD, r"line 1: a patch needs one statement, but has 0\."),
        (HEAD + "  hidden: Aus\n  is_extinct: Aus\n", r"line 1: a patch needs one statement, but has 2\."),
        (HEAD + "  hidden: Aus\n  hidden: Bus\n", r"line 4: the key hidden occurs twice\."),
        ("- id: one\n  hidden: Aus\n", r"line 1: the patch has no evidence\. Add the key evidence\."),
        ("- id: one\n  evidence: a book\n  hidden: Aus\n", r"line 2: evidence is 'a book', which is no address\."),
        (HEAD + "  hidden: Aus\n" + HEAD + "  hidden: Bus\n", r"the id 'one' occurs twice\."),
        ("id: one\n", r"line 1: the file is not a list\. Begin each patch with a dash\."),
        ("- id: [one\n", r"line 2: this is not YAML \(.*\)\. Correct the line or the one above it\."),
        ("- id: one\n  hidden: !!python/object:os.system {}\n", r"line 1: the patch has no evidence"),
    ],
)  # fmt: skip
def test_errors_name_the_file_the_line_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "patches.yaml"
    path.write_text(text)

    with pytest.raises(TableError, match=message) as caught:
        read_patches(path)

    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="it cannot be read"):
        read_patches(tmp_path / "none.yaml")
