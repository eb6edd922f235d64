"""sciluigi as far as it is of use here: tasks wired by their ports, and an audit trail.

Importing sciluigi makes a folder, opens a log and changes loggers, and its tasks can neither be handed to another
process nor found complete by one. Here it is imported without a trace, and only by what imports this module.
A workflow travels as its parameters, and a task that comes from elsewhere is wired by making its workflow anew.
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
    """Leave current folder and loggers as they are."""
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
    """The workflow that a task is part of, as text that another process can read."""

    def parse(self, x: Any) -> Workflow:  # noqa: ANN401
        """Find the workflow again, or make it."""
        if isinstance(x, Workflow):
            return x
        named = json.loads(x)
        workflow = getattr(importlib.import_module(named["module"]), named["family"])
        found: Workflow = workflow.from_str_params(named["parameters"])
        return found

    def serialize(self, x: Any) -> str:  # noqa: ANN401
        """Write what :meth:`parse` reads."""
        if not isinstance(x, Workflow):
            return str(x)
        named = {"module": type(x).__module__, "family": type(x).__name__, "parameters": x.to_str_params()}
        return json.dumps(named, sort_keys=True)

    def _warn_on_wrong_param_type(self, param_name: str, param_value: Any) -> None:  # noqa: ANN401
        """A workflow is what belongs here."""
        del param_name, param_value


def port(task: PortTask, target: luigi.Target) -> Any:  # noqa: ANN401 (sciluigi has no types)
    """Make of a target what an ``out_`` port gives."""
    info = TargetInfo(task, task.task_id)  # which makes a target of that; ours need not be a file
    info.target = target
    return info


class PortTask(_Task):  # type: ignore[misc]
    """A task whose requirements are what its ``in_`` ports are given, and whose outputs its ``out_`` ports name."""

    workflow_task: Workflow = _WorkflowParameter(
        significant=False, visibility=ParameterVisibility.HIDDEN, description="what it is part of"
    )
    instance_name: str = luigi.Parameter(description="what the workflow calls it")

    @classmethod
    def from_str_params(cls, params_str: dict[str, Any]) -> PortTask:
        """Make a task; one that comes from another process by making its workflow."""
        if isinstance(params_str["workflow_task"], str):
            workflow = cls.workflow_task.parse(params_str["workflow_task"])
            workflow.last_task()
            params_str = {**params_str, "workflow_task": workflow}
        made: PortTask = super().from_str_params(params_str)
        return made

    def requires(self) -> list[luigi.Task]:
        """Give the tasks whose ports are wired to this one, in the order of the ports."""
        return list(dict.fromkeys(info.task for info in self._wired()))

    def output(self) -> list[luigi.Target]:
        """Give the targets of the ports, in the order of their names."""
        names = [name for name in dir(type(self)) if name.startswith("out_")]
        return [info.target for name in names for info in flatten(getattr(self, name)())]

    def _wired(self) -> Iterator[Any]:
        for name, wired in self.__dict__.items():
            if name.startswith("in_"):
                for each in flatten(wired):
                    yield from flatten(each() if callable(each) else each)

    def add_auditinfo(self, infotype: str, infoval: Any) -> None:  # noqa: ANN401
        """Write a line to the audit trail."""
        self.audit({infotype: infoval})

    def audit(self, facts: dict[str, Any]) -> None:
        """Write a line to the audit trail: these facts, and when and where it was."""
        path = self.workflow_task.audit_folder / f"{self.instance_name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = {"at": when, "task": self.instance_name, "host": socket.gethostname(), "process": os.getpid()}
        with path.open(
            "ab", buffering=0
        ) as file:  # one write a line, at the end: several processes may do so
            file.write(f"{json.dumps({**about, **facts})}\n".encode())


class Workflow(_WorkflowTask):  # type: ignore[misc]
    """Tasks wired to each other; complete when the last of them is.

    A workflow says in ``workflow`` how, and gives the last task.
    """

    instance_name: str = luigi.Parameter(
        default="workflow", significant=False, visibility=ParameterVisibility.HIDDEN, description="its name"
    )

    @property
    def audit_folder(self) -> Path:
        """Where the audit trail goes, a file a task."""
        raise NotImplementedError

    def last_task(self) -> luigi.Task:
        """Give the last task, after wiring all of them at the first call."""
        if "_last" not in self.__dict__:
            self._tasks: dict[str, luigi.Task] = {}  # sciluigi has one for all workflows of a process
            self._last: luigi.Task = self.workflow()
        return self._last

    def requires(self) -> luigi.Task:
        """Have the last task."""
        return self.last_task()

    def output(self) -> list[luigi.Target]:
        """Nothing of its own."""
        return []

    def complete(self) -> bool:
        """Ask the last task."""
        return bool(self.last_task().complete())

    def run(self) -> None:
        """All has been done by its tasks."""

    def add_auditinfo(self, infotype: str, infolog: Any) -> None:  # noqa: ANN401
        """Leave it to the tasks."""
        del infotype, infolog
