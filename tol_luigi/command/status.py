"""``tol status``: how far the build is."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from tol_luigi.command.graph import stages
from tol_luigi.core.errors import ClusterError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import read_json, read_object
from tol_luigi.core.plan import Share as Planned
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
from tol_luigi.report.text import human_seconds
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse

    from tol_luigi.cluster.client import RunStatus
    from tol_luigi.cluster.run import Run
    from tol_luigi.command.graph import Stage
    from tol_luigi.core.layout import Layout

__all__ = ["build_status", "status"]

_WINDOW = 3600.0
"""Over which time the rate is taken, where only files tell it."""

_CLEAR = "\x1b[2J\x1b[H"


def status(given: argparse.Namespace) -> int:
    """Tell how far the build is, once or until its end."""
    while True:
        now, has_ended = build_status(settings().layout)
        _show(now, given)
        if now.is_complete:
            return ExitCode.COMPLETE
        if not given.follow or has_ended:
            is_failed = any(cause.is_final for cause in now.causes)
            return ExitCode.TASK_FAILED if is_failed else ExitCode.NOT_RUN
        time.sleep(given.every)


def _show(now: Status, given: argparse.Namespace) -> None:
    if given.json:
        sys.stdout.write(json.dumps(status_figures(now), ensure_ascii=False) + "\n")
    elif not given.follow:
        sys.stdout.write(status_text(now))
    elif sys.stdout.isatty():
        sys.stdout.write(_CLEAR + status_text(now))
    else:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {status_line(now)}\n")
    sys.stdout.flush()


def build_status(layout: Layout) -> tuple[Status, bool]:
    """Ask the dataset's files, and luigid where one is up.

    Returns:
        How far the build is, and whether its run has ended.
    """
    from tol_luigi.cluster.run import Run  # noqa: PLC0415 (not every verb needs the cluster)

    graph, run = stages(), Run.of(layout)
    written = _Written(layout)
    asked, scheduler = _ask(run)
    ended = read_json(run.result) if run.result.exists() and asked is None else {}
    rate, over = written.rate()
    if asked and (measured := asked.images_per_second.get("WriteShards")):
        rate, over = measured, "over the last minute"
    images = written.images(asked)
    is_idle = asked is not None and not asked.running
    left = (images.all - images.done) / rate if rate and images.all and not is_idle else None
    is_complete = not any(stage.to_do for stage in graph)
    failed = [] if is_complete else _failed(graph, layout, asked, ended)
    now = Status(
        dataset=str(layout.directory),
        is_complete=is_complete,
        scheduler=scheduler,
        stages=[_stage(stage, asked) for stage in graph],
        images=images,
        bytes=written.bytes(),
        rate=rate,
        rate_over=over,
        seconds_left=left,
        running=_running(asked),
        causes=by_cause(failed),
        notes=_notes(asked, ended),
    )
    return now, bool(ended)


def _ask(run: Run) -> tuple[RunStatus | None, str]:
    """Ask luigid, if it has ever said where it is; and tell who has been asked."""
    from tol_luigi.cluster.client import Scheduler  # noqa: PLC0415 (as above)

    try:
        address = run.read_address()
        if address is None:
            return None, "No luigid is up: this is what the files of the dataset tell."
        said = Scheduler(run).status()
    except ClusterError as error:
        return None, f"This is what the files of the dataset tell: {error.where}: {error.what}."
    return said, f"luigid at {address.url}, {said.workers:,} {'worker' if said.workers == 1 else 'workers'}"


def _stage(stage: Stage, asked: RunStatus | None) -> StageStatus:
    counts = asked.counts.get(stage.name, {}) if asked else {}
    failed = counts.get("FAILED", 0) + counts.get("DISABLED", 0)
    return StageStatus(stage.name, stage.count, len(stage.complete), counts.get("RUNNING", 0), failed)


def _running(asked: RunStatus | None) -> list[RunningTask]:
    now = time.time()
    return [
        RunningTask(
            task.label, task.node, now - task.since, task.percentage, task.message, str(task.log or "")
        )
        for task in (asked.running if asked else ())
    ]


def _failed(
    graph: list[Stage], layout: Layout, asked: RunStatus | None, ended: dict[str, Any]
) -> list[tuple[str, str, str, bool]]:
    """List label, cause, log and finality of each failure, as luigid or else the end of the last run tells."""
    if asked:
        return [(task.label, task.cause, str(task.log or ""), task.final) for task in asked.failures]
    to_do = [task for stage in graph for task in stage.to_do]
    ids = {task.task_id for task in to_do}
    told = [
        (task["label"], task["cause"], task["log"] or "", True)
        for task in ended.get("failures", ())
        if task["task_id"] in ids
    ]
    known = {task["task_id"] for task in ended.get("failures", ())}
    for task in to_do:
        if task.task_family == "CheckShards" and task.task_id not in known:
            verdict = layout.verdict(*task.work_unit)  # type: ignore[attr-defined]  # as every task of that family
            if findings := read_object(verdict).get("findings"):
                told.append((task.label, f"{findings[0]['shard']}: {findings[0]['what']}", "", True))
    return told


def _notes(asked: RunStatus | None, ended: dict[str, Any]) -> list[str]:
    notes = [f"The last run has ended at {ended['ended']}: {ended['text']}"] if ended else []
    if asked and asked.leaving:
        notes.append(f"The run is ending: {asked.leaving}")
    if asked and asked.bad_nodes:
        notes.append(f"Not used, as everything fails there: {', '.join(asked.bad_nodes)}")
    return ["", *notes] if notes else []


class _Written:
    """What plan and receipts tell.

    Args:
        layout: The paths of the dataset.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.plan = [Planned(**share) for share in read_json(layout.plan)] if layout.plan.exists() else []
        self.receipts: dict[tuple[str, str, str], tuple[float, dict[str, Any]]] = {}
        for share in self.plan:
            about = share.split, share.source, share.partition
            path = layout.receipt(*about)
            if path.exists():
                self.receipts[about] = path.stat().st_mtime, read_json(path)

    def images(self, asked: RunStatus | None) -> Progress:
        """Count the pictures of train and val that have been looked at, in tasks under way as well."""
        if not self.plan:
            return Progress()
        planned = {(share.split, share.source, share.partition): share.samples for share in self._pictures()}
        done = float(sum(count for about, count in planned.items() if about in self.receipts))
        for task in asked.running if asked else ():
            if task.family == "WriteShards":
                key = (task.parameters["split"], task.parameters["source"], task.parameters["partition"])
                if key in planned and key not in self.receipts:
                    done += planned[key] * (task.percentage or 0) / 100
        return Progress(int(done), sum(planned.values()))

    def bytes(self) -> Progress:
        """Add up the shards, and guess how much all of them will be."""
        written = [receipt for _, receipt in self.receipts.values()]
        done = sum(shard["size"] for receipt in written for shard in receipt["shards"])
        planned = sum(receipt["planned"] for receipt in written)
        every = sum(share.samples for share in self.plan)
        return Progress(done, done * every // planned if planned else None)

    def rate(self) -> tuple[float | None, str]:
        """Give the images a second by the times of the receipts, None where none is recent."""
        now = time.time()
        recent = [
            (told, receipt["planned"])
            for (split, _, _), (told, receipt) in self.receipts.items()
            if split != "train_small" and told > now - _WINDOW
        ]
        if not recent:
            return None, ""
        start = max(now - _WINDOW, self.layout.plan.stat().st_mtime)
        seconds = max(now - start, 1.0)
        return sum(count for _, count in recent) / seconds, f"over the last {human_seconds(seconds)}"

    def _pictures(self) -> list[Planned]:
        return [share for share in self.plan if share.split != "train_small"]
