from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tol_luigi.report.summary import Summary, summary_text

SUMMARY = Summary(
    dataset=Path("build/dev"),
    catalog=Path("build/dev/catalog.csv"),
    seconds=12.34,
    written={("train", "eol"): 1234, ("train", "bioscan"): 17, ("val", "eol"): 66},
    rejected={("no_taxon", "eol"): 3, ("unreadable", "inat21"): 1},
    shards={"train": 1200, "val": 1},
    size=1_234_567,
    notes=["the first note", "the second note"],
    report=Path("build/dev/report.html"),
)


def test_the_figures_stand_in_tables() -> None:
    assert summary_text(SUMMARY).splitlines() == [
        "Dataset build/dev",
        "",
        "images    eol  bioscan  inat21    all",
        "train   1,234       17       0  1,251",
        "val        66        0       0     66",
        "",
        "rejected    eol  bioscan  inat21  all",
        "no_taxon      3        0       0    3",
        "unreadable    0        0       1    1",
        "",
        "1,201 shards (1,200 of train, 1 of val), 1.2 MB, in 12 s",
        "report: build/dev/report.html",
        "catalog: build/dev/catalog.csv",
        "the first note",
        "the second note",
    ]


def test_where_nothing_is_left_out_nothing_is_said_of_it() -> None:
    assert "rejected" not in summary_text(dataclasses.replace(SUMMARY, rejected={}))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_400, "999.4 kB"),
        (30_000_000_000, "30.0 GB"),
        (1_234_000_000_000, "1.23 TB"),
        (12_345_000_000_000_000, "12345.00 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert f"), {text}, in" in summary_text(dataclasses.replace(SUMMARY, size=size))


def test_one_shard_is_not_called_shards_and_a_long_build_has_hours() -> None:
    text = summary_text(dataclasses.replace(SUMMARY, shards={"train": 1}, seconds=7260.0))
    assert "\n1 shard (1 of train), 1.2 MB, in 2 h 1 min\n" in text


def test_an_empty_dataset() -> None:
    text = summary_text(dataclasses.replace(SUMMARY, written={}, rejected={}, shards={}, size=0, notes=[]))

    assert "0 shards" in text
    assert text.endswith("catalog: build/dev/catalog.csv\n")
