"""The private parts of Luigi that are overridden, and a check that they are unchanged; no others are used.

Luigi documents its worker as private: it may change in any release. So the parts of a run refuse to start
with an untested release, or if an overridden method differs. These classes override parts of Luigi:

- ``IndexedState`` and ``IndexedScheduler`` (:mod:`tol_luigi.tasks.indexed_scheduler`): which tasks Luigi looks at to assign
  one; a build without a luigid uses them as well;
- ``RunState`` (:mod:`.state`): how luigid saves its state, and how it handles the task of a lost worker;
- ``RunScheduler`` (:mod:`.scheduler`): which worker gets which task;
- ``PageScheduler`` (:mod:`.page_scheduler`): which tasks luigid's page shows as failed;
- ``RemoteRunScheduler`` (:mod:`.client`): how requests reach a luigid whose address may change;
- the scripts of luigid's page (:mod:`.page`): data is shown as text, and changes are sent with POST;
- ``_Foreman`` (:mod:`.foreman`): how the tasks of a graph are sent;
- ``Assistant`` and ``LoggedTask`` (:mod:`.worker`): when a worker stops, and how it runs a task;
- the exit code of the plain ``luigi`` command (:mod:`tol_luigi.tasks.exit_codes`).

The last one, and the scheduler of builds without a luigid, are replaced in place, so they also apply outside a run.
"""

from __future__ import annotations

from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn

import luigi.execution_summary
import luigi.interface
import luigi.rpc
import luigi.scheduler
import luigi.worker

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OVERRIDDEN", "check", "raise_unsupported"]

TESTED = ("3.8.1", "3.9")
"""The first tested release of Luigi, and the first untested one after it."""

OVERRIDDEN: Mapping[Any, Mapping[str, str]] = {
    luigi.scheduler.SimpleTaskState: {
        "dump": "self",
        "load": "self",
        "set_status": "self task new_status config",
        "inactivate_workers": "self delete_workers",
        "fail_dead_worker_task": "self task config assistants",
        "get_active_tasks_by_status": "self statuses",
        "get_worker": "self worker_id",
        "inactivate_tasks": "self delete_tasks",
        "_remove_workers_from_tasks": "self workers remove_stakeholders",
    },
    luigi.scheduler.Worker: {"is_trivial_worker": "self state"},
    luigi.scheduler.Scheduler: {
        "_prune_tasks": "self",
        "_schedulable": "self task",
        "_serialize_task": "self task_id include_deps deps",
        "_update_priority": "self task prio worker",
        "_update_worker": "self worker_id worker_reference get_work",
        "count_pending": "self worker",
        "forgive_failures": "self task_id",
        "get_work": "self host assistant current_tasks worker kwargs",
        "ping": "self kwargs",
        "set_task_status_message": "self task_id status_message",
        "task_list": "self status upstream_status limit search max_shown_tasks kwargs",
    },
    luigi.rpc.RemoteScheduler: {
        "_fetch": "self url_suffix body",
        "_request": "self url data attempts allow_null",
    },
    luigi.worker.Worker: {
        "add": "self task multiprocess processes",
        "_add_task": "self args kwargs",
        "_create_task_process": "self task",
        "_get_work": "self",
        "_keep_alive": "self get_work_response",
        "_run_task": "self task_id",
        "_handle_next_task": "self",
    },
    luigi.worker.TaskProcess: {
        "run": "self",
        "start": "self",
        "_run_get_new_deps": "self",
        "_handle_run_exception": "self ex",
    },
    luigi.interface._WorkerSchedulerFactory: {"create_local_scheduler": "self"},  # noqa: SLF001
    luigi.execution_summary: {"_summary_dict": "worker"},
}
"""The overridden methods with their parameters."""


def check() -> None:
    """Check that this release of Luigi is supported.

    Raises:
        SettingsError: The release is untested, or an overridden method differs.
    """
    if not _numbers(TESTED[0]) <= _numbers(version("luigi")) < _numbers(TESTED[1]):
        raise_unsupported("a run on several nodes is tested only with")
    for owner, methods in OVERRIDDEN.items():
        for name, parameters in methods.items():
            method = getattr(owner, name, None)
            if method is None or list(signature(method).parameters) != parameters.split():
                raise_unsupported(f"{getattr(owner, '__name__', owner)}.{name} differs from")


def _numbers(release: str) -> list[int]:
    return [int(part) for part in release.split(".") if part.isdigit()]


def raise_unsupported(what: str) -> NoReturn:
    """Raise that this release of Luigi is not supported.

    Raises:
        SettingsError: Always.
    """
    tested = f"luigi>={TESTED[0]},<{TESTED[1]}"
    raise SettingsError(f"luigi {version('luigi')}", f"{what} {tested}", f"Run: pip install '{tested}'")
