"""The state of luigid as a JSON file: unlike a pickle, reading it cannot run code."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from luigi.scheduler import OrderedSet, RetryPolicy, Task, Worker
from luigi.task_status import BATCH_RUNNING, DISABLED, DONE, FAILED, PENDING, RUNNING, SUSPENDED, UNKNOWN

from tol_luigi.cluster.run import validate_owner
from tol_luigi.core.files import committed, read_json
from tol_luigi.tasks.indexed_scheduler import KnownWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["TASK_FIELDS", "WORKER_FIELDS", "State", "read", "write"]

State = tuple[dict[str, Task], dict[str, Worker], dict[str, dict[str, Any]]]
"""Luigi's state: tasks and workers by id, and the batchers of each worker."""

_Item = TypeVar("_Item", Task, Worker)
_FORMAT = 1
_NONE: tuple[type, ...] = (type(None),)


@dataclass(frozen=True)
class _Field:
    """The JSON type of an attribute, and the conversion from JSON.

    Attributes:
        types: The allowed types of the JSON value.
        items: The allowed types of the items, if the value is a list.
        make: Converts the JSON value to the attribute.
    """

    types: tuple[type, ...]
    items: tuple[type, ...] = (object,)
    make: Callable[[Any], Any] = lambda value: value

    def read(self, name: str, value: Any) -> Any:  # noqa: ANN401 (JSON is any)
        """Return the attribute.

        Raises:
            ValueError: The JSON value has another type.
        """
        is_valid = isinstance(value, self.types)
        if is_valid and isinstance(value, list):
            is_valid = all(isinstance(item, self.items) for item in value)
        if not is_valid:
            raise ValueError(f"{name} is {value!r:.40}")
        return self.make(value)


def _status(value: str) -> str:
    if value not in {PENDING, RUNNING, BATCH_RUNNING, DONE, FAILED, DISABLED, SUSPENDED, UNKNOWN}:
        raise ValueError(f"status is {value!r:.40}")
    return value


def _retry_policy(values: list[Any]) -> RetryPolicy:
    if len(values) != len(RetryPolicy._fields):
        raise ValueError(f"retry_policy is {values!r:.40}")
    return RetryPolicy(*values)


_ANY = _Field((object,))
_TEXT = _Field((str,))
_TEXT_OR_NONE = _Field((str, *_NONE))
_NUMBER = _Field((int, float))
_NUMBER_OR_NONE = _Field((int, float, *_NONE))
_TABLE = _Field((dict,))
_NAMES = _Field((list,), (str,), set)

TASK_FIELDS: Mapping[str, _Field] = {
    "id": _TEXT,
    "stakeholders": _NAMES,
    "workers": _Field((list,), (str,), OrderedSet),
    "deps": _NAMES,
    "status": _Field((str,), make=_status),
    "time": _NUMBER,
    "updated": _NUMBER,
    "retry": _NUMBER_OR_NONE,
    "remove": _NUMBER_OR_NONE,
    "worker_running": _TEXT_OR_NONE,
    "time_running": _NUMBER_OR_NONE,
    "expl": _ANY,
    "priority": _NUMBER,
    "resources": _TABLE,
    "family": _TEXT,
    "module": _TEXT_OR_NONE,
    "param_visibilities": _TABLE,
    "params": _TABLE,
    "public_params": _TABLE,
    "hidden_params": _TABLE,
    "accepts_messages": _ANY,
    "retry_policy": _Field((list,), (int, float, *_NONE), _retry_policy),
    "failures": _Field((list,), (int, float), deque),
    "first_failure_time": _NUMBER_OR_NONE,
    "tracking_url": _TEXT_OR_NONE,
    "status_message": _ANY,
    "progress_percentage": _ANY,
    "scheduler_message_responses": _TABLE,
    "scheduler_disable_time": _NUMBER_OR_NONE,
    "runnable": _ANY,
    "batchable": _ANY,
    "batch_id": _TEXT_OR_NONE,
    # set only if the task was assigned, reported progress, failed, or lost its worker
    "resources_running": _TABLE,
    "failed_on": _NAMES,
    "lost": _Field((list,), (str,)),
    "exit_code": _NUMBER_OR_NONE,
    "is_final": _Field((bool,)),
    "images_done": _NUMBER,
}
"""The attributes of a task: Luigi's, and those :class:`~tol_luigi.cluster.scheduler.RunScheduler` adds."""

WORKER_FIELDS: Mapping[str, _Field] = {
    "id": _TEXT,
    "reference": _Field((dict, *_NONE)),
    "last_active": _NUMBER,
    "last_get_work": _NUMBER_OR_NONE,
    "started": _NUMBER,
    "tasks": _NAMES,
    "info": _TABLE,
    "disabled": _Field((bool,)),
    "rpc_messages": _Field((list,), (dict,)),
}
"""The attributes of a worker; its tasks are saved as their ids."""


def write(path: Path, state: State) -> None:
    """Write a state atomically, readable and writable by its owner only.

    Raises:
        DiskError: The disk is full or not writable.
    """
    tasks, workers, batchers = state
    content = {
        "tasks": [vars(task) for task in tasks.values()],
        "workers": [{**vars(each), "tasks": [task.id for task in each.tasks]} for each in workers.values()],
        "batchers": batchers,
    }
    text = _to_json(content)
    head = json.dumps({"format": _FORMAT, "luigi": version("luigi"), "sha256": _digest(text)})
    with committed(path) as scratch:
        scratch.touch(mode=0o600)
        scratch.write_text(f'{head[:-1]}, "state": {text}}}', encoding="utf-8")


def read(path: Path) -> State:
    """Read a state.

    Raises:
        ClusterError: Other users can write to the file.
        OSError: The file cannot be read.
        RecursionError: The JSON is nested too deeply.
        ValueError: The file is not a state, is damaged, or is from another release.
    """
    validate_owner(path)
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError("it is not in the format of this release")
    if content.get("luigi") != version("luigi"):
        raise ValueError(f"it was written by luigi {content.get('luigi')!r:.20}")
    state = content.get("state")
    if content.get("sha256") != _digest(_to_json(state)):
        raise ValueError("its checksum is wrong")
    if not isinstance(state, dict) or set(state) != {"tasks", "workers", "batchers"}:
        raise ValueError("it lacks tasks, workers or batchers")
    tasks = {task.id: task for task in map(_task, _Field((list,), (dict,)).read("tasks", state["tasks"]))}
    found = _Field((list,), (dict,)).read("workers", state["workers"])
    workers = {worker.id: worker for worker in (_worker(fields, tasks) for fields in found)}
    return tasks, workers, _TABLE.read("batchers", state["batchers"])


def _to_json(content: object) -> str:
    return json.dumps(content, default=list)  # for sets and deques


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _task(fields: dict[str, Any]) -> Task:
    return _fill(Task(task_id="", status=PENDING, deps=None), fields, TASK_FIELDS)


def _worker(fields: dict[str, Any], tasks: Mapping[str, Task]) -> Worker:
    worker = _fill(KnownWorker(worker_id=""), fields, WORKER_FIELDS)
    worker.tasks = {tasks[name] for name in worker.tasks if name in tasks}
    return worker


def _fill(item: _Item, fields: dict[str, Any], kinds: Mapping[str, _Field]) -> _Item:
    """Replace all attributes of a task or worker, and return it."""
    if missing := vars(item).keys() - fields.keys():
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    if unknown := fields.keys() - kinds.keys():
        raise ValueError(f"it has unknown attributes: {', '.join(sorted(unknown))}")
    vars(item).update({name: kinds[name].read(name, value) for name, value in fields.items()})
    return item
