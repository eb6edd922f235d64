"""The indexed scheduler assigns what Luigi's assigns, and does not look at all tasks to do so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import luigi.scheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from luigi.task_status import DISABLED, DONE, FAILED, PENDING

from tol_luigi.tasks.indexed_scheduler import IndexedScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS, WORKERS, RESOURCES = 12, 3, 3

numbers = st.integers(0, TASKS - 1)
workers = st.integers(0, WORKERS - 1)
resources = st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), max_size=2)
operations = st.one_of(
    st.tuples(
        st.just("add"),
        numbers,
        workers,
        st.sets(numbers, max_size=3),
        st.sampled_from([0, 0, 0, 1, 5]),
        resources,
        st.booleans(),
    ),
    st.tuples(st.just("work"), workers, st.booleans(), st.booleans()),
    st.tuples(st.just("end"), numbers, st.sampled_from([DONE, DONE, FAILED, PENDING])),
    st.tuples(st.just("prune")),
    st.tuples(st.just("lose"), workers),
    st.tuples(st.just("disable"), numbers),
    st.tuples(st.just("forgive"), numbers),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("amount"), st.sampled_from("abc"), st.integers(0, 3)),
)


def config() -> luigi.scheduler.scheduler:
    return luigi.scheduler.scheduler(
        retry_delay=0, retry_count=2, stable_done_cooldown_secs=0, remove_delay=0
    )


def add(scheduler: luigi.scheduler.Scheduler, number: int, worker: int, deps: set[int], *more: Any) -> None:
    priority, needed, runnable = more
    scheduler.add_task(
        task_id=f"T_{number}",
        family="T",
        worker=f"worker{worker}",
        status=PENDING,
        deps=[f"T_{each}" for each in sorted(deps) if each < number],
        priority=priority,
        resources=needed,
        runnable=runnable,
    )


def work(scheduler: luigi.scheduler.Scheduler, worker: int, assistant: bool, is_new: bool) -> Any:
    running = [
        task.id
        for task in scheduler._state.get_active_tasks_by_status("RUNNING")
        if task.worker_running == f"worker{worker}"
    ]
    answer = scheduler.get_work(
        worker=f"worker{worker}",
        host=f"host{worker}",
        assistant=assistant,
        current_tasks=None if is_new else running,
    )
    if answer["task_id"] is not None or running:
        return answer["task_id"]
    return {name: value for name, value in answer.items() if name != "running_tasks"}


def end(scheduler: luigi.scheduler.Scheduler, number: int, status: str) -> None:
    task = scheduler._state.get_task(f"T_{number}")
    if task is not None and task.worker_running:
        scheduler.add_task(
            task_id=task.id, worker=task.worker_running, status=status, runnable=None, assistant=True
        )


def lose(scheduler: luigi.scheduler.Scheduler, worker: int) -> None:
    if f"worker{worker}" in scheduler._state.get_worker_ids():
        scheduler._state.inactivate_workers([f"worker{worker}"])


def disable(scheduler: luigi.scheduler.Scheduler, number: int) -> None:
    scheduler.add_task(task_id=f"T_{number}", family="T", worker="worker0", status=DISABLED, runnable=False)


STEPS: dict[str, Callable[..., Any]] = {
    "add": add,
    "work": work,
    "end": end,
    "prune": lambda scheduler: scheduler.prune(),
    "lose": lose,
    "disable": disable,
    "forgive": lambda scheduler, number: scheduler.forgive_failures(task_id=f"T_{number}"),
    "pause": lambda scheduler, is_paused: scheduler.pause() if is_paused else scheduler.unpause(),
    "amount": lambda scheduler, name, amount: scheduler.update_resource(name, amount),
}


def statuses(scheduler: luigi.scheduler.Scheduler) -> dict[str, str]:
    return {task.id: task.status for task in scheduler._state.get_active_tasks()}


@given(st.lists(operations, max_size=60))
@settings(max_examples=150)
def test_a_worker_gets_the_task_that_luigis_scheduler_assigns(steps: list[tuple[Any, ...]]) -> None:
    ours, luigis = IndexedScheduler(config()), luigi.scheduler.Scheduler(config())
    for name, *values in steps:
        assert STEPS[name](ours, *values) == STEPS[name](luigis, *values)
        assert statuses(ours) == statuses(luigis)


class Counting(IndexedScheduler):
    """A scheduler that counts the tasks it looks at."""

    def __init__(self) -> None:
        super().__init__(config())
        self.looked_at = 0

    def _schedulable(self, task: Any) -> bool:
        self.looked_at += 1
        return bool(super()._schedulable(task))


def looked_at(tasks: int) -> int:
    """Count the tasks that are looked at to assign one, if most of them wait for a resource, and others for them."""
    scheduler = Counting()
    for number in range(tasks):
        lane = {f"lane{number % 4}": 1}
        scheduler.add_task(task_id=f"Fetch_{number}", family="Fetch", worker="foreman", resources=lane)
        scheduler.add_task(
            task_id=f"Scan_{number}", family="Scan", worker="foreman", deps=[f"Fetch_{number}"]
        )
    given = Counter[Any]()
    for number in range(8):
        answer = scheduler.get_work(worker=f"worker{number}", assistant=True, current_tasks=[])
        given[answer["task_id"]] += 1
    assert given == {"Fetch_0": 1, "Fetch_1": 1, "Fetch_2": 1, "Fetch_3": 1, None: 4}
    return scheduler.looked_at


def test_the_tasks_that_are_looked_at_do_not_grow_with_the_graph() -> None:
    assert looked_at(200) == looked_at(20) < 8 * 20


def test_a_task_that_waits_for_a_resource_keeps_it_from_tasks_after_it() -> None:
    for made in (IndexedScheduler(config()), luigi.scheduler.Scheduler(config())):
        for name, needed, priority in (
            ("Held", {"a": 1}, 0),
            ("First", {"a": 1, "b": 1}, 9),
            ("Second", {"b": 1}, 5),
        ):
            made.add_task(task_id=name, family=name, worker="foreman", resources=needed, priority=priority)
            if name == "Held":
                assert made.get_work(worker="w1", assistant=True)["task_id"] == "Held"
        assert made.get_work(worker="w2", assistant=True)["task_id"] is None
