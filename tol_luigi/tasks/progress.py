"""How far a task is: a bar on a terminal, and a report to the scheduler every few seconds."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import luigi

__all__ = ["Progress", "report_progress", "shown_progress"]

_REPORT_SECONDS = 5.0
"""A report to the scheduler costs it a few milliseconds, and it has hundreds of tasks to listen to."""


class Progress:
    """Count what is done, show it, and report it every few seconds.

    Args:
        bar: The bar on the terminal.
        report: Called with the number done and the seconds since the start.
    """

    def __init__(self, bar: tqdm[Any], report: Callable[[int, float], None]) -> None:
        self._bar, self._report = bar, report
        self._started = self._reported = time.monotonic()
        self.done = 0

    def advance(self, count: int) -> None:
        """Count some more as done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """Set how many are done."""
        self._bar.update(done - self.done)
        self.done = done
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Report how many are done."""
        self._reported = time.monotonic()
        self._report(self.done, self._reported - self._started)


@contextlib.contextmanager
def shown_progress(report: Callable[[int, float], None], **bar: Any) -> Iterator[Progress]:  # noqa: ANN401
    """Show the progress of a block of code.

    Args:
        report: Called every few seconds and at the end with the number done and the seconds since the start.
        bar: What the bar shows, as tqdm takes it.
    """
    with tqdm(disable=None, leave=False, **bar) as shown:
        progress = Progress(shown, report)
        yield progress
    progress.report()


def report_progress(
    task: luigi.Task, message: str, done: int, total: int | None, images: int | None = None
) -> None:
    """Report how far a task is to the scheduler, if a worker runs the task.

    Args:
        task: The task.
        message: What the scheduler's page shows.
        done: How much is done.
        total: Of how much; None if that is not known.
        images: How many images are done, if that is what is counted. Only a worker of ours passes it on.
    """
    percentage = max(0, min(100, 100 * done // total)) if total else None
    own = getattr(task, "report_progress", None)
    if own is not None:
        own(message, percentage, images)
        return
    say, show = task.set_status_message, task.set_progress_percentage
    if say is not None and show is not None:
        say(message)
        if percentage is not None:
            show(percentage)
