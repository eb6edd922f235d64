"""Luigi's scheduler as its page shows it: a task that is not retried has failed, and is not called disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luigi.scheduler import UPSTREAM_DISABLED, UPSTREAM_FAILED, rpc_method
from luigi.task_status import DISABLED, FAILED

from tol_luigi.tasks.indexed_scheduler import IndexedScheduler

if TYPE_CHECKING:
    from tol_luigi.cluster.state import RunState

__all__ = ["PageScheduler"]

_COUNT = "num_tasks"
"""What Luigi returns in place of tasks if there are too many to show."""


class PageScheduler(IndexedScheduler):
    """Luigi's scheduler, whose page shows all failed tasks as failed, whether they are retried or not."""

    _state: RunState

    def _serialize_task(
        self, task_id: str, include_deps: bool = True, deps: list[str] | None = None
    ) -> dict[str, Any]:
        fields: dict[str, Any] = super()._serialize_task(task_id, include_deps, deps)
        return {**fields, "status": FAILED} if fields["status"] == DISABLED else fields

    @rpc_method()  # type: ignore[untyped-decorator]
    def task_list(self, status: str = "", upstream_status: str = "", **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 (luigi's, untyped)
        """Return the tasks of a status; disabled tasks, and those that depend on them, are returned as failed ones."""
        if status == DISABLED or upstream_status == UPSTREAM_DISABLED:
            return {}
        found: dict[str, Any] = super().task_list(status, upstream_status, **kwargs)
        if status == FAILED:
            return _together(found, super().task_list(DISABLED, upstream_status, **kwargs))
        if upstream_status == UPSTREAM_FAILED:
            return _together(found, super().task_list(status, UPSTREAM_DISABLED, **kwargs))
        return found

    @rpc_method()  # type: ignore[untyped-decorator]
    def forgive_failures(self, task_id: str) -> dict[str, Any]:
        """Retry a failed task, as the button of the page promises."""
        task = self._state.get_task(task_id)
        if task is not None and task.status == DISABLED:
            self._state.retry(task, self._config)
        answer: dict[str, Any] = super().forgive_failures(task_id)
        return answer


def _together(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    if _COUNT not in first | second:
        return first | second
    counts = [found.get(_COUNT, len(found)) for found in (first, second)]
    return {_COUNT: -1 if -1 in counts else sum(counts)}  # -1: Luigi has not counted them
