"""``tol plan``: what would run, and what it would cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tol_luigi.command.expected_matches import outlook
from tol_luigi.command.graph import stages
from tol_luigi.command.survey import stocks
from tol_luigi.core.errors import DiskError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.files import read_json
from tol_luigi.downloads.estimate import estimate_text as downloads_text
from tol_luigi.downloads.estimate import require_space
from tol_luigi.report.estimate import (
    BuildEstimate,
    DiskSpace,
    OutputSettings,
    RemainingWork,
    StagePlan,
    estimate_cost,
    estimate_figures,
    estimate_text,
    full_estimate,
)
from tol_luigi.tasks.download_settings import wanted_downloads
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from tol_luigi.downloads.estimate import FileEstimate
    from tol_luigi.report.estimate import SourceStats
    from tol_luigi.tasks.settings import Settings

__all__ = ["plan", "quota_left"]

_RATES = (
    "Core time is reckoned with the rates of docs/commands.md, of one core of an AMD EPYC; divided by the workers "
    "it is the least time that the build takes. What is written is reckoned by the mean picture."
)

_KIB = 1024
_QUOTA_FIELDS = 8
_QUOTA_SECONDS = 10


def plan(given: argparse.Namespace) -> int:
    """Tell what would run; nothing is written. Where sources are still to be fetched, tell of that."""
    wanted = wanted_downloads()
    if wanted and (rows := wanted.forecast(wanted.remotes)) and not all(row.present for row in rows):
        return _fetching(rows, as_json=given.json)
    forecast = _forecast(settings(), given.seconds)
    if given.json:
        sys.stdout.write(json.dumps(estimate_figures(forecast), indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(estimate_text(forecast))
    return ExitCode.NEGATIVE if forecast.lacks or forecast.troubles else ExitCode.COMPLETE


def _fetching(rows: list[FileEstimate], *, as_json: bool) -> int:
    """Tell what ``DownloadSources`` would fetch: the build can be planned when that is there."""
    if as_json:
        told = [{**vars(row), "path": str(row.path)} for row in rows]
        sys.stdout.write(json.dumps({"downloads": told}, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"To be fetched first, by DownloadSources:\n\n{downloads_text(rows)}")
    try:
        require_space(rows)
    except DiskError as error:
        sys.stderr.write(f"tol: {error}\n")
        return ExitCode.NEGATIVE
    return ExitCode.COMPLETE


def _forecast(given: Settings, seconds: float) -> BuildEstimate:
    graph, held = stages(), stocks(given, seconds)
    to_do = [stage.name for stage in graph if stage.to_do]
    names = outlook(given, seconds, is_checked="CheckMatches" not in to_do)
    making = OutputSettings(
        width=given.images.width,
        height=given.images.height,
        quality=given.images.jpeg_quality,
        resize=given.images.resize,
        max_samples=given.shards.max_samples,
        val_percent=given.dataset.val_percent,
        train_small_percent=given.dataset.train_small_percent,
        max_memory_mib=given.images.max_memory_mib,
    )
    return BuildEstimate(
        dataset=str(given.directory),
        stages=[StagePlan(stage.name, stage.count, len(stage.complete)) for stage in graph],
        stocks=held,
        cost=estimate_cost(held, making, _left(given, held, making), to_do),
        room=_room(given.directory),
        notes=[*names.warnings, *_notes(given)],
        matches=names.lines,
        troubles=names.troubles,
    )


def _notes(given: Settings) -> list[str]:
    notes = [_RATES]
    if given.is_demonstration:
        notes.append("No source is configured, so this is the demonstration: its pictures are drawn.")
    return notes


def _left(given: Settings, held: list[SourceStats], making: OutputSettings) -> dict[str, RemainingWork]:
    """Tell what is still to be written of each source: all that has no receipt."""
    layout = given.layout
    if not layout.plan.exists():
        return {stock.name: full_estimate(stock, making) for stock in held}
    pictures, copies, shares = Counter[str](), Counter[str](), Counter[str]()
    for share in read_json(layout.plan):
        source, split = share["source"], share["split"]
        if not layout.receipt(split, source, share["partition"]).exists():
            (copies if split == "train_small" else pictures)[source] += share["samples"]
            shares[source] += 1
    return {name: RemainingWork(pictures[name], copies[name], shares[name]) for name in given.used}


def _room(directory: Path) -> DiskSpace:
    """Ask the disk that a dataset is to lie on, whether or not its folder is there."""
    there = next(folder for folder in (directory, *directory.parents) if folder.exists())
    disk = os.statvfs(there)
    left = _quota(there)
    return DiskSpace(
        place=str(there),
        bytes=disk.f_bavail * disk.f_frsize,
        files=disk.f_favail if disk.f_files else None,
        quota_bytes=left[0],
        quota_files=left[1],
    )


def _quota(folder: Path) -> tuple[int | None, int | None]:
    """Ask what the user's quota leaves on the disk of a folder; None where there is none, or nobody knows."""
    command = shutil.which("quota")
    mount = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.is_mount())
    if command is None:
        return None, None
    options = ["--raw-grace", "--no-wrap", "--hide-device", "--show-mntpoint", f"--filesystem={mount}"]
    try:
        told = subprocess.run(  # noqa: S603 (the system's own command)
            [command, *options], capture_output=True, text=True, check=False, timeout=_QUOTA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    return quota_left(told.stdout, str(mount))


def quota_left(told: str, mount: str) -> tuple[int | None, int | None]:
    """Read the answer of ``quota --raw-grace --no-wrap --show-mntpoint --hide-device``.

    Args:
        told: What it has written.
        mount: Where the disk is mounted.

    Returns:
        How many bytes and how many files are left up to the hard limit, or the soft one where there is no other; None
        for what has no limit.
    """
    for line in told.splitlines():
        place, *numbers = line.strip().rsplit(None, _QUOTA_FIELDS)
        if place == mount and len(numbers) == _QUOTA_FIELDS:
            blocks, soft, hard, _, files, soft_files, hard_files, _ = (int(n.rstrip("*")) for n in numbers)
            return _up_to(blocks, hard or soft, _KIB), _up_to(files, hard_files or soft_files, 1)
    return None, None


def _up_to(used: int, limit: int, unit: int) -> int | None:
    return max(0, limit - used) * unit if limit else None
