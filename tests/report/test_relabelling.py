from __future__ import annotations

from pathlib import Path

from tol_luigi.report.relabelling import moves_figures, moves_text, relabelling_figures, relabelling_text

CHANGES = {
    "eol": {"compared": 1200, "relabelled": 3, "kingdom": 0, "species": 3, "new": 0, "train to val": 1},
    "inat21": {"compared": 40, "relabelled": 0, "kingdom": 0, "species": 0, "new": 2},
}


def test_the_figures_are_those_of_each_source_and_their_sums() -> None:
    figures = relabelling_figures(CHANGES)

    assert figures["sources"] == CHANGES
    assert figures["all"] == {
        "compared": 1240, "relabelled": 3, "kingdom": 0, "species": 3, "new": 2, "train to val": 1,
    }  # fmt: skip


def test_the_text_leaves_out_what_did_not_happen() -> None:
    text = relabelling_text(Path("build/v1"), Path("build/v2"), CHANGES)

    assert text.splitlines() == [
        "Labels of build/v2, compared with build/v1",
        "",
        "images          eol  inat21    all",
        "compared      1,200      40  1,240",
        "relabelled        3       0      3",
        "species           3       0      3",
        "new               0       2      2",
        "train to val      1       0      1",
    ]


def test_that_nothing_was_relabelled_is_told() -> None:
    assert "relabelled    0    0" in relabelling_text(
        Path("a"), Path("b"), {"eol": {"compared": 5, "relabelled": 0}}
    )


MOVES = moves_figures(
    {("species", "changed"): 3, ("kingdom", "filled"): 1_200},
    {("before", "blank_parent"): 2, ("now", "not_in_reference"): 1},
    {("gallopavo", "Animalia Chordata Aves Meleagris gallopavo (Turkey)"): 1_200, ("Ficus a", ""): 3},
)


def test_moves_are_counted_by_rank_and_cause_with_examples() -> None:
    assert MOVES["labels"]["kingdom"] == {"filled": 1_200, "changed": 0, "emptied": 0}
    assert MOVES["rules"] == {"before": {"blank_parent": 2}, "now": {"not_in_reference": 1}}
    assert MOVES["examples"][0]["images"] == 1_200


def test_the_text_of_moves_shows_the_most_frequent_changes_first() -> None:
    lines = moves_text(MOVES).splitlines()
    assert lines[1:4] == [
        "labels   filled  changed  emptied    all",
        "kingdom   1,200        0        0  1,200",
        "species       0        3        0      3",
    ]
    assert lines[-4:] == [
        "    1,200 gallopavo",
        "        now Animalia Chordata Aves Meleagris gallopavo (Turkey)",
        "    3 Ficus a",
        "        now no name",
    ]
    assert any("blank_parent" in line for line in lines)
    assert any("not_in_reference" in line for line in lines)


def test_nothing_is_said_of_moves_if_there_are_none() -> None:
    assert moves_text(moves_figures({}, {}, {})) == ""
