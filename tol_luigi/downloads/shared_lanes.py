"""Lanes of servers that builds without a common scheduler share: a lock file for each, in a folder that all of them see."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from tol_luigi.core.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["lanes_held"]

_FOR_ALL = 0o666


@contextlib.contextmanager
def lanes_held(folder: Path | None, lanes: Iterable[int], waiting: Callable[[], None]) -> Iterator[None]:
    """Hold lanes in the block; wait until no other process holds one of them. The kernel releases those of a killed process.

    Args:
        folder: The folder of the locks; None if lanes are not shared.
        lanes: The lanes.
        waiting: Called once if another process holds one of them.

    Raises:
        DiskError: The file system has no locks, or a file cannot be opened.
    """
    with contextlib.ExitStack() as held:
        if folder is not None:
            paths = [
                folder / f"lane-{lane:02d}" for lane in sorted(lanes)
            ]  # in order, so that none waits for another
            files = [_opened(path, held) for path in paths]
            if not all(_lock(*pair, fcntl.LOCK_NB) for pair in zip(paths, files, strict=True)):
                for file in files:  # hold none while the message is passed
                    fcntl.flock(file, fcntl.LOCK_UN)
                waiting()
                for pair in zip(paths, files, strict=True):
                    _lock(*pair)
        yield


def _opened(path: Path, held: contextlib.ExitStack) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, _FOR_ALL)
    except OSError as error:
        what = f"cannot be opened for writing ({error.strerror})"
        raise DiskError(path, what, "Set [fetch] shared_budgets to a folder that you can write to") from error
    held.callback(os.close, file)
    with contextlib.suppress(PermissionError):  # the file of another user
        os.fchmod(file, _FOR_ALL)
    return file


def _lock(path: Path, file: int, options: int = 0) -> bool:
    """Lock a file; return whether this was possible without waiting."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | options)
    except BlockingIOError:
        return False
    except OSError as error:
        what = f"its file system has no locks ({error.strerror})"
        raise DiskError(path, what, "Set [fetch] shared_budgets to a folder of another one") from error
    return True
