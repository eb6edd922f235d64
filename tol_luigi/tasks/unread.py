"""Source files that cannot be read at the moment: a build stops, or skips them until it can read them."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import UnreadableError
from tol_luigi.core.ledger import State
from tol_luigi.core.limits import ALLOW
from tol_luigi.sources.faults import can_be_read
from tol_luigi.store.row_groups import rows_with
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.reader import FileContent, Found, Member
    from tol_luigi.core.receipts import Receipt
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["UNREAD", "ReadingStage", "inaccessible_names", "read_files", "scan_files"]

UNREAD = "unread"
"""The key of receipts with the names of the files that were skipped."""

_REMEDY = (
    f"{ALLOW}; or set [checks] unreadable_file = skip to build without such files until they can be read"
)

_COUNT_SECONDS = 10.0
"""How long to look for other unreadable files before reporting the first one."""


class ReadingStage(StageTask):
    """A stage that reads files of one source, and runs again once the files that it skipped are readable."""

    skipped: Sequence[str] = ()
    """The names of the files that the stage has skipped in this run."""

    @property
    def place(self) -> Path:
        """Return the archive, or the folder that the names of files are relative to."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Return the skipped files, if there are any."""
        return {UNREAD: list(self.skipped)} if self.skipped else {}

    def unread(self, receipt: Receipt) -> list[Path]:
        """Return the paths of the skipped files."""
        return [self.place / name for name in receipt.more.get(UNREAD, ())]


def inaccessible_names(listing: Path, place: Path) -> list[str]:
    """Return the names of files in a folder that could not be read, and of links whose target does not exist.

    Args:
        listing: The result of a scan.
        place: The folder; an archive has no such files.
    """
    if not place.is_dir():
        return []
    rows = rows_with(listing, {"state": [State.UNREADABLE, State.UNSAFE]}, ["member", "state"])
    return [
        row["member"]
        for row in rows.to_pylist()
        if row["state"] == State.UNREADABLE or not _exists(place / row["member"])
    ]


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 (Path.exists raises if the path may not be looked up)


def scan_files(task: DatasetTask, found: Iterable[Found], place: Path) -> Iterator[Found]:
    """Yield what a scan finds; at the end, stop at files that cannot be read, or report them as skipped.

    Args:
        task: The task that scans.
        found: The results of the scan.
        place: The folder that the names are relative to.

    Raises:
        UnreadableError: Some cannot be read, and the settings do not allow skipping them.
    """
    unread: list[Found] = []
    for item in found:
        if item.state is State.UNREADABLE:
            unread.append(item)
        yield item
    if not unread:
        return
    first = place / unread[0].member.name
    what = unread[0].reason + _and_others(len(unread) - 1)
    if task.settings.checks.unreadable_file == "stop":
        raise UnreadableError(first, what, _REMEDY)
    _report(task, f"{first}: {what}")


def read_files(
    task: DatasetTask, source: str, partition: str, members: Sequence[Member], *, is_required: bool = False
) -> Iterator[tuple[int, FileContent]]:
    """Read files as ``Reader.read`` does; stop at one that cannot be read, or report such files as skipped.

    Args:
        task: The task that reads.
        source: The source's name.
        partition: The partition that all files belong to.
        members: The files to read.
        is_required: Whether no file may be skipped, whatever the settings.

    Raises:
        UnreadableError: A file cannot be read at the moment, and must not be skipped.
    """
    settings = task.settings
    reader = settings.sources[source].reader
    place = reader.place(settings.listing_of(source, partition))
    must_stop = is_required or settings.checks.unreadable_file == "stop"
    skipped: list[str] = []
    for position, content in reader.read(partition, members):
        if isinstance(content, OSError):
            path, what = place / members[position].name, f"cannot be read: {content.strerror}"
            if must_stop:
                others = _unopenable(place, members[position + 1 :])
                remedy = ALLOW if is_required else _REMEDY
                raise UnreadableError(path, what + _and_others(others, len(members)), remedy) from content
            skipped.append(f"{path}: {what}")
        yield position, content
    if skipped:
        _report(task, skipped[0] + _and_others(len(skipped) - 1, len(members)))


def _unopenable(place: Path, members: Sequence[Member]) -> int:
    """Count the files that cannot be opened, for up to ten seconds."""
    until = time.monotonic() + _COUNT_SECONDS
    in_time = itertools.takewhile(lambda _: time.monotonic() < until, members)
    return sum(not can_be_read(place / member.name, to_the_end=False) for member in in_time)


def _and_others(others: int, total: int = 0) -> str:
    of_total = f" of {total:,} files" if total else ""
    return f" (and {others:,} more{of_total})" if others else ""


def _report(task: DatasetTask, what: str) -> None:
    write_line(f"{what}, so it is skipped until it can be read", task.label)
