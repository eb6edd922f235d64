"""Errors caused by system limits: memory, open files, processes, semaphores."""

from __future__ import annotations

import errno
import multiprocessing.popen_fork
import multiprocessing.synchronize
import os
import resource
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.errors import DiskError, LimitError, TolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ALLOW", "causes", "expected_error", "reading_error"]

ALLOW = "Check its permissions and its disk, and run the same command again"
"""What to do about a file that the system does not let be read."""

_AGAIN = "and run the same command again"
_MEMORY = "no memory is left"
_FILES = "no more files can be opened"
_PROCESSES = "no more processes or threads can be started"
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Errors that :func:`tol_luigi.core.files.clear_disk_errors` describes in more detail if it knows the
file."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, the error from which it was raised, and so on."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def expected_error(error: BaseException) -> TolError | None:
    """Return an error that describes another one to the user in one line; None if the other one is a bug.

    If a system limit caused the error, the limit is named, even if a library or a stage raised another error.
    """
    if isinstance(error, (DiskError, LimitError)):
        return error
    for cause in causes(error):
        if limit := _reached(cause):
            where = error.where if isinstance(error, TolError) else getattr(cause, "filename", None)
            return LimitError(where or "this process", *limit)
    return error if isinstance(error, TolError) else None


def reading_error(path: Path, error: OSError) -> TolError:
    """Return what to raise of a file that the system does not let be read, which says nothing about its content."""
    return expected_error(error) or DiskError(path, f"cannot be read: {error.strerror}", ALLOW)


def _reached(error: BaseException) -> tuple[str, str] | None:
    """Return the limit that caused an error, and what to do; None if no limit did."""
    if isinstance(error, MemoryError):
        return _MEMORY + _limit(resource.RLIMIT_AS, "-v"), f"Allow more, or use fewer --workers, {_AGAIN}"
    if _is_about_threads(error):
        return _PROCESSES + _limit(
            resource.RLIMIT_NPROC, "-u"
        ), f"Allow more of them or more memory, {_AGAIN}"
    return _reached_by_call(error) if isinstance(error, OSError) else None


def _is_about_threads(error: BaseException) -> bool:
    """Return whether Python or Arrow could not start a thread; neither keeps the errno."""
    if isinstance(error, pa.ArrowException):
        return os.strerror(errno.EAGAIN) in str(error)
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _reached_by_call(error: OSError) -> tuple[str, str] | None:
    if _is_raised_in(error, multiprocessing.synchronize.__name__):
        what = f"no semaphore can be created in /dev/shm ({error.strerror})"
        return what, f"Mount it with free space, writable for all users (mode 1777), {_AGAIN}"
    if _is_raised_in(error, multiprocessing.popen_fork.__name__) and error.errno == errno.EAGAIN:
        return _PROCESSES + _limit(resource.RLIMIT_NPROC, "-u"), f"Allow more of them, {_AGAIN}"
    if error.errno == errno.ENOMEM:
        return _MEMORY + _limit(resource.RLIMIT_AS, "-v"), f"Allow more, or use fewer --workers, {_AGAIN}"
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return _FILES + _limit(resource.RLIMIT_NOFILE, "-n"), f"Raise the limit, {_AGAIN}"
    if error.errno in _OF_DISKS:
        return f"cannot be written ({error.strerror})", f"Make it writable, {_AGAIN}"
    return None


def _limit(kind: int, option: str) -> str:
    """Return the limit of a process as text, "" if there is none."""
    limit, _ = resource.getrlimit(kind)
    if limit == resource.RLIM_INFINITY:
        return ""
    shown = f"{limit / 2**20:,.0f} MiB" if kind == resource.RLIMIT_AS else f"{limit:,}"
    return f" (the limit is {shown}: ulimit {option})"


def _is_raised_in(error: BaseException, module: str) -> bool:
    """Return whether a function of a module raised an error."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == module
