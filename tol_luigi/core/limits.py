"""Limits of the system that a process has reached: memory, open files, processes, semaphores."""

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

__all__ = ["causes", "expected_error"]

_AGAIN = "and run the same command again"
_MEMORY = "no memory is left"
_FILES = "no more files can be opened"
_PROCESSES = "no more processes or threads can be started"
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""What :func:`tol_luigi.core.files.clear_disk_errors` names more closely, where it knows the file."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, the error that it was raised from, and so on."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def expected_error(error: BaseException) -> TolError | None:
    """Return what a user can be told in one line of an error; None if the error is a fault of the program.

    Whatever a library or a stage has made of a limit that was reached, the limit is named.
    """
    if isinstance(error, (DiskError, LimitError)):
        return error
    for cause in causes(error):
        if limit := _reached(cause):
            where = error.where if isinstance(error, TolError) else getattr(cause, "filename", None)
            return LimitError(where or "this process", *limit)
    return error if isinstance(error, TolError) else None


def _reached(error: BaseException) -> tuple[str, str] | None:
    """Return which limit an error means, and what to do; None if it means none."""
    if isinstance(error, MemoryError):
        return _MEMORY + _limit(resource.RLIMIT_AS, "-v"), f"Allow more, or use fewer --workers, {_AGAIN}"
    if _is_about_threads(error):
        return _PROCESSES + _limit(
            resource.RLIMIT_NPROC, "-u"
        ), f"Allow more of them or more memory, {_AGAIN}"
    return _reached_by_call(error) if isinstance(error, OSError) else None


def _is_about_threads(error: BaseException) -> bool:
    """Return whether Python or Arrow could not start a thread: neither keeps the number of the system's error."""
    if isinstance(error, pa.ArrowException):
        return os.strerror(errno.EAGAIN) in str(error)
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _reached_by_call(error: OSError) -> tuple[str, str] | None:
    if _is_raised_in(error, multiprocessing.synchronize.__name__):
        what = f"no semaphore can be made in /dev/shm ({error.strerror})"
        return what, f"Mount it, with space and writable for all users (mode 1777), {_AGAIN}"
    if _is_raised_in(error, multiprocessing.popen_fork.__name__) and error.errno == errno.EAGAIN:
        return _PROCESSES + _limit(resource.RLIMIT_NPROC, "-u"), f"Allow more of them, {_AGAIN}"
    if error.errno == errno.ENOMEM:
        return _MEMORY + _limit(resource.RLIMIT_AS, "-v"), f"Allow more, or use fewer --workers, {_AGAIN}"
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return _FILES + _limit(resource.RLIMIT_NOFILE, "-n"), f"Raise the limit, {_AGAIN}"
    if error.errno in _OF_DISKS:
        return f"cannot be written ({error.strerror})", f"Make it possible, {_AGAIN}"
    return None


def _limit(kind: int, option: str) -> str:
    """Write down the limit of a process, "" if there is none."""
    limit, _ = resource.getrlimit(kind)
    if limit == resource.RLIM_INFINITY:
        return ""
    shown = f"{limit / 2**20:,.0f} MiB" if kind == resource.RLIMIT_AS else f"{limit:,}"
    return f" (the limit is {shown}: ulimit {option})"


def _is_raised_in(error: BaseException, module: str) -> bool:
    """Return whether a function of a module has raised an error, or has called what has."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == module
