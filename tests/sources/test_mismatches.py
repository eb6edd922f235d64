"""The likely cause of names that do not match is the one that the names themselves show."""

from __future__ import annotations

import pytest

from tol_luigi.sources import mismatches
from tol_luigi.sources.mismatches import find_cause


@pytest.mark.parametrize(
    ("labels", "files", "differences", "matched"),
    [
        pytest.param(["a", "b.1"], ["a.jpg", "b.1.png", "c.jpg"], ["endings"], 2, id="no endings"),
        pytest.param(["a.png"], ["a.jpg"], ["endings"], 1, id="other endings"),
        pytest.param(["photos/a.jpg"], ["a.jpg"], ["folders in front of names"], 1, id="a folder more"),
        pytest.param(["a.jpg"], ["x/y/a.jpg"], ["folders in front of names"], 1, id="folders less"),
        pytest.param(["A.JPG"], ["a.jpg"], ["upper and lower case"], 1, id="case"),
        pytest.param(["s\\a.jpg"], ["s/a.jpg"], ["separators (backslash and /)"], 1, id="backslashes"),
        pytest.param(["a.jpg "], ["a.jpg"], ["blanks around names"], 1, id="blanks"),
        pytest.param(["\u00f1.jpg"], ["n\u0303.jpg"], ["Unicode normal forms"], 1, id="normal form"),
        pytest.param(
            ["p\\A.jpg", "B", "C"], ["a.jpg", "b.jpg", "c.jpg"], ["endings", "upper and lower case"], 2, id="two of them"
        ),
        pytest.param(
            ["A.JPG", "b", "c"], ["a.jpg", "b.jpg", "c.jpg"], ["endings"], 2, id="the one that matches most"
        ),
        pytest.param(
            ["C:\\p\\A "], ["a.jpg"],
            ["separators (backslash and /)", "blanks around names", "Unicode normal forms", "folders in front of names", "endings",
             "upper and lower case"],
            1, id="all together",
        ),
    ],
)  # fmt: skip
def test_the_cause(labels: list[str], files: list[str], differences: list[str], matched: int) -> None:
    cause = find_cause(labels, files)
    assert cause is not None
    assert (list(cause.differences), cause.matched) == (differences, matched)
    assert cause.label in labels
    assert cause.file in files


def test_no_cause() -> None:
    assert find_cause(["a.jpg"], ["b.jpg"]) is None
    assert find_cause([], ["b.jpg"]) is None
    assert find_cause(["a.jpg"], []) is None


def test_of_many_names_those_are_compared_that_can_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mismatches, "_COMPARED", 50)
    labels = (f"photos/{number}.jpg" for number in range(2000))
    files = (f"{number}.jpg" for number in reversed(range(2000)))
    cause = find_cause(labels, files)
    assert cause is not None
    assert (cause.differences, cause.matched) == (("folders in front of names",), 50)
