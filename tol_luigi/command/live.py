"""The progress of a build as a person follows it: a bar for each stage at work, one line for each finished one."""

from __future__ import annotations

import json
import os
import select
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from tol_luigi.report.status import cause_pattern
from tol_luigi.report.text import counted, human_bytes, human_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.progress import TaskID

    from tol_luigi.command.graph import Stage

__all__ = ["Live", "StageProgress"]

_REDRAWS = 4
"""How often a second a terminal is drawn."""

_LINE_SECONDS = 60.0
"""How often a line about the stages at work is written where there is no terminal."""

_TEXT_LENGTH = 900
"""The most characters of a text in an event: a pipe takes 4,096 bytes at once, and longer events would mix."""

_LEAST = 0.02
"""Which part of a stage has to be done before the time left is estimated."""


@dataclass
class StageProgress:
    """How far a stage is.

    Attributes:
        name: Its tasks' family.
        count: How many tasks it has.
        complete: How many of them are complete.
        failed: How many have failed.
        unit: What its tasks count; "" if they count nothing.
        started: When its first task began, in seconds; None before.
    """

    name: str
    count: int
    complete: int = 0
    failed: int = 0
    unit: str = ""
    started: float | None = None
    _before: int = field(init=False)
    _done: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = self.complete

    def start(self, label: str, now: float) -> None:
        """Note that a task runs."""
        self.started = self.started or now
        self._running.add(label)

    def reach(self, label: str, done: int, total: int | None, unit: str) -> None:
        """Note how far a task is."""
        self.unit = unit
        self._done[label] = done, total

    def finish(self, label: str, *, is_complete: bool) -> None:
        """Note that a task has ended."""
        self._running.discard(label)
        self.complete += is_complete
        self.failed += not is_complete
        self.count = max(self.count, self.complete)

    @property
    def is_running(self) -> bool:
        """Whether a task of the stage runs."""
        return bool(self._running)

    @property
    def done(self) -> int:
        """How much was counted in this run."""
        return sum(done for done, _ in self._done.values())

    @property
    def fraction(self) -> float:
        """Which part is done: complete tasks, and the counted parts of running ones."""
        parts = (self._done.get(label, (0, None)) for label in self._running)
        return (self.complete + sum(min(done / total, 1) for done, total in parts if total)) / max(
            self.count, 1
        )

    def seconds(self, now: float) -> float:
        """Return for how long the stage has run."""
        return now - self.started if self.started is not None else 0.0

    def tasks_text(self) -> str:
        """Return how many tasks are complete."""
        if self.complete == self.count:
            return counted(self.count, "task")
        return f"{self.complete:,} of {counted(self.count, 'task')}"

    def rate_text(self, now: float) -> str:
        """Return what was counted, and how fast."""
        if not self.done:
            return ""
        rate = self.done / max(self.seconds(now), 1e-3)
        if self.unit == "B":
            return f"{human_bytes(self.done)}, {human_bytes(rate)}/s"
        unit = self.unit.removesuffix("s") if self.done == 1 else self.unit
        return f"{self.done:,} {unit}, {rate:,.0f}/s"

    def left_text(self, now: float) -> str:
        """Return an estimate of the time left, "" as long as there is none."""
        part = self.fraction - self._before / max(self.count, 1)
        if part < _LEAST or not self.is_running:
            return ""
        return f"{human_seconds(self.seconds(now) * (1 - self.fraction) / part)} left"

    def text(self, now: float) -> str:
        """Return how far the stage is, how fast, and the time left, or the time that it took."""
        time_text = self.left_text(now)
        if self.complete == self.count:
            time_text = human_seconds(self.seconds(now))
        return ", ".join(filter(None, [self.tasks_text(), self.rate_text(now), time_text]))


