"""The base of every task: its dataset, the settings, the paths, receipts, completeness and progress."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import luigi
from luigi.task import flatten

from tol_luigi.core.errors import ChangedError, DamagedError, SettingsError, SourceError, TolError
from tol_luigi.core.files import remove, remove_leftovers
from tol_luigi.core.receipts import FileRecord, Receipt, read_receipt_once, record_file, record_files
from tol_luigi.core.sightings import file_states, find_change, read_sightings, write_sightings
from tol_luigi.sources.faults import can_be_read
from tol_luigi.tasks.error_lines import Refusal, clear_error, failure_text, refuse, report_killed
from tol_luigi.tasks.progress import report_progress, shown_progress
from tol_luigi.tasks.settings import Settings, settings
from tol_luigi.tasks.task_states import forget, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tol_luigi.core.layout import Layout

__all__ = [
    "AGAIN",
    "CHANGED_MEANWHILE",
    "DatasetTask",
    "FolderParameter",
    "StageTask",
    "clear_completion_cache",
    "in_order",
]

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


CHANGED_MEANWHILE, AGAIN = "has changed while it was read", "Run the same command again"

_BELIEVED_SECONDS = 2.0
"""How long a stage counts as complete after a check: as long as it takes to build a graph of 1,000 tasks."""

_UNCHANGED_SECONDS = 60.0
"""How long a source counts as unchanged after a check: it may have thousands of folders."""

_complete_since: dict[str, float] = {}
_unchanged_since: dict[str, float] = {}


def clear_completion_cache() -> None:
    """Forget which stages were found complete, because files have changed."""
    _complete_since.clear()


class StageTask(DatasetTask):
    """A stage that writes files, and finally a receipt that records the files and their inputs.

    It is complete if its files have the sizes in the receipt, if all stages before it are complete, and if
    their outputs are still the inputs in the receipt.
    """

    def files(self) -> list[Path]:
        """Return the files that the stage has written."""
        raise NotImplementedError

    def make(self) -> None:
        """Write the files, each atomically."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Return additional fields of the receipt."""
        return {}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether the files in a receipt exist with their sizes; their content is not read.

        A source file that the stage skipped because it was unreadable counts as missing once it can be read.
        """
        folder = self.layout.directory
        has_files = all(record.has_size(folder / name) for name, record in receipt.files.items())
        return has_files and not self.has_become_readable(receipt)

    def unread(self, receipt: Receipt) -> Iterable[Path]:
        """Return the paths of the source files that could not be read when a receipt was written."""
        del receipt
        return ()

    def has_become_readable(self, receipt: Receipt) -> bool:
        """Return whether a source file can be read that could not be read when a receipt was written."""
        known = f"unread by {self.task_id}"
        if time.monotonic() - _unchanged_since.get(known, -math.inf) < _UNCHANGED_SECONDS:
            return False
        is_readable = any(map(can_be_read, self.unread(receipt)))
        if not is_readable:
            _unchanged_since[known] = time.monotonic()
        return is_readable

    def input_tasks(self) -> list[luigi.Task]:
        """Return the tasks from whose output the files are made: by default, all that the stage requires."""
        required: list[luigi.Task] = flatten(self.requires())
        return required

    @property
    def _values(self) -> list[str]:
        return [value for key, value in self.to_str_params().items() if key != "dataset"]

    @property
    def receipt_path(self) -> Path:
        """Return the path of the receipt."""
        return self.layout.stage_receipt(self.task_family, *self._values)

    def reads(self) -> dict[str, Path]:
        """Return the files and folders outside the dataset that the stage reads, by name in messages."""
        return {}

    def parts_read(self, name: str) -> list[str]:
        """Return the paths below a place of :meth:`reads` whose changes count.

        By default, these are the place itself (""), and the files in it if it is a folder.
        """
        place = self.reads()[name]
        return ["", *(sorted(file.name for file in place.iterdir()) if place.is_dir() else [])]

    @property
    def sightings_path(self) -> Path:
        """Return the path of the record of what the sources looked like when the stage read them."""
        return self.layout.sightings(self.task_family, *self._values)

    def change(self) -> tuple[Path, str] | None:
        """Return a file or folder that has changed since the stage read it, and how; None if none has."""
        places = self._places()
        return find_change(read_sightings(self.sightings_path), places) if places else None

    def _is_as_read(self) -> bool:
        """Return whether all that the stage reads is unchanged; if not and so configured, end the command."""
        now = time.monotonic()
        if now - _unchanged_since.get(self.task_id, -math.inf) < _UNCHANGED_SECONDS:
            return True
        try:
            change = self.change()
        except SourceError as error:
            refuse(error)
        if change is None:
            _unchanged_since[self.task_id] = now
        elif self.settings.checks.changed_sources == "stop" and read_sightings(self.sightings_path):
            refuse(ChangedError(*change))
        return change is None

    def output(self) -> luigi.LocalTarget:
        """Return the receipt, which is written last."""
        return luigi.LocalTarget(self.receipt_path)

    def receipt(self) -> Receipt | None:
        """Return the receipt; None if it is missing, damaged, or of another task or other settings."""
        receipt = read_receipt_once(self.receipt_path)
        own = self.label, self.settings.digest
        return receipt if receipt and (receipt.task, receipt.settings) == own else None

    def inputs(self) -> dict[str, str]:
        """Return the digest of the output of each input stage, by its label."""
        receipts = {task.label: task.receipt() for task in self.input_tasks() if isinstance(task, StageTask)}
        return {label: receipt.digest if receipt else "" for label, receipt in receipts.items()}

    @property
    def made_from(self) -> str:
        """Return twelve hexadecimal digits of the digest of settings and inputs."""
        text = json.dumps([self.settings.digest, sorted(self.inputs().items())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def complete(self) -> bool:
        """Return whether the stage and all stages before it are complete; cached for a few seconds."""
        now = time.monotonic()
        if now - _complete_since.get(self.task_id, -math.inf) < _BELIEVED_SECONDS:
            return True
        receipt = self.receipt()
        is_complete = (
            receipt is not None
            and self.is_intact(receipt)
            and all(task.complete() for task in self.input_tasks())
            and receipt.inputs == self.inputs()
            and self._is_as_read()
        )
        if is_complete:
            _complete_since[self.task_id] = now
        return is_complete

    def is_complete_now(self) -> bool:
        """Return whether the stage is complete, looking at its own files again.

        What was found of the stages before it is kept: Luigi asks them just before the stage runs, and to ask
        them again for each of a thousand tasks would take most of the time of a small build.
        """
        _complete_since.pop(self.task_id, None)
        return self.complete()

    def run(self) -> None:
        """Make the files and write the receipt, unless another process has been faster."""
        if not self.is_complete_now():
            self.withdraw()
            # Both are recorded before anything is read, so that changes during the run are detected.
            inputs = self.inputs()
            self.write_sightings()
            self.make()
            if change := self.change():
                raise ChangedError(change[0], CHANGED_MEANWHILE, AGAIN)
            self.write_receipt(inputs)

    def _places(self) -> dict[str, Path]:
        """Return what the stage reads, if changes to it count; nothing for the demonstration."""
        return {} if self.settings.is_demonstration else self.reads()

    def write_sightings(self) -> None:
        """Record what the sources look like before they are read, if there are any."""
        if places := self._places():
            seen = {name: file_states(place, self.parts_read(name)) for name, place in places.items()}
            write_sightings(self.sightings_path, seen)

    def withdraw(self) -> None:
        """Remove the receipt, because the files that it records are about to be replaced."""
        remove(self.receipt_path)

    def invalidate(self) -> None:
        """Force everything to be made again, because an input file may have been damaged when it was read."""
        self.withdraw()

    def explain(self, exception: BaseException) -> TolError | None:
        """Return the error of an exception.

        If a file that the stage reads is damaged, remove it, so that it is made again, and return an error
        about that file.
        """
        known = super().explain(exception)
        if known is None and isinstance(exception, Exception):
            with contextlib.suppress(OSError):
                for path in self._damaged_inputs():
                    remove(path)
                    what = f"is damaged ({' '.join(str(exception).split()) or type(exception).__name__})"
                    remedy = "It has been removed. Run the same command again: it is then made again"
                    return DamagedError(path, what, remedy)
        return known

    def output_records(self) -> dict[Path, FileRecord]:
        """Return the files that later stages read, with their recorded sizes and checksums."""
        receipt = self.receipt()
        folder = self.layout.directory
        return {folder / name: record for name, record in receipt.files.items()} if receipt else {}

    def _damaged_inputs(self) -> Iterator[Path]:
        """Yield the files of input stages that differ from their records, except shards."""
        for task in self.input_tasks():
            for path, record in (task.output_records() if isinstance(task, StageTask) else {}).items():
                if path.suffix != ".tar" and path.is_file() and record_file(path) != record:
                    yield path

    def write_receipt(self, inputs: dict[str, str]) -> None:
        """Write the receipt of the files made from these inputs."""
        files = record_files(self.layout.directory, self.files())
        receipt = Receipt(self.label, self.settings.digest, inputs, files, self.more())
        receipt.write(self.receipt_path)
