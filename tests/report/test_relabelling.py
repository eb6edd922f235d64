from __future__ import annotations

from pathlib import Path

from tol_luigi.report.relabelling import relabelling_figures, relabelling_text

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
