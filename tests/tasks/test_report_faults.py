"""The report alone: killed with -9, made twice at once, and on a full disk."""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from killed import attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Attempt = Any

STAGE, KILLED = "BuildReport", -9
STEP = 13
"""How many files there are between two moments at which the stage is killed."""

MODULES = ("pandas", "pyarrow.dataset", "tol_luigi.dataset.report_data", "tol_luigi.report.build_tables")


@pytest.fixture
def few(sample_settings: Sections) -> Sections:
    """The sample, with another report than the one that is there: it shows few images, so it is made quickly."""
    return {**sample_settings, "report": {"thumbnails": 12}}


@pytest.fixture
def two(
    tmp_path: Path, build_with_page: Path, few: Sections, settings_file: Callable[..., Path]
) -> Iterator[tuple[Attempt, Attempt]]:
    """Two processes that make the report of one dataset, in which everything else is there."""
    shutil.copytree(build_with_page, tmp_path / "out" / "sample")
    settings_file(few, path="luigi.cfg")
    start = contextlib.contextmanager(attempts)
    with start(tmp_path, *MODULES) as one, start(tmp_path, *MODULES) as other:
        yield one, other


def forget(directory: Path) -> None:
    """Have no report, as if none had been made."""
    shutil.rmtree(directory / "224x224" / "report")
    for path in directory.rglob("*BuildReport*.json"):
        path.unlink()


def test_a_report_that_is_killed_or_made_twice_at_once_has_the_same_bytes(
    two: tuple[Attempt, Attempt], tmp_path: Path, digests: Callable[..., dict[str, str]]
) -> None:
    directory = tmp_path / "out" / "sample"
    before = digests(directory)
    assert two[0](0, STAGE) == 0
    made = digests(directory)
    assert made != before

    forget(directory)
    kills = 0
    while two[0](1 + STEP * kills, STAGE) == KILLED:
        kills += 1
        there = digests(directory)
        assert there.items() <= made.items()
        assert there == made or not any(STAGE in name for name in there)  # a receipt only if all is there
    assert kills > 2
    assert digests(directory) == made

    forget(directory)
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda attempt: attempt(0, STAGE), two))
    assert codes == [0, 0]
    assert digests(directory) == made


def test_a_full_disk_at_the_report_is_one_line_and_leaves_no_half_report(
    *,
    small_disk: Callable[[str], Path],
    build_with_page: Path,
    few: Sections,
    settings_file: Callable[..., Path],
    build: Callable[..., Any],
) -> None:
    disk = small_disk("size=64m")
    directory = disk / "sample"
    shutil.copytree(build_with_page, directory)
    forget(directory)
    used = shutil.disk_usage(disk).used
    small_disk(f"size={used + 60_000}")
    settings = settings_file({**few, "dataset": {**few["dataset"], "root": disk}})

    finished = build(settings, task=STAGE)
    assert finished.returncode == 30, finished.stderr
    (message,) = finished.messages
    assert message.startswith(STAGE)
    assert "the disk is full" in message
    assert list(disk.rglob("*.attempt-*")) == []
    assert not (directory / "224x224" / "report" / "report.html").exists()

    small_disk("size=64m")
    assert build(settings, task=STAGE).returncode == 0
    assert (directory / "224x224" / "report" / "report.html").exists()