class Live:
    """Show a run of tasks while it lasts; a context.

    What the run's processes write to standard output and standard error goes to a log file meanwhile. They pass events
    through a pipe, a line of JSON each.

    Args:
        stages: The stages of the run.
        log: The log file.
    """

    def __init__(self, stages: Iterable[Stage], log: IO[bytes]) -> None:
        self.stages = {
            stage.name: StageProgress(stage.name, stage.count, len(stage.complete)) for stage in stages
        }
        self.causes: dict[str, list[str]] = {}
        self._width = max(map(len, self.stages), default=0)
        self._log = log
        self._output, self._error = os.dup(1), os.dup(2)
        self._read, self._write = os.pipe()
        self.console = Console(
            file=os.fdopen(self._error, "w", encoding="utf-8", errors="backslashreplace"), highlight=False
        )
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
            console=self.console,
            refresh_per_second=_REDRAWS,
            transient=True,
            # What rich would redirect is Python's, of this process; tasks have their own, and are forked at any moment.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._shown: dict[str, TaskID] = {}
        self._listed = time.monotonic()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def send(self, event: dict[str, Any]) -> None:
        """Pass an event on, from any process of the run."""
        short = {
            key: value[:_TEXT_LENGTH] if isinstance(value, str) else value for key, value in event.items()
        }
        line = json.dumps(short, ensure_ascii=False).encode(errors="backslashreplace")
        os.write(self._write, line + b"\n")

    def __enter__(self) -> Self:
        """Redirect standard output and standard error to the log."""
        os.dup2(self._log.fileno(), 1)
        os.dup2(self._log.fileno(), 2)
        if self.console.is_terminal:
            self._bars.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Put standard output and standard error back."""
        os.write(self._write, b"\n")  # the end of all events
        self._thread.join()
        if self.console.is_terminal:
            self._bars.stop()
        os.dup2(self._output, 1)
        os.dup2(self._error, 2)

    def _follow(self) -> None:
        """Read events until the end, and show them."""
        rest = b""
        while True:
            if select.select([self._read], [], [], 1 / _REDRAWS)[0]:
                *lines, rest = (rest + os.read(self._read, 1 << 16)).split(b"\n")
                for line in lines:
                    if not line:
                        return
                    self._handle(self._take, line)
            self._handle(self._draw)

    def _handle(self, function: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        """Call a function. A fault in showing the build must not stop it: the pipe would fill, and tasks would wait."""
        try:
            function(*arguments)
        except Exception:  # noqa: BLE001 (see above)
            self._log.write(traceback.format_exc().encode(errors="backslashreplace"))
            self._log.flush()

    def _take(self, line: bytes) -> None:
        event, now = json.loads(line), time.monotonic()
        if event["event"] == "line":
            self._tell(event["label"], event["text"])
            return
        stage = self.stages.setdefault(event["family"], StageProgress(event["family"], 1))
        if event["event"] == "started":
            stage.start(event["label"], now)
        elif event["event"] == "progress":
            stage.reach(event["label"], event["done"], event["total"], event["unit"])
        else:
            stage.finish(event["label"], is_complete=event["event"] == "done")
            if stage.complete == stage.count and not stage.is_running:
                self._hide(stage.name)
                self._print(stage, now)

    def _print(self, stage: StageProgress, now: float) -> None:
        self.console.print(Text(f"{stage.name:<{self._width}}  {stage.text(now)}"), soft_wrap=True)

    def _tell(self, label: str, text: str) -> None:
        """Show a line about an error or a warning, once for each cause."""
        labels = self.causes.setdefault(cause_pattern(text), [])
        labels.append(label)
        if len(labels) == 1:
            line = f"{label}: {text}" if label else text
            self.console.print(Text(line, style="red"), soft_wrap=True)

    def _hide(self, name: str) -> None:
        if name in self._shown:
            self._bars.remove_task(self._shown.pop(name))

    def _draw(self) -> None:
        """Show the stages at work: as bars on a terminal, else as a line each from time to time."""
        now = time.monotonic()
        running = [stage for stage in self.stages.values() if stage.is_running]
        if not self.console.is_terminal:
            if now - self._listed > _LINE_SECONDS:
                self._listed = now
                for stage in running:
                    self._print(stage, now)
            return
        for name in [name for name in self._shown if not self.stages[name].is_running]:
            self._hide(name)
        for stage in running:
            if stage.name not in self._shown:
                self._shown[stage.name] = self._bars.add_task(
                    f"{stage.name:<{self._width}}", total=1, text=""
                )
            self._bars.update(self._shown[stage.name], completed=stage.fraction, text=stage.text(now))
