"""``tol status``: show the progress of the build."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from tol_luigi.command.graph import planned, stages
from tol_luigi.command.terminal import show
from tol_luigi.core.errors import ClusterError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import read_json, read_object
from tol_luigi.report.selection import other_selections_notes
from tol_luigi.report.status import (
    Progress,
    RunningTask,
    StageStatus,
    Status,
    by_cause,
    status_figures,
    status_line,
    status_text,
)
from tol_luigi.report.text import counted, human_seconds
from tol_luigi.tasks.selection_settings import other_selections
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.task_states import read_states

if TYPE_CHECKING:
    import argparse

    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.cluster.run import Run
    from tol_luigi.command.graph import Stage
    from tol_luigi.core.layout import Layout
    from tol_luigi.core.plan import WorkUnit
    from tol_luigi.tasks.task_states import TaskState

__all__ = ["build_status", "status"]

_WINDOW = 3600.0
"""The time window in seconds of a rate that is computed from receipts."""

_CLEAR = "\x1b[2J\x1b[H"


def status(arguments: argparse.Namespace) -> int:
    """Print the progress of the build, once or until the build ends."""
    while True:
        now, has_ended = build_status(settings().layout)
        _show(now, arguments)
        if now.is_complete:
            return ExitCode.COMPLETE
        if not arguments.follow or has_ended:
            is_failed = any(cause.is_final for cause in now.causes)
            return ExitCode.TASK_FAILED if is_failed else ExitCode.NOT_RUN
        time.sleep(arguments.every)


def _show(now: Status, arguments: argparse.Namespace) -> None:
    if arguments.json:
        sys.stdout.write(json.dumps(status_figures(now), ensure_ascii=False) + "\n")
    elif not arguments.follow:
        show(status_text(now))
    elif sys.stdout.isatty():
        sys.stdout.write(_CLEAR)
        show(status_text(now))
    else:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {status_line(now)}\n")
    sys.stdout.flush()


def build_status(layout: Layout) -> tuple[Status, bool]:
    """Read the files of the dataset, and the status of luigid if it is running.

    Returns:
        The progress of the build, and whether its run has ended.
    """
    from tol_luigi.cluster.run import Run  # noqa: PLC0415 (not every subcommand needs the cluster)

    graph, run = stages(), Run.of(layout)
    written = _Written(layout)
    run_status, scheduler = _ask(run)
    # Without a luigid of ours, tasks leave notes: those of a build on this machine, or by a plain luigid.
    states = [] if run_status else read_states(layout.task_states)
    if nodes := {state.node for state in states if state.is_running}:
        scheduler = f"A build is running on {', '.join(sorted(nodes))}. {scheduler}"
    ended = read_json(run.result) if run.result.exists() and run_status is None else {}
    rate, over = written.rate()
    if run_status and (measured := run_status.images_per_second.get("WriteShards")):
        rate, over = measured, "over the last minute"
    images = written.images(run_status)
    running = _running(run_status, states)
    left = (images.all - images.done) / rate if rate and images.all and running else None
    is_complete = not any(stage.to_do for stage in graph)
    failed = [] if is_complete else _failed(graph, layout, run_status, ended, states)
    now = Status(
        dataset=str(layout.directory),
        is_complete=is_complete,
        scheduler=scheduler,
        stages=[_stage(stage, run_status, states) for stage in graph],
        images=images,
        bytes=written.bytes(),
        rate=rate,
        rate_over=over,
        seconds_left=left,
        running=running,
        causes=by_cause(failed),
        notes=_notes(run_status, ended, other_selections_notes(other_selections(settings()))),
    )
    return now, bool(ended)


def _ask(run: Run) -> tuple[RunStatus | None, str]:
    """Return the status from luigid, if it is reachable, and a line about where the status comes from."""
    from tol_luigi.cluster.client import Scheduler  # noqa: PLC0415 (as above)

    try:
        address = run.read_address()
        if address is None:
            return None, "luigid is not running: this status is read from the files of the dataset."
        found = Scheduler(run).status()
    except ClusterError as error:
        return None, f"This status is read from the files of the dataset: {error.where}: {error.what}."
    return found, f"luigid at {address.url}, {counted(found.workers, 'worker')}"


def _stage(stage: Stage, run_status: RunStatus | None, states: list[TaskState]) -> StageStatus:
    if run_status:
        counts = run_status.counts.get(stage.name, {})
        running, failed = counts.get("RUNNING", 0), counts.get("FAILED", 0) + counts.get("DISABLED", 0)
    else:
        ids = {task.task_id for task in stage.to_do}
        own = [state for state in states if state.task_id in ids]
        running, failed = sum(state.is_running for state in own), sum(bool(state.cause) for state in own)
    return StageStatus(stage.name, stage.count, len(stage.complete), running, failed)


def _running(run_status: RunStatus | None, states: list[TaskState]) -> list[RunningTask]:
    now = time.time()
    own = [
        RunningTask(state.label, state.node, now - state.since, None, "", "")
        for state in states
        if state.is_running
    ]
    return own + [
        RunningTask(
            task.label, task.node, now - task.since, task.percentage, task.message, str(task.log or "")
        )
        for task in (run_status.running if run_status else ())
    ]


def _failed(
    graph: list[Stage],
    layout: Layout,
    run_status: RunStatus | None,
    ended: dict[str, Any],
    states: list[TaskState],
) -> list[tuple[str, str, str, bool]]:
    """Return label, cause, log and finality of each failure, from luigid or else from the last run and from notes."""
    if run_status:
        return [(task.label, task.cause, str(task.log or ""), task.final) for task in run_status.failures]
    to_do = [task for stage in graph for task in stage.to_do]
    ids = {task.task_id for task in to_do}
    failures = [
        (task["label"], task["cause"], task["log"] or "", True)
        for task in ended.get("failures", ())
        if task["task_id"] in ids
    ]
    known = {task["task_id"] for task in ended.get("failures", ())}
    noted = [state for state in states if state.cause and state.task_id in ids - known]
    failures += [(state.label, state.cause, "", True) for state in noted]
    known |= {state.task_id for state in noted}
    for task in to_do:
        if task.task_family == "CheckShards" and task.task_id not in known:
            verdict = layout.verdict(*task.work_unit)  # type: ignore[attr-defined]  # as every task of that family
            if findings := read_object(verdict).get("findings"):
                failures.append((task.label, f"{findings[0]['shard']}: {findings[0]['what']}", "", True))
    return failures


def _notes(run_status: RunStatus | None, ended: dict[str, Any], others: list[str]) -> list[str]:
    notes = [f"The last run ended at {ended['ended']}: {ended['text']}"] if ended else []
    if run_status and run_status.leaving:
        notes.append(f"The run is ending: {run_status.leaving}")
    if run_status and run_status.bad_nodes:
        notes.append(f"Excluded nodes, where every task fails: {', '.join(run_status.bad_nodes)}")
    return ["", *notes, *others] if notes or others else []


class _Written:
    """The progress according to the plan and the receipts.

    Args:
        layout: The paths of the dataset.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.plan = planned(layout)
        self.receipts: dict[tuple[str, str, str], tuple[float, dict[str, Any]]] = {}
        for unit in self.plan:
            key = unit.split, unit.source, unit.partition
            path = layout.receipt(*key)
            if {"planned", "shards"} <= (receipt := read_object(path)).keys():
                self.receipts[key] = path.stat().st_mtime, receipt

    def images(self, run_status: RunStatus | None) -> Progress:
        """Count the processed images of train and val, including those of running tasks."""
        if not self.plan:
            return Progress()
        planned = {(unit.split, unit.source, unit.partition): unit.samples for unit in self._without_copies()}
        done = float(sum(count for key, count in planned.items() if key in self.receipts))
        for task in run_status.running if run_status else ():
            if task.family == "WriteShards":
                key = (task.parameters["split"], task.parameters["source"], task.parameters["partition"])
                if key in planned and key not in self.receipts:
                    done += planned[key] * (task.percentage or 0) / 100
        return Progress(int(done), sum(planned.values()))

    def bytes(self) -> Progress:
        """Add up the sizes of the shards, and estimate their total size."""
        written = [receipt for _, receipt in self.receipts.values()]
        done = sum(shard["size"] for receipt in written for shard in receipt["shards"])
        planned = sum(receipt["planned"] for receipt in written)
        samples = sum(unit.samples for unit in self.plan)
        return Progress(done, done * samples // planned if planned else None)

    def rate(self) -> tuple[float | None, str]:
        """Return the images per second from the times of the receipts; None if no receipt is recent."""
        now = time.time()
        recent = [
            (modified, receipt["planned"])
            for (split, _, _), (modified, receipt) in self.receipts.items()
            if split != "train_small" and modified > now - _WINDOW
        ]
        if not recent:
            return None, ""
        start = max(now - _WINDOW, self.layout.plan.stat().st_mtime)
        seconds = max(now - start, 1.0)
        return sum(count for _, count in recent) / seconds, f"over the last {human_seconds(seconds)}"

    def _without_copies(self) -> list[WorkUnit]:
        """Return the work units without train_small, which copies samples of train."""
        return [unit for unit in self.plan if unit.split != "train_small"]
