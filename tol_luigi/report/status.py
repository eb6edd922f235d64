"""How far a build is, for people and for programs."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, human_bytes, human_seconds, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Cause",
    "Share",
    "StageStatus",
    "Status",
    "Work",
    "by_cause",
    "status_figures",
    "status_line",
    "status_text",
]

_SHOWN = 8
_BAR = 30


@dataclass(frozen=True)
class StageStatus:
    """How many tasks of one kind there are, are complete, are being worked on and have failed."""

    name: str
    tasks: int
    complete: int
    running: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Share:
    """How much of something is done.

    Attributes:
        done: How much is.
        all: How much there will be; None where that is not known yet.
    """

    done: int = 0
    all: int | None = None


@dataclass(frozen=True)
class Work:
    """A task that somebody is at.

    Attributes:
        label: The task, in a few words.
        node: Where.
        seconds: For how long.
        percentage: How far it is, if it has said so.
        message: What it has said last.
        log: The file that it writes to.
    """

    label: str
    node: str
    seconds: float
    percentage: int | None
    message: str
    log: str


@dataclass(frozen=True)
class Cause:
    """Why tasks have failed.

    Attributes:
        cause: What the first of them has said.
        labels: The tasks, in a few words each.
        log: The log of the first of them, "" where it has none.
        is_final: Whether they will not be tried again by themselves.
    """

    cause: str
    labels: list[str]
    log: str
    is_final: bool


@dataclass(frozen=True)
class Status:
    """How far a build is.

    Attributes:
        dataset: Its folder.
        is_complete: Whether there is nothing left to do.
        scheduler: Where luigid is and who works for it, or why it is not asked.
        stages: The stages, in their order.
        images: The pictures of train and val that have been looked at; train_small repeats some of them.
        bytes: Of all shards.
        rate: Images a second, None where that is not known.
        rate_over: Over which time.
        seconds_left: Until all shards are written, at that rate.
        running: The tasks at work.
        causes: Why tasks have failed.
        notes: What else to say, a line each.
    """

    dataset: str
    is_complete: bool
    scheduler: str
    stages: Sequence[StageStatus]
    images: Share = field(default_factory=Share)
    bytes: Share = field(default_factory=Share)
    rate: float | None = None
    rate_over: str = ""
    seconds_left: float | None = None
    running: Sequence[Work] = ()
    causes: Sequence[Cause] = ()
    notes: Sequence[str] = ()

    @property
    def tasks(self) -> Share:
        """How many tasks are complete."""
        return Share(sum(stage.complete for stage in self.stages), sum(stage.tasks for stage in self.stages))


_PATH = re.compile(r"\S*/\S*")
_NUMBER = re.compile(r"[0-9a-f]{8,}|[0-9]+", re.IGNORECASE)


def by_cause(failures: Iterable[tuple[str, str, str, bool]]) -> list[Cause]:
    """Put together what has failed for the same reason, the most frequent first; paths and numbers do not count.

    Args:
        failures: Of each task the label, the cause, the log or "", and whether it will not be tried again.
    """
    groups: dict[str, Cause] = {}
    for label, cause, log, is_final in failures:
        group = groups.setdefault(_NUMBER.sub("#", _PATH.sub("…", cause)), Cause(cause, [], log, is_final))
        group.labels.append(label)
    return sorted(groups.values(), key=lambda group: -len(group.labels))


def status_figures(status: Status) -> dict[str, Any]:
    """Give everything, for programs."""
    return {**asdict(status), "tasks": asdict(status.tasks)}


def status_line(status: Status) -> str:
    """Say it in one line."""
    failed = sum(len(cause.labels) for cause in status.causes)
    parts = [
        f"{_share(status.tasks)} tasks",
        *([f"{_share(status.images)} images"] if status.images.all else []),
        *([f"{status.rate:,.1f} a second"] if status.rate else []),
        *([f"{human_seconds(status.seconds_left)} left"] if status.seconds_left else []),
        *([f"{failed} failed"] if failed else []),
        *(["complete"] if status.is_complete else []),
    ]
    return ", ".join(parts)


def status_text(status: Status) -> str:
    """Write it for people, 80 columns wide but for paths that are longer."""
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
        rows.append([stage.name, *(f"{count:,}" if count else "" for count in counts)])
    return aligned(rows)


def _progress(status: Status) -> list[str]:
    tasks = status.tasks
    lines = [f"{_bar(tasks)} {_share(tasks)} tasks"]
    if status.images.all:
        lines.append(f"{_bar(status.images)} {_share(status.images)} images")
    if status.bytes.done:
        of = (
            f" of about {human_bytes(status.bytes.all)}"
            if status.bytes.all and not status.is_complete
            else ""
        )
        lines.append(f"shards: {human_bytes(status.bytes.done)}{of}")
    if status.rate and not status.is_complete:
        left = f", {human_seconds(status.seconds_left)} left" if status.seconds_left is not None else ""
        lines.append(f"rate: {status.rate:,.1f} images a second {status.rate_over}{left}")
    return lines


def _running(status: Status) -> list[str]:
    lines = ["", "running"] if status.running else []
    for work in status.running[:_SHOWN]:
        done = "" if work.percentage is None else f"{work.percentage} %, "
        lines += wrapped(f"{work.label} on {work.node}, {done}for {human_seconds(work.seconds)}", "  ")
        lines += wrapped(work.message, "    ")
    return [*lines, *_more(len(status.running))]


def _causes(status: Status) -> list[str]:
    lines: list[str] = []
    for cause in status.causes[:_SHOWN]:
        lines += ["", f"failed: {len(cause.labels):,} {'task' if len(cause.labels) == 1 else 'tasks'}"]
        lines[-1] += "" if cause.is_final else ", to be tried again"
        lines += wrapped(cause.cause, "  ")
        lines += wrapped(", ".join(cause.labels[:_SHOWN]), "    ") + _more(len(cause.labels))
        lines += [f"    log: {cause.log}"] if cause.log else []
    return [*lines, *_more(len(status.causes))]


def _more(count: int) -> list[str]:
    return [f"    and {count - _SHOWN:,} more"] if count > _SHOWN else []


def _share(share: Share) -> str:
    return f"{share.done:,} of {share.all:,}" if share.all is not None else f"{share.done:,}"


def _bar(share: Share) -> str:
    part = share.done / share.all if share.all else 0
    return f"[{'#' * int(part * _BAR):-<{_BAR}}] {int(100 * part):3d} %"
