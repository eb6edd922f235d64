"""What luigid reports of a run: plain data, which :mod:`.client` turns into objects."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from luigi.task_status import DISABLED

__all__ = ["Report", "failure_fields", "task_fields"]


class Report(TypedDict):
    """The status of a run; see :class:`~tol_luigi.cluster.client.RunStatus` for the fields."""

    counts: dict[str, dict[str, int]]
    running: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    workers: int
    images: dict[str, int]
    images_per_second: dict[str, float]
    bad_nodes: list[str]
    unfinished: int
    leaving: str


def task_fields(task: Any) -> dict[str, Any]:  # noqa: ANN401 (luigi's, untyped)
    """Return what a task is, and where its log is."""
    parameters = {key: value for key, value in task.params.items() if key != "dataset"}
    return {
        "task_id": task.id,
        "label": " ".join([task.family, *parameters.values()]),
        "family": task.family,
        "parameters": parameters,
        "log": task.tracking_url,
    }


def failure_fields(task: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
    """Return why a task has failed, and whether it is tried again."""
    return {
        **task_fields(task),
        "cause": _cause(task.expl),
        "attempts": len(task.failures),
        "final": task.status == DISABLED,
        "exit_code": getattr(task, "exit_code", None),
    }


def _cause(explanation: str | None) -> str:
    """Return the last line of a message or traceback, which names the error."""
    try:
        text = json.loads(explanation or '""')
    except ValueError:
        text = explanation
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1] if lines else "unknown"
