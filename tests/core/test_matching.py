from __future__ import annotations

import pytest

from tol_luigi.core.matching import EXAMPLES, Match


@pytest.mark.parametrize(
    ("files", "matched_files", "labels", "matched_labels", "percent"),
    [
        pytest.param(4, 4, None, 0, 100, id="every file is named by a taxonomy"),
        pytest.param(4, 1, None, 0, 25, id="a quarter of the files is named"),
        pytest.param(4, 1, 2, 1, 50, id="half of a table has files, so that the table counts"),
        pytest.param(4, 2, 100, 2, 50, id="half of the files is named, so that the files count"),
        pytest.param(4, 0, 5, 0, 0, id="nothing matches"),
        pytest.param(0, 0, 5, 0, 0, id="there are no files"),
        pytest.param(4, 0, 0, 0, 0, id="there are no labels"),
        pytest.param(0, 0, None, 0, 100, id="there is nothing to match"),
        pytest.param(0, 0, 0, 0, 100, id="there is nothing on either side"),
    ],
)
def test_the_percentage_is_of_the_side_that_matches_better(
    files: int, matched_files: int, labels: int | None, matched_labels: int, percent: float
) -> None:
    match = Match("folder", "[folder] labels", "labels.csv", files, matched_files, labels, matched_labels)

    assert match.percent == percent
    assert (match.unmatched_files, match.unmatched_labels, match.cause) == ((), (), None)


def test_few_examples_are_shown() -> None:
    assert EXAMPLES == 3
