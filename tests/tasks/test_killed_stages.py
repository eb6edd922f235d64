"""Every stage but the pixels, killed with -9 before each file that it opens for writing, renames or removes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from killed import BENCH, attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

IMAGES = 1000

STAGES = [
    "MakeMapping",
    "MakeSplits",
    "MakeMetadata",
    "PredictCatalog",
    "CheckPredictedTaxa",
    "CheckMatches",
    "PlanShards",
    "_written",
    "FindDuplicates",
    "WriteCatalog",
    "WriteCard",
    "CheckTaxa",
]
"""In their order; in the middle the generator stands in for the shards."""


def made(folder: Path) -> Path:
    """Make the inputs of a small dataset that is like the full one."""
    subprocess.run(
        [sys.executable, BENCH / "_full_size.py", folder, "--images", str(IMAGES)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "killed"), "_written")


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[Callable[[int, str], int]]:
    yield from attempts(made(tmp_path / "undisturbed"), "_written")


def test_a_stage_that_is_killed_leaves_nothing_that_is_taken_for_whole(
    tmp_path: Path, attempt: Any, undisturbed: Any, digests: Any
) -> None:
    kills = {}
    for stage in STAGES:
        before = digests(tmp_path / "undisturbed" / "built")
        assert undisturbed(0, stage) == 0
        after = digests(tmp_path / "undisturbed" / "built")
        moment = 0
        while stage != "_written" and attempt(moment + 1, stage) == -9:
            moment += 1
            there = digests(tmp_path / "killed" / "built")
            assert all(digest in {before.get(name), after.get(name)} for name, digest in there.items()), stage
        kills[stage] = moment
        assert attempt(0, stage) == 0
        assert digests(tmp_path / "killed" / "built") == after, stage
    assert all(count for stage, count in kills.items() if stage != "_written"), kills
