"""The parts of sciluigi that are used here: tasks wired by their ports, and an audit trail.

Importing sciluigi creates a folder, opens a log and changes loggers. Its tasks can neither be passed to
another process nor be found complete there. This module imports it without these side effects, and only
modules that need it import this one. A workflow is serialized as its parameters; a task that comes from
another process is wired by creating its workflow again.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import socket
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import luigi
from luigi.parameter import ParameterVisibility
from luigi.task import flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PortTask", "TargetInfo", "Workflow", "port"]

_LOGGERS = ("luigi-interface", "sciluigi-interface")


@contextlib.contextmanager
def _without_trace() -> Iterator[None]:
    """Restore the current folder and the loggers."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, list(logger.handlers), logger.disabled) for logger in loggers]
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        os.chdir(scratch)
        try:
            yield
        finally:
            os.chdir(here)
            for logger, (level, handlers, disabled) in zip(loggers, before, strict=True):
                for handler in set(logger.handlers) - set(handlers):
                    handler.close()
                logger.handlers[:] = handlers
                logger.setLevel(level)
                logger.disabled = disabled


with _without_trace():
    sciluigi = importlib.import_module("sciluigi")

TargetInfo: Any = sciluigi.TargetInfo
_Task: Any = sciluigi.Task
_WorkflowTask: Any = sciluigi.WorkflowTask


class _WorkflowParameter(luigi.Parameter):
    """The workflow that a task belongs to, serialized so that another process can parse it."""

    def parse(self, x: Any) -> Workflow:  # noqa: ANN401
        """Return the workflow; create it if it is serialized."""
        if isinstance(x, Workflow):
            return x
        named = json.loads(x)
        workflow = getattr(importlib.import_module(named["module"]), named["family"])
        found: Workflow = workflow.from_str_params(named["parameters"])
        return found

    def serialize(self, x: Any) -> str:  # noqa: ANN401
        """Return the text that :meth:`parse` reads."""
        if not isinstance(x, Workflow):
            return str(x)
        named = {"module": type(x).__module__, "family": type(x).__name__, "parameters": x.to_str_params()}
        return json.dumps(named, sort_keys=True)

    def _warn_on_wrong_param_type(self, param_name: str, param_value: Any) -> None:  # noqa: ANN401
        """Accept any value: the parameter's type is a workflow."""
        del param_name, param_value


def port(task: PortTask, target: luigi.Target) -> Any:  # noqa: ANN401 (sciluigi has no types)
    """Return the result of an ``out_`` port for a target."""
    info = TargetInfo(task, task.task_id)  # creates a file target, which is replaced
    info.target = target
    return info


class PortTask(_Task):  # type: ignore[misc]
    """A task whose ``in_`` ports define its requirements, and whose ``out_`` ports define its outputs."""

    workflow_task: Workflow = _WorkflowParameter(
        significant=False, visibility=ParameterVisibility.HIDDEN, description="the workflow of the task"
    )
    instance_name: str = luigi.Parameter(description="the task's name in the workflow")

    @classmethod
    def from_str_params(cls, params_str: dict[str, Any]) -> PortTask:
        """Return a task; for one from another process, create its workflow, which wires it."""
        if isinstance(params_str["workflow_task"], str):
            workflow = cls.workflow_task.parse(params_str["workflow_task"])
            workflow.last_task()
            params_str = {**params_str, "workflow_task": workflow}
        task: PortTask = super().from_str_params(params_str)
        return task

    def requires(self) -> list[luigi.Task]:
        """Require the tasks whose ports are wired to this one, in the order of the ports."""
        return list(dict.fromkeys(info.task for info in self._wired()))

    def output(self) -> list[luigi.Target]:
        """Return the targets of the ports, in the order of their names."""
        names = [name for name in dir(type(self)) if name.startswith("out_")]
        return [info.target for name in names for info in flatten(getattr(self, name)())]

    def _wired(self) -> Iterator[Any]:
        for name, wired in self.__dict__.items():
            if name.startswith("in_"):
                for each in flatten(wired):
                    yield from flatten(each() if callable(each) else each)

    def add_auditinfo(self, infotype: str, infoval: Any) -> None:  # noqa: ANN401
        """Append a line to the audit trail."""
        self.audit({infotype: infoval})

    def audit(self, fields: dict[str, Any]) -> None:
        """Append a line to the audit trail: these fields, with time, task, host and process."""
        path = self.workflow_task.audit_folder / f"{self.instance_name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        common = {
            "at": when,
            "task": self.instance_name,
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        # Each line is one unbuffered append, because several processes may write.
        with path.open("ab", buffering=0) as file:
            file.write(f"{json.dumps({**common, **fields})}\n".encode())


class Workflow(_WorkflowTask):  # type: ignore[misc]
    """A workflow of wired tasks, which is complete if its last task is.

    A subclass wires the tasks in ``workflow`` and returns the last one.
    """

    instance_name: str = luigi.Parameter(
        default="workflow", significant=False, visibility=ParameterVisibility.HIDDEN, description="its name"
    )

    @property
    def audit_folder(self) -> Path:
        """Return the folder of the audit trail, with one file per task."""
        raise NotImplementedError

    def last_task(self) -> luigi.Task:
        """Return the last task; the first call wires all tasks."""
        if "_last" not in self.__dict__:
            self._tasks: dict[str, luigi.Task] = {}  # sciluigi shares one among all workflows
            self._last: luigi.Task = self.workflow()
        return self._last

    def requires(self) -> luigi.Task:
        """Require the last task."""
        return self.last_task()

    def output(self) -> list[luigi.Target]:
        """Return no outputs: the tasks have them."""
        return []

    def complete(self) -> bool:
        """Return whether the last task is complete."""
        return bool(self.last_task().complete())

    def run(self) -> None:
        """Do nothing: the tasks have done everything."""

    def add_auditinfo(self, infotype: str, infolog: Any) -> None:  # noqa: ANN401
        """Do nothing: the tasks write the audit trail."""
        del infotype, infolog
