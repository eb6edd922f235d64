"""Processes that end with the process that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Make the kernel send a signal to this process when its parent ends.

    Args:
        parent: The process id of the parent; if it has ended already, this process exits.
        number: The signal.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise SystemExit(128 + number)
