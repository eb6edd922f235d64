"""What is done to Luigi's insides, and that it is there to be done to: nothing else of Luigi that is private is used.

Luigi calls its worker private, and says that it may change with any release. So the parts of a run refuse to
start with a release that the tests have not seen, or that lacks something they stand on. What is overridden:

- ``RunState`` (:mod:`.scheduler`): how luigid keeps what it knows, and what becomes of the task of a lost worker;
- ``RunScheduler`` (:mod:`.scheduler`): who gets which task;
- ``Follower`` (:mod:`.client`): how luigid is asked, and that it may move;
- the scripts of luigid's page (:mod:`.page`): that data on it is text, and that what changes something is posted;
- ``Assistant`` and ``LoggedTask`` (:mod:`.worker`): when a worker leaves, and what surrounds a task;
- the exit code of the plain ``luigi`` command (:mod:`tol_luigi.tasks.exit_codes`), which is the one thing that is
  replaced in place, also where there is no run.
"""

from __future__ import annotations

from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn

import luigi.execution_summary
import luigi.rpc
import luigi.scheduler
import luigi.worker

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OVERRIDDEN", "check", "refuse"]

TESTED = ("3.8.1", "3.9")
"""From which release of Luigi on, and before which one."""

OVERRIDDEN: Mapping[Any, Mapping[str, str]] = {
    luigi.scheduler.SimpleTaskState: {
        "dump": "self",
        "load": "self",
        "set_status": "self task new_status config",
        "inactivate_workers": "self delete_workers",
        "fail_dead_worker_task": "self task config assistants",
    },
    luigi.scheduler.Scheduler: {
        "_schedulable": "self task",
        "_update_worker": "self worker_id worker_reference get_work",
        "count_pending": "self worker",
        "get_work": "self host assistant current_tasks worker kwargs",
        "ping": "self kwargs",
        "set_task_status_message": "self task_id status_message",
    },
    luigi.rpc.RemoteScheduler: {
        "_fetch": "self url_suffix body",
        "_request": "self url data attempts allow_null",
    },
    luigi.worker.Worker: {
        "_add_task": "self args kwargs",
        "_create_task_process": "self task",
        "_get_work": "self",
        "_keep_alive": "self get_work_response",
        "_run_task": "self task_id",
        "_handle_next_task": "self",
    },
    luigi.worker.TaskProcess: {
        "run": "self",
        "_run_get_new_deps": "self",
        "_handle_run_exception": "self ex",
    },
    luigi.execution_summary: {"_summary_dict": "worker"},
}
"""The methods that are overridden, with the parameters that they have."""


def check() -> None:
    """Look whether this Luigi is one that the tests have seen.

    Raises:
        SettingsError: It is not, or something that is overridden is not what it was.
    """
    if not _numbers(TESTED[0]) <= _numbers(version("luigi")) < _numbers(TESTED[1]):
        refuse("a run on several nodes is tested only")
    for owner, methods in OVERRIDDEN.items():
        for name, parameters in methods.items():
            there = getattr(owner, name, None)
            if there is None or list(signature(there).parameters) != parameters.split():
                refuse(f"{getattr(owner, '__name__', owner)}.{name} is not what it was")


def _numbers(release: str) -> list[int]:
    return [int(part) for part in release.split(".") if part.isdigit()]


def refuse(what: str) -> NoReturn:
    """Raise that this Luigi cannot be used.

    Raises:
        SettingsError: Always.
    """
    wanted = f"luigi>={TESTED[0]},<{TESTED[1]}"
    raise SettingsError(f"luigi {version('luigi')}", f"{what} with {wanted}", f"pip install '{wanted}'")
