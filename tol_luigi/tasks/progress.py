"""Progress of a task: a bar on a terminal, and a report to the scheduler every few seconds."""

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
"""A report costs the scheduler a few milliseconds, and it serves hundreds of tasks."""


class Progress:
    """Counts the work done, shows the count, and reports it every few seconds.

    Args:
        bar: The bar on the terminal.
        report: Called with the number done and the seconds since the start.
    """

    def __init__(self, bar: tqdm[Any], report: Callable[[int, float], None]) -> None:
        self._bar, self._report = bar, report
        self._started = self._reported = time.monotonic()
        self.done = 0

    def advance(self, count: int) -> None:
        """Add a number to the count."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """Set the count."""
        self._bar.update(done - self.done)
        self.done = done
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Report the count."""
        self._reported = time.monotonic()
        self._report(self.done, self._reported - self._started)


@contextlib.contextmanager
def shown_progress(report: Callable[[int, float], None], **bar: Any) -> Iterator[Progress]:  # noqa: ANN401
    """Show the progress of a block of code.

    Args:
        report: Called every few seconds and at the end with the number done and the seconds since the start.
        bar: The arguments of tqdm.
    """
    with tqdm(disable=None, leave=False, **bar) as shown:
        progress = Progress(shown, report)
        yield progress
    progress.report()


def report_progress(
    task: luigi.Task, message: str, done: int, total: int | None, images: int | None = None
) -> None:
    """Report the progress of a task to the scheduler, if a worker runs the task.

    Args:
        task: The task.
        message: The text on the scheduler's page.
        done: The number done.
        total: The total number; None if it is not known.
        images: The number of images done, if images are counted. Only workers of this package pass it on.
    """
    percentage = max(0, min(100, 100 * done // total)) if total else None
    own = getattr(task, "report_progress", None)
    if own is not None:
        own(message, percentage, images)
        return
    set_message, set_percentage = task.set_status_message, task.set_progress_percentage
    if set_message is not None and set_percentage is not None:
        set_message(message)
        if percentage is not None:
            set_percentage(percentage)
