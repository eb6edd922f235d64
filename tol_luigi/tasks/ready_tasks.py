"""The pending tasks that a scheduler can assign next, kept up to date so that it need not look at all tasks."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator  # noqa: TC003 (of the fields of a named tuple)
from typing import TYPE_CHECKING, Any, NamedTuple

from luigi.task_status import DONE, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Kind", "ReadyTasks"]


class Kind(NamedTuple):
    """What decides, besides the rank, whether a task whose requirements are done is assigned to a worker.

    Attributes:
        resources: The resources that it needs.
        workers: The workers that have added it.
        is_runnable: Whether workers that have not added it may run it.
        failed_on: The nodes that it has failed on.
    """

    resources: frozenset[tuple[str, int]]
    workers: tuple[str, ...]
    is_runnable: bool
    failed_on: frozenset[str]

    @classmethod
    def of(cls, task: Any) -> Kind:  # noqa: ANN401 (luigi's, untyped)
        """Return the kind of a task."""
        failed_on = frozenset(getattr(task, "failed_on", ()))
        return cls(
            frozenset((task.resources or {}).items()), tuple(task.workers), bool(task.runnable), failed_on
        )


class _Entry(NamedTuple):
    """A task in the order of Luigi's ranks: the number makes entries differ, as tasks cannot be compared."""

    negative_priority: float
    time: float
    number: int
    task: Any
    kind: Kind


class _Wait(NamedTuple):
    """A task that waits for a requirement, and its further requirements."""

    task: Any
    required: str
    others: Iterator[str]


class ReadyTasks:
    """The pending tasks whose requirements are done, by kind and rank.

    Any other pending task waits for one of its requirements. When this one is done, the next one that is not done is looked
    for. So a requirement is looked at once or twice in a build, and not for each task that is assigned.

    Args:
        get_task: Returns a task by its id; None if it is unknown.
    """

    def __init__(self, get_task: Callable[[str], Any]) -> None:
        self._get_task = get_task
        self._numbers = itertools.count()
        self._heaps: dict[Kind, list[_Entry]] = {}
        self._ready: dict[str, _Entry] = {}
        self._waits: dict[str, _Wait] = {}
        self._waiting: dict[str, list[_Wait]] = defaultdict(list)

    def update(self, task: Any) -> None:  # noqa: ANN401 (luigi's, untyped)
        """Put a task in its place again: it is new, or its status, rank, kind or requirements have changed."""
        if task.status != PENDING:
            return  # its entry is removed when it is found
        entry, wait = self._ready.get(task.id), self._waits.get(task.id)
        if entry is not None and entry == (-task.priority, task.time, entry.number, task, Kind.of(task)):
            return
        if wait is not None and self._is_waited_for(task, wait.required):
            return
        self.forget(task.id)
        self._place(task, iter(tuple(task.deps)))

    def finish(self, task_id: str) -> None:
        """Record that a task is done."""
        for wait in self._waiting.pop(task_id, ()):
            if self._waits.get(wait.task.id) is wait:
                del self._waits[wait.task.id]
                self._place(wait.task, wait.others)

    def forget(self, task_id: str) -> None:
        """Remove a task."""
        self._ready.pop(task_id, None)
        self._waits.pop(task_id, None)

    def remove_workers(self, workers: Collection[str]) -> None:
        """Record that some workers no longer run the tasks that they have added."""
        for kind in [kind for kind in self._heaps if not set(workers).isdisjoint(kind.workers)]:
            for entry in self._heaps.pop(kind):
                if self._ready.get(entry.task.id) is entry:
                    self.forget(entry.task.id)
                    self.update(entry.task)

    def first(self, count: Callable[[Kind], int]) -> Iterator[Any]:
        """Yield the first tasks of each kind, in the order of their ranks.

        Args:
            count: How many of a kind.
        """
        for kind in list(self._heaps):
            heap, found = self._heaps[kind], list[_Entry]()
            wanted = count(kind)
            while heap and len(found) < wanted:
                entry = heapq.heappop(heap)
                if self._ready.get(entry.task.id) is not entry:
                    continue
                if entry.task.status == PENDING and all(map(self._is_done, entry.task.deps)):
                    found.append(entry)
                else:
                    self.forget(entry.task.id)
                    self.update(entry.task)
            for entry in found:
                heapq.heappush(heap, entry)
                yield entry.task
            if not heap:
                del self._heaps[kind]

    def _place(self, task: Any, requirements: Iterator[str]) -> None:  # noqa: ANN401
        for required in requirements:
            if self._is_waited_for(task, required):
                wait = self._waits[task.id] = _Wait(task, required, requirements)
                self._waiting[required].append(wait)
                return
        kind = Kind.of(task)
        entry = _Entry(-task.priority, task.time, next(self._numbers), task, kind)
        self._ready[task.id] = entry
        heapq.heappush(self._heaps.setdefault(kind, []), entry)

    def _is_waited_for(self, task: Any, required: str) -> bool:  # noqa: ANN401
        return required in task.deps and not self._is_done(required)

    def _is_done(self, task_id: str) -> bool:
        task = self._get_task(task_id)
        return task is not None and task.status == DONE
