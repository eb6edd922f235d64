"""Durations, amounts of memory and options, as Slurm's commands take and print them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.slurm import Job, Request, double_memory, log_option, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 1800),
        ("30:15", 1815),
        ("12:00:00", 43200),
        ("2-0", 172800),
        ("1-02:30", 95400),
        ("1-02:30:15", 95415),
    ],
)
def test_durations_are_read_as_sbatch_reads_them(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("now", "most", "then"),
    [
        pytest.param("4G", "32G", "8G", id="twice"),
        pytest.param("4G", "6G", "6G", id="up to the most"),
        pytest.param("4G", "4096M", None, id="the most already"),
        pytest.param("700M", "1G", "1G", id="units differ"),
        pytest.param(None, "4G", None, id="the cluster's default"),
        pytest.param("4G", None, None, id="never more"),
    ],
)
def test_more_memory(now: str | None, most: str | None, then: str | None) -> None:
    assert double_memory(now, most) == then


@given(st.integers(1, 100), st.integers(1, 100_000))
def test_memory_stops_growing_at_the_most(now: int, most: int) -> None:
    memory: str | None = f"{now}M"
    steps = []
    while memory:
        steps.append(int(memory[:-1]))
        memory = double_memory(memory, f"{most}M")
    assert steps[-1] == max(now, most)


def test_a_time_that_squeue_cannot_tell_is_nothing() -> None:
    assert seconds("INVALID") == 0
    assert seconds("0:07") == 7


def test_options_of_the_user_come_last_and_win() -> None:
    request = Request("me", None, "1:00:00", requeue=False, more=("--time=2:00:00",))
    assert request.options("--nodes=1") == [
        "--nodes=1", "--account=me", "--time=1:00:00", "--no-requeue", "--time=2:00:00"
    ]  # fmt: skip


def test_percent_signs_of_a_folder_have_no_meaning_in_a_log() -> None:
    assert log_option(Path("/data/100%j"), "%x-%j.log") == "--output=/data/100%%j/%x-%j.log"


@pytest.mark.parametrize(
    ("state", "live", "lost", "failed"),
    [
        ("PENDING", True, False, False),
        ("RUNNING", True, False, False),
        ("COMPLETED", False, False, False),
        ("CANCELLED", False, False, False),
        ("NODE_FAIL", False, True, False),
        ("OUT_OF_MEMORY", False, True, True),
        ("FAILED", False, True, True),
    ],
)
def test_states_of_jobs(state: str, *, live: bool, lost: bool, failed: bool) -> None:
    job = Job("1", None, state, "None", "", 0)
    assert (job.is_live, job.is_lost, job.has_failed) == (live, lost, failed)
