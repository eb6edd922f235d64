"""The exit codes of all commands."""

from __future__ import annotations

import enum

__all__ = ["ExitCode"]


class ExitCode(enum.IntEnum):
    """What the exit code of a command says. Those from 10 to 40 are Luigi's, as ``[retcode]`` sets them."""

    COMPLETE = 0
    """All is well; of a build, that the dataset is complete."""
    NEGATIVE = 1
    """The answer is no: too little space, an unknown image, a node on which everything fails."""
    ALREADY_RUNNING = 10
    MISSING_DATA = 20
    NOT_RUN = 25
    """Something is still to be done."""
    TASK_FAILED = 30
    SCHEDULING_ERROR = 35
    """Not all tasks could be scheduled."""
    UNHANDLED_EXCEPTION = 40
    """Nothing was begun: the settings are wrong, or the program is."""
    INTERRUPTED = 130
