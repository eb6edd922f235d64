"""Progress of a task: a bar on a terminal, and a report to the scheduler every few seconds."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tol_luigi.tasks.messages import has_listener, send_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import luigi

__all__ = ["Progress", "report_progress", "shown_progress"]

_REPORT_SECONDS = 5.0
"""A report costs the scheduler a few milliseconds, and it serves hundreds of tasks."""

_EVENT_SECONDS = 0.2
"""A command that shows the progress itself shows it as often as a person can follow."""


class Progress:
    """Counts the work done, shows the count, and reports it every few seconds.

    Args:
        bar: The bar on the terminal.
        report: Called with the number done and the seconds since the start.
        about: What events contain as well: whose progress it is, and what is counted.
    """

    def __init__(
        self, bar: tqdm[Any], report: Callable[[int, float], None], about: Mapping[str, Any]
    ) -> None:
        self._bar, self._report, self._about = bar, report, about
        self._started = self._reported = self._sent = time.monotonic()
        self.done = 0

    def advance(self, count: int) -> None:
        """Add a number to the count."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """Set the count."""
        self._bar.update(done - self.done)
        self.done = done
        if has_listener() and time.monotonic() - self._sent > _EVENT_SECONDS:
            self.send()
        if time.monotonic() - self._reported > _REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Report the count."""
        self._reported = time.monotonic()
        self._report(self.done, self._reported - self._started)

    def send(self) -> None:
        """Pass on how many are done to a command that shows it itself."""
        self._sent = time.monotonic()
        send_event("progress", done=self.done, **self._about)


@contextlib.contextmanager
def shown_progress(
    report: Callable[[int, float], None],
    *,
    family: str,
    label: str,
    total: int | None,
    unit: str,
    **bar: Any,  # noqa: ANN401 (tqdm's)
) -> Iterator[Progress]:
    """Show the progress of a block of code.

    Args:
        family: The kind of the task.
        label: The task in a few words.
        total: How many there are to count, if that is known.
        unit: What is counted, in the plural.
        report: Called every few seconds and at the end with the number done and the seconds since the start.
        bar: The arguments of tqdm.
    """
    about = {"family": family, "label": label, "total": total, "unit": unit}
    is_off = True if has_listener() else None  # None: off if standard error is no terminal
    with tqdm(disable=is_off, leave=False, desc=label, total=total, unit=f" {unit}", **bar) as shown:
        progress = Progress(shown, report, about)
        yield progress
    progress.report()
    progress.send()


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
