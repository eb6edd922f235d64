"""How figures are written for people."""

from __future__ import annotations

import pytest

from tol_luigi.report.text import aligned, human_bytes, human_seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (18_100_000, "18.1 MB"), (3.6e12, "3.60 TB")],
)
def test_bytes(size: float, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "<0.1 s"),
        (9.5, "9.5 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (12_000, "3 h 20 min"),
        (1_000_000, "11 d 13 h"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_a_table_stands_in_columns() -> None:
    assert aligned([["stage", "tasks"], ["a", "1"], ["long name", ""]]) == [
        "stage      tasks",
        "a              1",
        "long name",
    ]
