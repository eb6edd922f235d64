"""The base of every task: its dataset, the settings, the paths, failures and progress."""

from __future__ import annotations

import contextlib
import functools
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import luigi
from luigi.task import flatten

from tol_luigi.core.errors import SettingsError, TolError
from tol_luigi.core.files import remove_leftovers
from tol_luigi.tasks.error_lines import Refusal, clear_error, failure_text, refuse, report_killed
from tol_luigi.tasks.progress import report_progress, shown_progress
from tol_luigi.tasks.settings import Settings, settings
from tol_luigi.tasks.task_states import forget, write_state
from tol_luigi.tasks.task_times import record_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tol_luigi.core.layout import Layout

__all__ = ["DatasetTask", "FolderParameter", "in_order"]

T = TypeVar("T", bound="DatasetTask")
Task = TypeVar("Task", bound=luigi.Task)


class FolderParameter(luigi.Parameter):
    """A parameter whose value comes from the settings: the dataset's folder, unless a subclass overrides it.

    It makes the tasks of different datasets distinct on one luigid. Every command line reads the settings
    here first, so invalid settings are reported before any task exists.
    """

    def from_settings(self) -> Path:
        """Return the folder that the settings specify."""
        return settings().directory

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """Return True: the settings always specify a folder."""
        del task_name, param_name
        return True

    def task_value(self, task_name: str, param_name: str) -> str:
        """Return the folder that the settings specify; end the command if they are invalid."""
        del task_name, param_name
        try:
            return str(self.from_settings())
        except TolError as error:
            refuse(error)


class DatasetTask(luigi.Task):
    """A task of a dataset's build."""

    counted: tuple[str, int] = ("", 0)
    """What the task has counted, in the plural, and how many; known once it has run in this process."""

    image_code: Mapping[str, str] = MappingProxyType({})
    """What has decoded JPEGs (decoder) and resized images (kernel), if the task did so."""

    dataset: str = FolderParameter(description="the dataset's folder, <root>/<tag> of [dataset]")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        if self.dataset != str(self.settings.directory):
            what = f"the settings of this process build {self.settings.directory}"
            refuse(SettingsError(f"--dataset {self.dataset}", what, "Use the settings file of that dataset"))

    @classmethod
    @functools.cache
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        """Return the parameters of the class, computed once: Luigi asks several times for each task."""
        found: list[tuple[str, luigi.Parameter]] = super().get_params()
        return found

    def clone(self, cls: type[T], **parameters: str) -> T:  # type: ignore[override]  # cls is optional
        """Return a task of another stage, with the parameters of this task that the other stage has, too."""
        return cast("T", super().clone(cls, **parameters))

    @property
    def settings(self) -> Settings:
        """Return the settings of this process."""
        return settings()

    @property
    def layout(self) -> Layout:
        """Return the paths of the dataset."""
        return self.settings.layout

    @property
    def is_guarded(self) -> bool:
        """Return whether changed sources stop the build: never before the first shard, since little is lost by then."""
        return self.settings.checks.changed_sources == "stop" and self.layout.has_shards

    @functools.cached_property
    def label(self) -> str:
        """Return a short name of the task, such as ``WriteShards train eol image_set_01``."""
        return " ".join(
            [self.task_family, *(value for key, value in self.to_str_params().items() if key != "dataset")]
        )

    def explain(self, exception: BaseException) -> TolError | None:
        """Return the one-line error to show for an exception; None if it is a bug in the program."""
        return clear_error(exception)

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi's type)
        """Write one line to stderr; return it for luigid's page, too, unless a traceback is needed."""
        known = exception if isinstance(exception, Refusal) else self.explain(exception)
        text = failure_text(self.label, known or exception)
        cause = text or f"{type(exception).__name__}: {exception}"
        _note(self, cause)
        return text or super().on_failure(exception)

    @contextlib.contextmanager
    def progress(self, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show the progress of a task: on luigid's page, and as a bar on a terminal.

        Args:
            unit: The unit of the count, in the plural.
            total: The total number, if it is known.

        Yields:
            A function to call with the number done so far, as often as convenient.
        """
        report = functools.partial(self._report, unit, total)
        with shown_progress(
            report, family=self.task_family, label=self.label, total=total, unit=unit
        ) as shown:
            yield shown.reach

    def show_status(self, message: str) -> None:
        """Show on luigid's page what a task is doing, if the work cannot be counted."""
        if self.set_status_message is not None:  # set by a worker
            self.set_status_message(message)

    def _report(self, unit: str, total: int | None, done: int, seconds: float) -> None:
        of_total = f" of {total:,}" if total else ""
        self.counted = unit, done
        rate = f"{done / max(seconds, 1e-3):,.0f} a second"
        message = f"{done:,}{of_total} {unit} in {seconds:.0f} s, {rate}"
        report_progress(self, message, done, total, images=done if unit == "images" else None)


@functools.cache
def _clean_up(directory: str) -> None:
    """Remove what killed processes have left in a dataset, once per process."""
    remove_leftovers(Path(directory), time.time())


def _clean_up_once(task: DatasetTask, *_: object) -> None:
    """Clean up before anything is built.

    ``requires``, ``output`` and ``complete`` must not write anything, and a complete task does not run.
    But while Luigi builds the graph, it triggers an event for every task, complete or not. It does so in the
    one process from which it forks a process for each task, so a build cleans up once. If the tasks come from
    a scheduler elsewhere and no graph is built, the cleanup runs at the start of the first task.
    """
    _clean_up(task.dataset)


for _event in (luigi.Event.DEPENDENCY_PRESENT, luigi.Event.DEPENDENCY_DISCOVERED, luigi.Event.START):
    DatasetTask.event_handler(_event)(_clean_up_once)
DatasetTask.event_handler(luigi.Event.PROCESS_FAILURE)(report_killed)


def _note(task: DatasetTask, cause: str = "") -> None:
    write_state(task.layout.task_states, task.task_id, task.label, cause)


def _forget(task: DatasetTask) -> None:
    forget(task.layout.task_states, task.task_id)


DatasetTask.event_handler(luigi.Event.START)(_note)
DatasetTask.event_handler(luigi.Event.PROCESSING_TIME)(record_time)
DatasetTask.event_handler(luigi.Event.SUCCESS)(_forget)
DatasetTask.event_handler(luigi.Event.PROCESS_FAILURE)(_note)


def in_order(root: Task, is_wanted: Callable[[Task], bool] = lambda _: True) -> list[Task]:
    """Return a task and all tasks before it, once each; every task comes after those that it requires.

    Args:
        root: The task.
        is_wanted: Called once for each task. If it returns False, the task is excluded, with all tasks that
            only it requires.
    """
    listed: dict[str, Task] = {}
    seen: set[str] = set()
    pending: list[tuple[Task, bool]] = [(root, False)]
    while pending:
        task, is_ready = pending.pop()
        if is_ready:
            listed[task.task_id] = task
        elif task.task_id not in seen:
            seen.add(task.task_id)
            if not is_wanted(task):
                continue
            pending.append((task, True))
            pending += [(before, False) for before in reversed(flatten(task.requires()))]
    return list(listed.values())
