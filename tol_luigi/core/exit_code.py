"""The exit codes of all commands."""

from __future__ import annotations

import enum

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """Exit codes of the commands. The codes from 10 to 40 are Luigi's, as set in ``[retcode]``."""

    COMPLETE = 0
    """The command succeeded; for a build, the dataset is complete."""
    NEGATIVE = 1
    """The answer is no: too little space, an unknown image, a node on which everything fails."""
    ALREADY_RUNNING = 10
    MISSING_DATA = 20
    NOT_RUN = 25
    """Some tasks have not run."""
    TASK_FAILED = 30
    SCHEDULING_ERROR = 35
    """Not all tasks could be scheduled."""
    UNHANDLED_EXCEPTION = 40
    """Nothing was started: the settings are wrong, or the program has a bug."""
    INTERRUPTED = 130
