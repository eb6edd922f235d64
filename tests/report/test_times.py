"""Build times by stage."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from tol_luigi.report.times import stage_times, times_csv, times_page

if TYPE_CHECKING:
    from pathlib import Path


def line(label: str, seconds: float, count: int = 0) -> str:
    family = label.split(maxsplit=1)[0]
    unit = "images" if count else ""
    return json.dumps({"family": family, "label": label, "seconds": seconds, "unit": unit, "count": count})


def test_a_stage_has_the_last_times_of_its_tasks_and_their_rate() -> None:
    lines = [
        line("WriteShards train eol", 9.0, 10),
        line("WriteShards train eol", 3.0, 60),
        line("PlanShards", 0.5),
        '{"family": "Wri',
        '["WriteShards", 1]',
        line("WriteShards val eol", 1.0, 20),
    ]
    written, plan = stage_times(lines)

    assert (written.stage, written.tasks, written.seconds, written.median) == ("WriteShards", 2, 4.0, 2.0)
    assert (written.count, written.unit, written.rate) == (80, "images", 20.0)
    assert written.longest == ("WriteShards train eol", 3.0)
    assert (plan.unit, plan.rate) == ("", 0.0)
    first, second = csv.DictReader(io.StringIO(times_csv([written, plan])))
    assert (first["per_second"], first["longest"], second["seconds"]) == ("20.0", "3.000", "0.500")


def test_a_page_without_times_is_a_page_and_hostile_labels_are_text() -> None:
    assert "0 s of all tasks" in times_page([])
    page = times_page(stage_times([line("<script>\x1b", 1.0)]))

    assert "&lt;script&gt;\\x1b" in page
    assert "<script" not in page


def test_every_task_of_a_build_is_timed(own_build: Path) -> None:
    rows = csv.DictReader((own_build / "logs" / "times.csv").read_text(encoding="utf-8").splitlines())
    stages = {row["stage"]: row for row in rows}

    assert {"ScanPartition", "WriteShards", "BuildReport", "WriteManifest"} <= stages.keys()
    listed = json.loads((own_build / "manifest.json").read_bytes())["files"]
    tasks = {file["task"] for file in listed.values() if file["task"].startswith("WriteShards")}
    assert int(stages["WriteShards"]["tasks"]) >= len(tasks) > 1
    assert int(stages["WriteCatalog"]["count"]) > 0
    assert not any(name.startswith("logs/") for name in listed)
