"""The exit code of the plain ``luigi`` command, corrected for builds that several nodes share."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import luigi.execution_summary
import luigi.worker
from luigi.rpc import RPCError
from luigi.task_status import DISABLED, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    _Sets = dict[str, set[luigi.Task]]

__all__ = ["apply"]


def apply() -> None:
    """Correct the exit code of the plain ``luigi`` command for builds that several nodes share.

    By default, it reflects only what the command's own worker has seen: 25 for a complete dataset that others
    have built, and 10 for a task that another worker has started. Other exit codes do not change.
    """
    original = luigi.execution_summary._summary_dict  # noqa: SLF001 (see above)
    if not hasattr(original, "__wrapped__"):
        luigi.execution_summary._summary_dict = _corrected(original)  # noqa: SLF001


def _corrected(original: Callable[[luigi.worker.Worker], _Sets]) -> Callable[[luigi.worker.Worker], _Sets]:
    """Classify tasks by their completeness and their status at luigid, not only by one worker's view."""

    @functools.wraps(original)
    def sorted_out(worker: luigi.worker.Worker) -> _Sets:
        sets = original(worker)
        unsure: set[luigi.Task] = set().union(
            *(sets[name] for name in sets if name not in {"completed", "already_done"})
        )
        complete = {task for task in unsure if _is_complete(task)}
        known_failed = _failed_anywhere(worker) if unsure - complete else set()
        failed = {task for task in unsure - complete if task.task_id in known_failed}
        for name in sets.keys() - {"completed", "already_done", "ever_failed"}:
            sets[name] -= complete
            sets[name] -= failed if name != "failed" else set()
        sets["completed"] |= complete - sets["already_done"]
        sets["failed"] |= failed
        sets["ever_failed"] |= failed
        return sets

    return sorted_out


def _is_complete(task: luigi.Task) -> bool:
    with contextlib.suppress(Exception):  # a task may fail to tell
        return bool(task.complete())
    return False


def _failed_anywhere(worker: luigi.worker.Worker) -> set[str]:
    """Return the ids of the tasks that have failed with any worker, according to luigid."""
    found: set[str] = set()
    with contextlib.suppress(RPCError):
        for status in (FAILED, DISABLED):
            found |= set(worker._scheduler.task_list(status, "", limit=False))  # noqa: SLF001 (as above)
    return found
