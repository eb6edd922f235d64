"""What every task of the graph has: its dataset, the settings, the paths, and a way to tell how far it is."""

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
from tol_luigi.tasks.error_lines import Refusal, clear_error, died, failure_text, refuse
from tol_luigi.tasks.progress import report_progress, shown_progress
from tol_luigi.tasks.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tol_luigi.core.layout import Layout

__all__ = [
    "AGAIN",
    "CHANGED_MEANWHILE",
    "DatasetTask",
    "FolderParameter",
    "StageTask",
    "forget_what_is_complete",
    "in_order",
]

T = TypeVar("T", bound="DatasetTask")
Task = TypeVar("Task", bound=luigi.Task)


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

    @functools.cached_property
    def label(self) -> str:
        """The task in a few words, such as ``WriteShards train eol image_set_01``."""
        return " ".join(
            [self.task_family, *(value for key, value in self.to_str_params().items() if key != "dataset")]
        )

    def explain(self, exception: BaseException) -> TolError | None:
        """Return what a user can be told in one line of what the task has raised; None if it is a fault of the program."""
        return clear_error(exception)

    def on_failure(self, exception: BaseException) -> Any:  # noqa: ANN401 (luigi hands it on as it is)
        """Write one clear line; it stands on luigid's page, too, if it needs no traceback."""
        known = exception if isinstance(exception, Refusal) else self.explain(exception)
        return failure_text(self.label, known or exception) or super().on_failure(exception)

    @contextlib.contextmanager
    def progress(self, unit: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show how far a task is: in luigid's page, and as a bar on a terminal.

        Args:
            unit: What is counted, in the plural.
            total: How many there are, if that is known.

        Yields:
            A function to call with the number done so far, as often as is convenient.
        """
        report = functools.partial(self._report, unit, total)
        with shown_progress(report, total=total, desc=self.label, unit=f" {unit}") as shown:
            yield shown.reach

    def say(self, message: str) -> None:
        """Show in luigid's page what a task is at, where it cannot be counted."""
        if self.set_status_message is not None:  # run by a worker
            self.set_status_message(message)

    def _report(self, unit: str, total: int | None, done: int, seconds: float) -> None:
        of_total = f" of {total:,}" if total else ""
        rate = f"{done / max(seconds, 1e-3):,.0f} a second"
        message = f"{done:,}{of_total} {unit} in {seconds:.0f} s, {rate}"
        report_progress(self, message, done, total, images=done if unit == "images" else None)


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
DatasetTask.event_handler(luigi.Event.PROCESS_FAILURE)(died)


def in_order(root: Task, is_wanted: Callable[[Task], bool] = lambda _: True) -> list[Task]:
    """List a task and every task before it once, each after those that it requires.

    Args:
        root: The task.
        is_wanted: Asked once about each task; one that is not wanted is left out, with what only it requires.
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
"""How long a stage that was found complete is believed to be: as long as a graph of a thousand tasks is drawn up."""

_UNCHANGED_SECONDS = 60.0
"""How long a source that was found unchanged is believed to be: it may have thousands of folders."""

_complete_since: dict[str, float] = {}
_unchanged_since: dict[str, float] = {}


def forget_what_is_complete() -> None:
    """Look at every stage again: files have changed."""
    _complete_since.clear()


class StageTask(DatasetTask):
    """A stage that writes files, and last a receipt of them and of what they were made from.

    It is complete as long as its files have the sizes that the receipt says, and all stages before it are complete
    and have made what it was made from.
    """

    def files(self) -> list[Path]:
        """List what the stage has written, once it has."""
        raise NotImplementedError

    def make(self) -> None:
        """Write the files, each whole or not at all."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Return what else the receipt records of what was made."""
        return {}

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether everything is there that a receipt tells of, as far as that shows without reading it.

        What a stage has gone without, as it could not be read, counts as missing once it can be.
        """
        folder = self.layout.directory
        has_files = all(record.has_size(folder / name) for name, record in receipt.files.items())
        return has_files and not self.has_become_readable(receipt)

    def unread(self, receipt: Receipt) -> Iterable[Path]:
        """Return the paths of the files of sources that could not be read when a receipt was written."""
        del receipt
        return ()

    def has_become_readable(self, receipt: Receipt) -> bool:
        """Return whether a file can be read that could not be when a receipt was written."""
        known = f"unread by {self.task_id}"
        if time.monotonic() - _unchanged_since.get(known, -math.inf) < _UNCHANGED_SECONDS:
            return False
        is_readable = any(map(can_be_read, self.unread(receipt)))
        if not is_readable:
            _unchanged_since[known] = time.monotonic()
        return is_readable

    def rests_on(self) -> list[luigi.Task]:
        """List the stages that the own files are made from: those that it requires."""
        required: list[luigi.Task] = flatten(self.requires())
        return required

    @property
    def _values(self) -> list[str]:
        return [value for key, value in self.to_str_params().items() if key != "dataset"]

    @property
    def receipt_path(self) -> Path:
        """Where the receipt is."""
        return self.layout.stage_receipt(self.task_family, *self._values)

    def reads(self) -> dict[str, Path]:
        """Return the files and folders outside the dataset that the stage reads, by what messages call them."""
        return {}

    def parts_read(self, name: str) -> list[str]:
        """Return the paths below a place that :meth:`reads` names whose change counts: itself, which is "", and files in it."""
        place = self.reads()[name]
        return ["", *(sorted(file.name for file in place.iterdir()) if place.is_dir() else [])]

    @property
    def sightings_path(self) -> Path:
        """Where it is written down what the sources looked like that the stage has read."""
        return self.layout.sightings(self.task_family, *self._values)

    def change(self) -> tuple[Path, str] | None:
        """Return what the stage has read and what is other than it was then, and how; None if all is as it was."""
        places = self._places()
        return find_change(read_sightings(self.sightings_path), places) if places else None

    def _is_as_read(self) -> bool:
        """Return whether all that the stage reads is as it was; stop if it is not and the settings say so."""
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
        """The receipt, which is written last."""
        return luigi.LocalTarget(self.receipt_path)

    def receipt(self) -> Receipt | None:
        """Return the receipt; None if there is none, or if it is damaged, of another task or of other settings."""
        receipt = read_receipt_once(self.receipt_path)
        own = self.label, self.settings.digest
        return receipt if receipt and (receipt.task, receipt.settings) == own else None

    def inputs(self) -> dict[str, str]:
        """Return the digest of what each stage before has made, by its label."""
        made = {task.label: task.receipt() for task in self.rests_on() if isinstance(task, StageTask)}
        return {label: receipt.digest if receipt else "" for label, receipt in made.items()}

    @property
    def made_from(self) -> str:
        """Twelve hexadecimal digits of the settings and the inputs."""
        text = json.dumps([self.settings.digest, sorted(self.inputs().items())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def complete(self) -> bool:
        """Look at the own files, then at the stages before; what was seen is believed for some seconds."""
        now = time.monotonic()
        if now - _complete_since.get(self.task_id, -math.inf) < _BELIEVED_SECONDS:
            return True
        receipt = self.receipt()
        is_complete = (
            receipt is not None
            and self.is_intact(receipt)
            and all(task.complete() for task in self.rests_on())
            and receipt.inputs == self.inputs()
            and self._is_as_read()
        )
        if is_complete:
            _complete_since[self.task_id] = now
        return is_complete

    def run(self) -> None:
        """Make the files and write the receipt, unless another process has been quicker."""
        forget_what_is_complete()
        if not self.complete():
            self.withdraw()
            # Both as they are before anything is read: what changes meanwhile is not what the files are made from.
            inputs = self.inputs()
            self.write_sightings()
            self.make()
            if change := self.change():
                raise ChangedError(change[0], CHANGED_MEANWHILE, AGAIN)
            self.write_receipt(inputs)
        forget_what_is_complete()

    def _places(self) -> dict[str, Path]:
        """Return what the stage reads, if changes of it count: those of the demonstration are our own."""
        return {} if self.settings.is_demonstration else self.reads()

    def write_sightings(self) -> None:
        """Write down what the sources look like that are about to be read, if there are any."""
        if places := self._places():
            seen = {name: file_states(place, self.parts_read(name)) for name, place in places.items()}
            write_sightings(self.sightings_path, seen)

    def withdraw(self) -> None:
        """Remove the receipt, since what it tells of is about to be replaced."""
        remove(self.receipt_path)

    def doubt(self) -> None:
        """Have everything made again, since it may have been made from a file that was damaged by then."""
        self.withdraw()

    def explain(self, exception: BaseException) -> TolError | None:
        """If a file that the stage reads is damaged, remove that file, so that it is made again, and say so."""
        known = super().explain(exception)
        if known is None and isinstance(exception, Exception):
            with contextlib.suppress(OSError):
                for path in self._damaged_inputs():
                    remove(path)
                    what = f"is damaged ({' '.join(str(exception).split()) or type(exception).__name__})"
                    remedy = "It has been removed; run the same command again, and it is made again"
                    return DamagedError(path, what, remedy)
        return known

    def answers_for(self) -> dict[Path, FileRecord]:
        """Return the files that stages after this one read, as they were written."""
        receipt = self.receipt()
        folder = self.layout.directory
        return {folder / name: record for name, record in receipt.files.items()} if receipt else {}

    def _damaged_inputs(self) -> Iterator[Path]:
        """Yield the files that the stages before have written and that are not as they were written, but for shards."""
        for task in self.rests_on():
            for path, record in (task.answers_for() if isinstance(task, StageTask) else {}).items():
                if path.suffix != ".tar" and path.is_file() and record_file(path) != record:
                    yield path

    def write_receipt(self, inputs: dict[str, str]) -> None:
        """Write the receipt of what was made from these inputs."""
        files = record_files(self.layout.directory, self.files())
        made = Receipt(self.label, self.settings.digest, inputs, files, self.more())
        made.write(self.receipt_path)
