"""Build times and rates by stage, as a table and as a page."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.report.rows_csv import rows_csv
from tol_luigi.report.text import human_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["StageTime", "stage_times", "times_csv", "times_page"]

_COLUMNS = ("stage", "tasks", "seconds", "median", "longest", "count", "unit", "per_second")


@dataclass(frozen=True)
class StageTime:
    """How long a stage took.

    Attributes:
        stage: Its name.
        tasks: How many tasks of it were timed.
        seconds: The sum of their seconds.
        median: The median of their seconds.
        longest: The task that took longest, and its seconds.
        count: What the tasks have counted, all together.
        unit: What was counted, in the plural; "" if nothing was.
    """

    stage: str
    tasks: int
    seconds: float
    median: float
    longest: tuple[str, float]
    count: int
    unit: str

    @property
    def rate(self) -> float:
        """How many were counted a second; 0 if nothing was."""
        return self.count / self.seconds if self.seconds else 0.0


def stage_times(lines: Iterable[str]) -> list[StageTime]:
    """Return the times of all stages, in the order in which they ended first.

    Args:
        lines: The lines of the log of times. A task that ran several times counts with its last run; damaged lines are
            skipped, as two nodes can write at once.
    """
    last: dict[str, tuple[str, str, float, str, int]] = {}
    for line in lines:
        try:
            one = json.loads(line)
            last[one["label"]] = (
                str(one["family"]),
                str(one["label"]),
                float(one["seconds"]),
                str(one["unit"]),
                int(one["count"]),
            )
        except (ValueError, LookupError, TypeError):
            continue
    stages: dict[str, list[tuple[str, str, float, str, int]]] = {}
    for task in last.values():
        stages.setdefault(task[0], []).append(task)
    return [_stage_time(stage, tasks) for stage, tasks in stages.items()]


def _stage_time(stage: str, tasks: Sequence[tuple[str, str, float, str, int]]) -> StageTime:
    seconds = [task[2] for task in tasks]
    longest = max(tasks, key=lambda task: (task[2], task[1]))
    unit = next((task[3] for task in tasks if task[3]), "")
    return StageTime(
        stage,
        len(tasks),
        sum(seconds),
        statistics.median(seconds),
        (longest[1], longest[2]),
        sum(task[4] for task in tasks),
        unit,
    )


def times_csv(stages: Iterable[StageTime]) -> str:
    """Return the times as CSV, in seconds."""
    rows = []
    for one in stages:
        figures = [f"{number:.3f}" for number in (one.seconds, one.median, one.longest[1])]
        rows.append([one.stage, one.tasks, *figures, one.count, one.unit, f"{one.rate:.1f}"])
    return rows_csv([_COLUMNS, *rows])


def times_page(stages: Sequence[StageTime]) -> str:
    """Return the times as a page."""
    from tol_luigi.report.page_template import rendered  # noqa: PLC0415 (most commands write no page)

    total = sum(one.seconds for one in stages)
    most = max((one.seconds for one in stages), default=0) or 1
    rows = [
        {
            "stage": one.stage,
            "tasks": one.tasks,
            "width": f"{100 * one.seconds / most:.2f}",
            "seconds": human_seconds(one.seconds),
            "share": f"{100 * one.seconds / total:.0f} %" if total else "",
            "median": human_seconds(one.median),
            "longest": f"{human_seconds(one.longest[1])}: {one.longest[0]}",
            "rate": f"{one.count:,} {one.unit}, {one.rate:,.0f} a second" if one.unit else "",
        }
        for one in stages
    ]
    return rendered("times.html.j2", {"rows": rows, "total": human_seconds(total)})
