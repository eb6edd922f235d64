from __future__ import annotations

import pytest

from tol_luigi.report.splits import split_notes, splits_figures, splits_text

COUNTS = {
    "images": 200,
    "val": 10,
    "given_train": 0,
    "given_val": 0,
    "groups": 0,
    "grouped": 0,
    "smallest": 0,
    "largest": 0,
}
GROUPS = {"groups": 24, "grouped": 180, "smallest": 2, "largest": 1_200}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({}, "10 of 200 images, 5 % ([dataset] val_percent = 5)", id="exact"),
        pytest.param(
            {"val": 11, **GROUPS},
            "11 of 200 images, 5.5 % (as near to [dataset] val_percent = 5 as possible); "
            "24 groups of 2 to 1,200 images, none divided",
            id="groups",
        ),
        pytest.param(
            {"val": 40, "given_train": 150, "given_val": 40},
            "40 of 200 images, 20 % (as near to [dataset] val_percent = 5 as possible); "
            "splits given: 150 train, 40 val, 10 without one",
            id="given",
        ),
        pytest.param(
            {"val": 0, **GROUPS, "groups": 5, "grouped": 200, "smallest": 40, "largest": 40},
            "0 of 200 images, 0 % (as near to [dataset] val_percent = 5 as possible); 5 groups of 40 images, "
            "none divided; val is empty, since all groups are large: set val_percent to at least 11",
            id="only large groups",
        ),
        pytest.param(
            {"val": 40, "given_train": 160, "given_val": 40},
            "40 of 200 images, 20 %; splits given: 160 train, 40 val, 0 without one",
            id="all given",
        ),
        pytest.param({"images": 0, "val": 0}, "0 of 0 images, 0 % ([dataset] val_percent = 5)", id="nothing"),
    ],
)
def test_each_source_has_a_line(changes: dict[str, int], line: str) -> None:
    figures = splits_figures({"folder": {**COUNTS, **changes}}, 5)

    assert split_notes(figures) == [f"val of folder: {line}"]
    assert splits_text(figures) == f"val of folder: {line}\n"
