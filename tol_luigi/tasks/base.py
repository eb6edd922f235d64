"""What every task of the graph has: its dataset, the settings, the paths, and a way to tell how far it is."""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import luigi
from luigi.cmdline_parser import CmdlineParser
from luigi.task import flatten
from tqdm import tqdm

from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.files import remove_leftovers
from tol_luigi.tasks.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tol_luigi.tasks.layout import Layout

__all__ = ["BoundTask", "DatasetTask", "FolderParameter", "refuse"]

T = TypeVar("T", bound="DatasetTask")

_REPORT_SECONDS = 5.0
"""A report to the scheduler costs it a few milliseconds, and it has hundreds of tasks to listen to."""

_SETTINGS_EXIT_CODE = 40
"""As ``[retcode] unhandled_exception``: nothing was begun."""


def refuse(error: TolError) -> NoReturn:
    """Stop a command line with one line; raise the error in a program that uses the tasks as a library."""
    if CmdlineParser.get_instance() is None:
        raise error
    sys.stderr.write(f"tol_luigi: {error}\n")
    raise SystemExit(_SETTINGS_EXIT_CODE)


class FolderParameter(luigi.Parameter):
    """A folder which the settings tell: that of the dataset, unless a class says otherwise.

    It tells tasks of several datasets apart on one luigid, and it is where every command line asks
    for the settings first: wrong ones are refused here, before there is a task.
    """

    def told(self) -> Path:
        """Ask the settings."""
        return settings().directory

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """There always is one."""
        del task_name, param_name
        return True

    def task_value(self, task_name: str, param_name: str) -> str:
        """Give the folder of the settings."""
        del task_name, param_name
        try:
            return str(self.told())
        except TolError as error:
            refuse(error)


class DatasetTask(luigi.Task):
    """A stage of a dataset's build."""

    dataset: str = FolderParameter(description="the dataset's folder, as [dataset] root and tag name it")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        if self.dataset != str(self.settings.directory):
            what = f"the settings of this process build {self.settings.directory}"
            refuse(SettingsError(f"--dataset {self.dataset}", what, "Use the settings file of that dataset"))

    @classmethod
    @functools.cache
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        """Look through a class for its parameters once; Luigi does so anew several times for each task."""
        found: list[tuple[str, luigi.Parameter]] = super().get_params()
        return found

    def clone(self, cls: type[T], **parameters: str) -> T:  # type: ignore[override]  # luigi's takes no class, too
        """Give a task of another stage for the same dataset, and for the same split and partition where it has them."""
        return cast("T", super().clone(cls, **parameters))

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return settings()

    @property
    def layout(self) -> Layout:
        """The paths of the dataset."""
        return self.settings.layout

    @property
    def label(self) -> str:
        """The task in a few words, such as ``WriteShards train eol image_set_01``."""
        return " ".join(
            [self.task_family, *(value for key, value in self.to_str_params().items() if key != "dataset")]
        )

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi hands it on as it is)
        """Add one clear line to the trace, for what the user can mend."""
        if not isinstance(exception, TolError):
            return super().on_failure(exception)
        sys.stderr.write(f"tol_luigi: {self.label}: {exception}\n")
        return str(exception)

    @contextlib.contextmanager
    def progress(self, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show how far a task is: in luigid's page, and as a bar on a terminal.

        Args:
            unit: What is counted, in the plural.
            total: How many there are, if that is known.

        Yields:
            A function to call with the number done so far, as often as is convenient.
        """
        started = reported = time.monotonic()
        done = 0
        with tqdm(total=total, desc=self.label, unit=f" {unit}", disable=None, leave=False) as bar:

            def tell(count: int) -> None:
                nonlocal done, reported
                bar.update(count - done)
                done = count
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    self._report(done, total, unit, reported - started)

            yield tell
        self._report(done, total, unit, time.monotonic() - started)

    def say(self, message: str) -> None:
        """Show in luigid's page what a task is at, where it cannot be counted."""
        if self.set_status_message is not None:  # run by a worker
            self.set_status_message(message)

    def _report(self, done: int, total: int | None, unit: str, seconds: float) -> None:
        say, show = self.set_status_message, self.set_progress_percentage
        if say is None or show is None:  # not run by a worker
            return
        of_total = f" of {total:,}" if total else ""
        say(f"{done:,}{of_total} {unit} in {seconds:.0f} s, {done / max(seconds, 1e-3):,.0f} a second")
        if total:
            show(min(100, 100 * done // total))


@functools.cache
def _clear_up(directory: str) -> None:
    """Remove what killed processes have left in a dataset, once in a process."""
    remove_leftovers(Path(directory), time.time())


def _on_first_sight(task: DatasetTask, *_: object) -> None:
    """Clear up before anything is built.

    Asking a task for ``requires``, ``output`` or ``complete`` writes nothing, and a task that is complete
    does not run. But Luigi tells of every task it comes across while it draws up the graph, be it complete
    or not: in the one process that it then forks for each task, so a build clears up once. Where tasks come
    from a scheduler elsewhere, and no graph is drawn up, the start of the first one is the moment.
    """
    _clear_up(task.dataset)


for _event in (luigi.Event.DEPENDENCY_PRESENT, luigi.Event.DEPENDENCY_DISCOVERED, luigi.Event.START):
    DatasetTask.event_handler(_event)(_on_first_sight)


class BoundTask(DatasetTask):
    """A stage whose result holds only as long as everything that it was made from is there."""

    def rests_on(self) -> list[luigi.Task]:
        """List the stages without whose outputs the own ones mean nothing: those that it requires."""
        required: list[luigi.Task] = flatten(self.requires())
        return required

    def complete(self) -> bool:
        """Look at the own outputs, then at those of the stages before: at each once, however many rest on it.

        Nothing of what was seen outlasts the call, so that a file which is deleted later is missed.
        """
        seen: set[luigi.Task] = {self}
        pending: deque[luigi.Task] = deque(seen)
        while pending:
            task = pending.popleft()
            if not isinstance(task, BoundTask):
                if not task.complete():
                    return False
                continue
            if not all(target.exists() for target in flatten(task.output())):
                return False
            before = dict.fromkeys(stage for stage in task.rests_on() if stage not in seen)
            seen.update(before)
            pending.extend(before)
        return True
