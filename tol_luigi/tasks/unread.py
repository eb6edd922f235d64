"""Files of sources that cannot be read just now: a build stops at them, or goes on without them until it can read them."""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SourceError
from tol_luigi.core.ledger import State
from tol_luigi.sources.faults import can_be_read
from tol_luigi.store.row_groups import rows_with
from tol_luigi.tasks.base import StageTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.core.source import FileContent, Found, Member
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["ReadingStage", "names_out_of_reach", "read_files", "scan_files"]

_UNREAD = "unread"

_ALLOW = "See that you may read it and that its disk is well, and run the same command again"
_REMEDY = (
    f"{_ALLOW}; or set [checks] unreadable_file = skip to build without such files until they can be read"
)

_COUNT_SECONDS = 10.0
"""How long to count the files that cannot be read either before saying so."""


class ReadingStage(StageTask):
    """A stage that reads files of one source, and runs again once it can read those that it has skipped."""

    skipped: Sequence[str] = ()
    """The names of the files that the stage has skipped while it ran."""

    @property
    def place(self) -> Path:
        """Return the archive, or the folder that the names of files start from."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Record the files that were skipped, if there are any."""
        return {_UNREAD: list(self.skipped)} if self.skipped else {}

    def unread(self, receipt: Receipt) -> list[Path]:
        """Return the paths of the files that were skipped."""
        return [self.place / name for name in receipt.more.get(_UNREAD, ())]


def names_out_of_reach(listing: Path, place: Path) -> list[str]:
    """Return the names of what could not be looked at in a folder, and of the links that lead to nothing as yet.

    Args:
        listing: What a scan has found.
        place: The folder; of an archive there is nothing.
    """
    if not place.is_dir():
        return []
    rows = rows_with(listing, {"state": [State.UNREADABLE, State.UNSAFE]}, ["member", "state"])
    return [
        row["member"]
        for row in rows.to_pylist()
        if row["state"] == State.UNREADABLE or not os.path.exists(place / row["member"])  # noqa: PTH110 (which raises)
    ]


def scan_files(task: DatasetTask, found: Iterable[Found], place: Path) -> Iterator[Found]:
    """Yield what a scan finds, and at its end stop at files and folders that cannot be read, or report that they are skipped.

    Args:
        task: The task that scans.
        found: What the scan finds.
        place: The folder that the names start from.

    Raises:
        SourceError: There are some, and the settings do not let the build go on without them.
    """
    unread: list[Found] = []
    for item in found:
        if item.state is State.UNREADABLE:
            unread.append(item)
        yield item
    if not unread:
        return
    first = place / unread[0].member.name
    what = unread[0].reason + _more(len(unread) - 1)
    if task.settings.checks.unreadable_file == "stop":
        raise SourceError(first, what, _REMEDY)
    _report(task, f"{first}: {what}")


def read_files(
    task: DatasetTask, source: str, partition: str, members: Sequence[Member], *, is_required: bool = False
) -> Iterator[tuple[int, FileContent]]:
    """Read files as ``Reader.read`` does, and stop at one that cannot be read, or report that such files are skipped.

    Args:
        task: The task that reads.
        source: The source's name.
        partition: The partition that all files belong to.
        members: What to read.
        is_required: Whether none may be skipped, whatever the settings say.

    Raises:
        SourceError: A file cannot be read just now, and may not be skipped.
    """
    given = task.settings
    reader = given.sources[source].reader
    place = reader.place(given.listing_of(source, partition))
    must_stop = is_required or given.checks.unreadable_file == "stop"
    skipped: list[str] = []
    for position, content in reader.read(partition, members):
        if isinstance(content, OSError):
            path, what = place / members[position].name, f"cannot be read: {content.strerror}"
            if must_stop:
                others = _unopenable(place, members[position + 1 :])
                remedy = _ALLOW if is_required else _REMEDY
                raise SourceError(path, what + _more(others, len(members)), remedy) from content
            skipped.append(f"{path}: {what}")
        yield position, content
    if skipped:
        _report(task, skipped[0] + _more(len(skipped) - 1, len(members)))


def _unopenable(place: Path, members: Sequence[Member]) -> int:
    """Count the files that cannot be opened, as far as there is time."""
    until = time.monotonic() + _COUNT_SECONDS
    in_time = itertools.takewhile(lambda _: time.monotonic() < until, members)
    return sum(not can_be_read(place / member.name, whole=False) for member in in_time)


def _more(others: int, total: int = 0) -> str:
    of_total = f" of {total:,} files" if total else ""
    return f" (and {others:,} more{of_total})" if others else ""


def _report(task: DatasetTask, what: str) -> None:
    sys.stderr.write(f"tol_luigi: {task.label}: {what}, so it is skipped until it can be read\n")
