"""The base class of the stages of a build, which end with a receipt, and what is known of their completeness."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Any, ClassVar

import luigi
from luigi.task import flatten

from tol_luigi.core.digests import json_digest
from tol_luigi.core.errors import ChangedError, DamagedError, SourceError, TolError
from tol_luigi.core.files import remove
from tol_luigi.core.receipts import FileRecord, Receipt, read_receipt_once, record_file, record_files
from tol_luigi.core.sightings import file_states, find_change, read_sightings, write_sightings
from tol_luigi.sources.faults import can_be_read
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.error_lines import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


__all__ = ["AGAIN", "CHANGED_MEANWHILE", "StageTask", "clear_completion_cache"]

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

    is_listed: ClassVar[bool] = True
    """Whether the manifest lists its files, so that they are published: not what is fetched, as it includes what is taken down."""

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
        elif self.is_guarded and read_sightings(self.sightings_path):
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
        return json_digest([self.settings.digest, sorted(self.inputs().items())])[:12]

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
        has_receipt = self.receipt_path.exists()
        if not self.is_complete_now():
            self.withdraw(has_receipt=has_receipt)
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

    def withdraw(self, *, has_receipt: bool = True) -> None:
        """Remove the receipt, because the files that it records are about to be replaced.

        Args:
            has_receipt: Whether there was a receipt when it was decided to replace them. One that is written after that is
                another process's, and valid.
        """
        if has_receipt:
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
