"""System errors while a source is read: they concern the machine or permissions, not the content of files."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from tol_luigi.core.limits import causes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CHECK_PATH", "FILE_FAULTS", "GONE", "can_be_read", "system_error"]

CHECK_PATH = "Check the path in the settings and its permissions"

FILE_FAULTS = frozenset({errno.EACCES, errno.EPERM, errno.EIO, errno.EUCLEAN, errno.EBADMSG})
"""Errors of a single file or folder: missing permissions, or a disk error. A build can skip it.

All others, such as too many open files or an unavailable network file system, would affect other files as
well.
"""

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
"""The file no longer exists: it was removed, or replaced by something else of the same name."""

_CHUNK = 1 << 20


def system_error(error: BaseException) -> OSError | None:
    """Return the system error that caused another error; None if the cause is the content of a file.

    Libraries raise an ``OSError`` of their own without a number. EINVAL is the system's answer if a damaged
    archive makes them seek to a position before its start.
    """
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno not in {None, errno.EINVAL}:
            return cause
    return None


def can_be_read(path: Path, *, to_the_end: bool = True) -> bool:
    """Return whether a file can be read to its end, or at least opened; or whether a folder can be listed."""
    try:
        # A plain open of a pipe without a writer would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        while to_the_end and stat.S_ISREG(os.fstat(descriptor).st_mode) and os.read(descriptor, _CHUNK):
            pass
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
