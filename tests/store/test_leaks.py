"""The pictures of benchmarks, their hashes kept in a file, and how many images were known by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tol_luigi.core.benchmarks import BenchmarkImage
from tol_luigi.core.ledger import State
from tol_luigi.core.perceptual import PerceptualHash
from tol_luigi.store.benchmarks import read_benchmarks, write_benchmarks
from tol_luigi.store.leaks import count_listed, count_matched
from tol_luigi.store.ledger import GUARDED_LEDGER, ledger_row, write_ledger

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = [
    BenchmarkImage("rare", "a.jpg", "a" * 64, PerceptualHash(bytes(range(32)), 50)),
    BenchmarkImage("rare", "b.jpg", "d" * 64, PerceptualHash(bytes(range(1, 33)), 100)),
    BenchmarkImage("rare", "plain.jpg", "b" * 64, PerceptualHash(bytes(32), 49)),
    BenchmarkImage("rare", "broken.jpg", "c" * 64, None, "not a picture"),
    BenchmarkImage("newt", "set.zip/x.jpg", "", None, "Input/output error"),
]


def test_hashes_are_read_as_they_were_written(tmp_path: Path) -> None:
    told: list[int] = []
    write_benchmarks(tmp_path / "hashes.parquet", PICTURES, told.append)

    assert list(read_benchmarks(tmp_path / "hashes.parquet")) == PICTURES
    assert told == [1, 2, 3, 4, 5]


def test_no_pictures_make_an_empty_file(tmp_path: Path) -> None:
    write_benchmarks(tmp_path / "hashes.parquet", [], lambda _: None)
    assert list(read_benchmarks(tmp_path / "hashes.parquet")) == []


def test_pictures_of_each_list_are_counted() -> None:
    assert count_listed(PICTURES) == {
        "rare": {"image_files": 4, "too_plain": 1, "unreadable": ["broken.jpg (not a picture)"]},
        "newt": {"image_files": 1, "too_plain": 0, "unreadable": ["set.zip/x.jpg (Input/output error)"]},
    }


@pytest.fixture
def ledgers(tmp_path: Path) -> list[Path]:
    def row(source: str, state: State, benchmark: str | None, bits: int | None) -> dict[str, object]:
        told = ledger_row("i", source, "a", "x", state, "")
        return {**told, "benchmark": benchmark, "differing_bits": bits}

    rows = [
        [
            row("eol", State.EXCLUDED_IMAGE, "rare", None),
            row("eol", State.EXCLUDED_IMAGE, "rare", 0),
            row("eol", State.EXCLUDED_IMAGE, "rare", 31),
            row("eol", State.EXCLUDED_IMAGE, None, None),
            row("eol", State.WRITTEN, "rare", 3),
        ],
        [row("bioscan", State.EXCLUDED_IMAGE, "rare", None), row("eol", State.EXCLUDED_IMAGE, "rare", None)],
    ]
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for path, mine in zip(paths, rows, strict=True):
        write_ledger(path, mine, GUARDED_LEDGER)
    return paths


def test_each_image_that_was_kept_out_counts_by_how_it_was_known(ledgers: list[Path]) -> None:
    lists = {
        "unseen": {"sources": {"eol": {"images_excluded_by_image": 4, "images_excluded_by_species": 5}}},
        "rare": {"sources": {"eol": {"images_excluded_by_image": 6, "images_excluded_by_species": 0}}},
    }

    assert dict(+count_matched(lists, ledgers)) == {
        ("unseen", "eol", "id"): 4,
        ("unseen", "eol", "species"): 5,
        ("rare", "eol", "id"): 6,
        ("rare", "eol", "exact_hash"): 2,
        ("rare", "eol", "perceptual_hash"): 2,
        ("rare", "bioscan", "exact_hash"): 1,
    }
