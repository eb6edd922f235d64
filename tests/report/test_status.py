"""The words of ``tol status``."""

from __future__ import annotations

from tol_luigi.report.status import Cause, Progress, StageStatus, Status, by_cause, status_line, status_text


def test_failures_that_differ_in_paths_and_numbers_only_are_one_cause() -> None:
    told = [
        ("WriteShards train eol a", "/data/a.tar.gz: is incomplete or damaged: at byte 17", "/log/1", True),
        ("CheckTaxa final", "Above the limits of [checks]", "", False),
        ("WriteShards train eol b", "/data/b.tar.gz: is incomplete or damaged: at byte 4711", "/log/2", True),
    ]
    assert by_cause(told) == [
        Cause(told[0][1], ["WriteShards train eol a", "WriteShards train eol b"], "/log/1", is_final=True),
        Cause(told[1][1], ["CheckTaxa final"], "", is_final=False),
    ]


def test_a_status_is_told_in_a_line_and_at_length() -> None:
    status = Status(
        dataset="/data/tol10m",
        is_complete=False,
        scheduler="luigid at http://n1:8082, 64 workers",
        stages=[
            StageStatus("ScanPartition", 100, 100),
            StageStatus("WriteShards", 300, 50, running=64, failed=20),
        ],
        images=Progress(1_000_000, 10_000_000),
        bytes=Progress(57_000_000_000, 600_000_000_000),
        rate=2000.0,
        rate_over="over the last minute",
        seconds_left=4500.0,
        causes=[
            Cause(
                "/data/x: is incomplete or damaged",
                [f"WriteShards train eol {n}" for n in range(20)],
                "/log",
                is_final=True,
            )
        ],
    )
    assert status_line(status) == (
        "150 of 400 tasks, 1,000,000 of 10,000,000 images, 2,000.0 per second, 1 h 15 min left, 20 failed"
    )
    text = status_text(status)
    assert "WriteShards      300        50       64      20\n" in text
    assert "[###---------------------------]  10 % 1,000,000 of 10,000,000 images\n" in text
    assert "shards: 57.0 GB of about 600.0 GB\n" in text
    assert "failed: 20 tasks\n" in text
    assert "and 12 more" in text
    assert max(map(len, text.splitlines())) <= 80
