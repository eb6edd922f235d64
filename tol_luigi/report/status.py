"""Format the progress of a build, as text and as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, counted, human_bytes, human_seconds, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Cause",
    "Progress",
    "RunningTask",
    "StageStatus",
    "Status",
    "by_cause",
    "cause_pattern",
    "status_figures",
    "status_line",
    "status_text",
]

_SHOWN = 8
_BAR = 30


@dataclass(frozen=True)
class StageStatus:
    """The number of tasks of a stage: all, complete, running and failed."""

    name: str
    tasks: int
    complete: int
    running: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Progress:
    """The finished amount of a total.

    Attributes:
        done: The finished amount.
        all: The total, or None if it is not known yet.
    """

    done: int = 0
    all: int | None = None


@dataclass(frozen=True)
class RunningTask:
    """A running task.

    Attributes:
        label: A short name of the task.
        node: The node that runs it.
        seconds: The seconds since its start.
        percentage: Its progress, if reported.
        message: Its last status message.
        log: The path of its log.
    """

    label: str
    node: str
    seconds: float
    percentage: int | None
    message: str
    log: str


@dataclass(frozen=True)
class Cause:
    """A cause of failed tasks.

    Attributes:
        cause: The error message of the first failed task.
        labels: The short names of the tasks.
        log: The log of the first task, or "".
        is_final: Whether the tasks will not be retried automatically.
    """

    cause: str
    labels: list[str]
    log: str
    is_final: bool


@dataclass(frozen=True)
class Status:
    """The progress of a build.

    Attributes:
        dataset: The folder of the dataset.
        is_complete: Whether the dataset is complete.
        scheduler: The address of luigid and its workers, or the reason why it was not asked.
        stages: The stages, in their order.
        images: The processed images of train and val. train_small repeats some of them.
        bytes: The bytes of all shards.
        rate: The images per second, or None if unknown.
        rate_over: The period of the rate.
        seconds_left: The seconds until all shards are written, at that rate.
        running: The running tasks.
        causes: The causes of failed tasks.
        notes: Further notes, one per line.
    """

    dataset: str
    is_complete: bool
    scheduler: str
    stages: Sequence[StageStatus]
    images: Progress = field(default_factory=Progress)
    bytes: Progress = field(default_factory=Progress)
    rate: float | None = None
    rate_over: str = ""
    seconds_left: float | None = None
    running: Sequence[RunningTask] = ()
    causes: Sequence[Cause] = ()
    notes: Sequence[str] = ()

    @property
    def tasks(self) -> Progress:
        """The complete tasks of all stages."""
        return Progress(
            sum(stage.complete for stage in self.stages), sum(stage.tasks for stage in self.stages)
        )


_PATH = re.compile(r"\S*/\S*")
_NUMBER = re.compile(r"[0-9a-f]{8,}|[0-9]+", re.IGNORECASE)


def cause_pattern(cause: str) -> str:
    """Return a cause without its paths and numbers: what failures of the same kind have in common."""
    return _NUMBER.sub("#", _PATH.sub("…", cause))


def by_cause(failures: Iterable[tuple[str, str, str, bool]]) -> list[Cause]:
    """Group failures by cause, the most frequent cause first. Paths and numbers in causes are ignored.

    Args:
        failures: For each task its label, its cause, its log or "", and whether it will not be retried.
    """
    groups: dict[str, Cause] = {}
    for label, cause, log, is_final in failures:
        group = groups.setdefault(cause_pattern(cause), Cause(cause, [], log, is_final))
        group.labels.append(label)
    return sorted(groups.values(), key=lambda group: -len(group.labels))


def status_figures(status: Status) -> dict[str, Any]:
    """Return the status as JSON."""
    return {**asdict(status), "tasks": asdict(status.tasks)}


def status_line(status: Status) -> str:
    """Return the status in one line."""
    failed = sum(len(cause.labels) for cause in status.causes)
    parts = [
        f"{_counts(status.tasks)} tasks",
        *([f"{_counts(status.images)} images"] if status.images.all else []),
        *([f"{status.rate:,.1f} per second"] if status.rate else []),
        *([f"{human_seconds(status.seconds_left)} left"] if status.seconds_left else []),
        *([f"{failed} failed"] if failed else []),
        *(["complete"] if status.is_complete else []),
    ]
    return ", ".join(parts)


def status_text(status: Status) -> str:
    """Return the status as text, as wide as the terminal except for tables and longer paths."""
    return (
        "\n".join(
            [
                f"Dataset {status.dataset}: {'complete' if status.is_complete else 'not complete'}",
                *wrapped(status.scheduler),
                "",
                *_stages(status),
                "",
                *_progress(status),
                *_running(status),
                *_causes(status),
                *(line for note in status.notes for line in wrapped(note)),
            ]
        ).rstrip()
        + "\n"
    )


def _stages(status: Status) -> list[str]:
    rows = [["stage", "tasks", "complete", "running", "failed"]]
    for stage in status.stages:
        counts = (stage.tasks, stage.complete, stage.running, stage.failed)
        rows.append([stage.name, *(f"{count:,}" for count in counts)])
    return aligned(rows)


def _progress(status: Status) -> list[str]:
    tasks = status.tasks
    lines = [f"{_bar(tasks)} {_counts(tasks)} tasks"]
    if status.images.all:
        lines.append(f"{_bar(status.images)} {_counts(status.images)} images")
    if status.bytes.done:
        of = (
            f" of about {human_bytes(status.bytes.all)}"
            if status.bytes.all and not status.is_complete
            else ""
        )
        lines.append(f"shards: {human_bytes(status.bytes.done)}{of}")
    if status.rate and not status.is_complete:
        left = f", {human_seconds(status.seconds_left)} left" if status.seconds_left is not None else ""
        lines.append(f"rate: {status.rate:,.1f} images per second {status.rate_over}{left}")
    return lines


def _running(status: Status) -> list[str]:
    lines = ["", "running"] if status.running else []
    for work in status.running[:_SHOWN]:
        done = "" if work.percentage is None else f"{work.percentage} %, "
        lines += wrapped(f"{work.label} on {work.node}, {done}for {human_seconds(work.seconds)}", "  ")
        lines += wrapped(work.message, "    ")
    return [*lines, *_more_line(len(status.running))]


def _causes(status: Status) -> list[str]:
    lines: list[str] = []
    for cause in status.causes[:_SHOWN]:
        lines += ["", f"failed: {counted(len(cause.labels), 'task')}"]
        lines[-1] += "" if cause.is_final else ", will be retried"
        lines += wrapped(cause.cause, "  ")
        lines += wrapped(", ".join(cause.labels[:_SHOWN]), "    ") + _more_line(len(cause.labels))
        lines += [f"    log: {cause.log}"] if cause.log else []
    return [*lines, *_more_line(len(status.causes))]


def _more_line(count: int) -> list[str]:
    return [f"    and {count - _SHOWN:,} more"] if count > _SHOWN else []


def _counts(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.all:,}" if progress.all is not None else f"{progress.done:,}"


def _bar(progress: Progress) -> str:
    part = progress.done / progress.all if progress.all else 0
    return f"[{'#' * int(part * _BAR):-<{_BAR}}] {int(100 * part):3d} %"
