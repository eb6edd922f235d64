"""Errors of the system while a source is read: they concern the machine or a user's rights, not what a file holds."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from tol_luigi.core.limits import causes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE_FAULTS", "GONE", "LOOK", "can_be_read", "system_error"]

LOOK = "See that the settings name the right place and that you may read it"

FILE_FAULTS = frozenset({errno.EACCES, errno.EPERM, errno.EIO, errno.EUCLEAN, errno.EBADMSG})
"""Faults of one file or folder: it may not be read, or its disk does not give it. A build can go on without it.

All others, such as too many open files or a network file system that is away, would meet other files as well.
"""

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
"""There is no such file any more: it was removed, or something else has its name."""

_CHUNK = 1 << 20


def system_error(error: BaseException) -> OSError | None:
    """Return the error of the system that another error comes from, or None if it comes from the content of a file.

    Libraries raise an ``OSError`` of their own without a number. EINVAL is what the system answers when a damaged
    archive makes them seek to a place before its start.
    """
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno not in {None, errno.EINVAL}:
            return cause
    return None


def can_be_read(path: Path, *, whole: bool = True) -> bool:
    """Return whether a file can be read to its end, or at least opened; or whether a folder can be listed."""
    try:
        # a pipe without a writer would keep a plain open waiting
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        while whole and stat.S_ISREG(os.fstat(descriptor).st_mode) and os.read(descriptor, _CHUNK):
            pass
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
