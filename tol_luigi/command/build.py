"""``tol build`` and ``tol verify``: run the tasks of Luigi's graph, and show a person how far they are."""

from __future__ import annotations

import functools
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import luigi
from luigi.configuration import get_config
from luigi.execution_summary import LuigiStatusCode

from tol_luigi.command.graph import stages
from tol_luigi.command.live import Live
from tol_luigi.core.errors import ShardError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.report.text import counted
from tol_luigi.tasks import luigi_command as luigi_command  # noqa: PLC0414 (imported for exit codes and errors of tasks)
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.messages import listen, send_event
from tol_luigi.tasks.stage import clear_completion_cache
from tol_luigi.tasks.table_checks import validate_tables
from tol_luigi.tasks.verify import VerifyDataset

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["build", "run", "verify"]

_CODES = {
    LuigiStatusCode.SUCCESS: ExitCode.COMPLETE,
    LuigiStatusCode.SUCCESS_WITH_RETRY: ExitCode.COMPLETE,
    LuigiStatusCode.FAILED: ExitCode.TASK_FAILED,
    LuigiStatusCode.FAILED_AND_SCHEDULING_FAILED: ExitCode.TASK_FAILED,
    LuigiStatusCode.SCHEDULING_FAILED: ExitCode.SCHEDULING_ERROR,
    LuigiStatusCode.NOT_RUN: ExitCode.NOT_RUN,
    LuigiStatusCode.MISSING_EXT: ExitCode.MISSING_DATA,
}


def build(given: argparse.Namespace) -> int:
    """Build the dataset; write the summary last."""
    root = BuildCatalog()
    if not root.complete():
        validate_tables(root.settings)
    code = run(root, given)
    if code == ExitCode.COMPLETE:
        sys.stdout.write(f"\n{root.summary()}")
    return code


def verify(given: argparse.Namespace) -> int:
    """Verify a finished dataset, and repair it if asked to."""
    root = VerifyDataset(level=given.level, repair=given.repair)
    if not root.layout.directory.is_dir():
        raise ShardError(root.layout.directory, "there is no dataset", "Build it first: tol build")
    code = run(root, given)
    if (report := root.output().text_file).exists():
        sys.stdout.write(f"\n{report.read_text(encoding='utf-8')}")
    return code


def run(root: DatasetTask, given: argparse.Namespace) -> int:
    """Run a task and what it requires; return the exit code."""
    graph = stages(root)
    log = _log_file(root.layout.logs, str(given.verb))
    try:
        with log.open("wb") as file, Live(graph, file) as live:
            listen(live.send)
            result = _run_tasks(root, given.jobs)
    finally:
        listen(None)
    clear_completion_cache()
    code = _CODES[result.status]
    if code != ExitCode.COMPLETE:
        _write_failures(live, log, code)
    return code


def _run_tasks(root: DatasetTask, jobs: int) -> Any:  # noqa: ANN401 (luigi is untyped)
    for event, happened in ((luigi.Event.START, "started"), (luigi.Event.SUCCESS, "done")):
        DatasetTask.event_handler(event)(functools.partial(_send, happened))
    DatasetTask.event_handler(luigi.Event.FAILURE)(lambda task, _: _send("failed", task))
    DatasetTask.event_handler(luigi.Event.PROCESS_FAILURE)(lambda task, _: _send("failed", task))
    return luigi.build(
        [root],
        workers=jobs,
        local_scheduler=not _has_luigid(),
        log_level="DEBUG",
        detailed_summary=True,
    )


def _send(happened: str, task: DatasetTask) -> None:
    if not isinstance(task, luigi.WrapperTask):
        send_event(happened, family=task.task_family, label=task.label)


def _has_luigid() -> bool:
    """Return whether the settings name a luigid; without one, the scheduler is part of this process."""
    config = get_config()
    keys = (
        "default_scheduler_url",
        "default-scheduler-url",
        "default_scheduler_host",
        "default-scheduler-host",
    )
    return any(config.has_option("core", key) for key in keys)


def _log_file(folder: Path, verb: str) -> Path:
    """Return the path of a new log file."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{verb}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"


def _write_failures(live: Live, log: Path, code: ExitCode) -> None:
    """Write how many tasks have failed, and where to read more."""
    failed = sum(stage.failed for stage in live.stages.values())
    left = sum(stage.count - stage.complete - stage.failed for stage in live.stages.values())
    more = [
        f"  {labels[0]} and {counted(len(labels) - 1, 'other task')} for the same reason"
        for labels in live.causes.values()
        if len(labels) > 1
    ]
    what = (
        f"{counted(failed, 'task')} failed"
        if failed
        else f"Not everything could be run (exit code {int(code)})"
    )
    sys.stderr.writelines(
        f"{line}\n" for line in [*more, f"{what}, {counted(max(left, 0), 'task')} not run. Log: {log}"]
    )
