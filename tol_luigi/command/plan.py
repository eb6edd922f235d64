"""``tol plan``: show what would run, and its estimated cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tol_luigi.command.expected_matches import expect_matches
from tol_luigi.command.graph import planned, stages
from tol_luigi.command.source_estimate import source_stats
from tol_luigi.command.terminal import show, show_error
from tol_luigi.core.errors import DiskError, DownloadError
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.core.resampling import is_faster, kernel_label, kernel_name
from tol_luigi.downloads.estimate import estimate_text as downloads_text
from tol_luigi.downloads.estimate import require_answers, require_space, troubles
from tol_luigi.report.estimate import (
    BuildEstimate,
    DiskSpace,
    OutputSettings,
    RemainingWork,
    StagePlan,
    estimate_cost,
    full_estimate,
)
from tol_luigi.report.estimate_text import estimate_figures, estimate_text
from tol_luigi.tasks.download_orders import forecast as forecast_downloads
from tol_luigi.tasks.download_settings import wanted_downloads
from tol_luigi.tasks.label_columns import sample_form
from tol_luigi.tasks.listed_elsewhere import listed_before
from tol_luigi.tasks.scan import HashPartition
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from tol_luigi.downloads.estimate import FileEstimate
    from tol_luigi.report.estimate import SourceStats
    from tol_luigi.tasks.settings import Settings

__all__ = ["plan", "quota_left"]

_RATES = (
    "Core time is estimated with the rates in docs/commands.md for images resized by {kernel}, "
    "measured on one core of an AMD EPYC. Divided by the number of workers, it is the shortest possible time of the build. "
    "Sizes are estimated from the mean image."
)

_KIB = 1024
_QUOTA_FIELDS = 8
_QUOTA_SECONDS = 10


def plan(arguments: argparse.Namespace) -> int:
    """Print what would run, or the downloads if sources are still to be downloaded; write no files."""
    wanted = wanted_downloads()
    if (
        wanted
        and (rows := forecast_downloads(wanted, wanted.remotes))
        and not all(row.present for row in rows)
    ):
        return _print_downloads(rows, as_json=arguments.json)
    forecast = _forecast(settings(), arguments.seconds)
    if arguments.json:
        sys.stdout.write(json.dumps(estimate_figures(forecast), indent=1, ensure_ascii=False) + "\n")
    else:
        show(estimate_text(forecast))
    return ExitCode.NEGATIVE if forecast.lacks or forecast.troubles else ExitCode.COMPLETE


def _print_downloads(rows: list[FileEstimate], *, as_json: bool) -> int:
    """Print what ``DownloadSources`` would download; the build can be planned afterwards."""
    try:
        require_answers(rows)
    except DownloadError as error:
        show_error(f"tol: {error}")
        return ExitCode.NEGATIVE
    if as_json:
        downloads = [{**vars(row), "path": str(row.path)} for row in rows]
        sys.stdout.write(json.dumps({"downloads": downloads}, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"To download first, with DownloadSources:\n\n{downloads_text(rows)}")
    try:
        require_space(rows)
    except DiskError as error:
        show_error(f"tol: {error}")
        return ExitCode.NEGATIVE
    return ExitCode.NEGATIVE if troubles(rows) else ExitCode.COMPLETE


def _forecast(settings: Settings, seconds: float) -> BuildEstimate:
    graph, stats = stages(), source_stats(settings, seconds)
    to_do = [stage.name for stage in graph if stage.to_do]
    hashed = {task.source for stage in graph for task in stage.to_do if isinstance(task, HashPartition)}
    names = expect_matches(settings, seconds, is_checked="CheckMatches" not in to_do)
    form = sample_form(settings)
    making = OutputSettings(
        width=settings.images.width,
        height=settings.images.height,
        quality=settings.image_spec.quality,
        resize=settings.images.resize,
        max_samples=settings.shards.max_samples,
        val_percent=settings.dataset.val_percent,
        train_small_percent=settings.dataset.train_small_percent,
        max_memory_mib=settings.images.max_memory_mib,
        further_texts=len(form.further),
        is_json=form.is_json,
        format=settings.images.format,
        further_sizes=settings.image_spec.further_sizes,
        is_compiled=is_faster(kernel_name(settings.image_spec.kernel)),
    )
    # A plan that is damaged is made again.
    left = _left(settings, stats, making, is_planned="PlanShards" not in to_do)
    return BuildEstimate(
        dataset=str(settings.directory),
        stages=[StagePlan(stage.name, stage.count, len(stage.complete)) for stage in graph],
        stocks=stats,
        cost=estimate_cost(stats, making, left, to_do, hashed),
        room=_room(settings.directory),
        notes=[*names.warnings, *_notes(settings)],
        matches=names.lines,
        troubles=names.troubles,
    )


def _notes(settings: Settings) -> list[str]:
    notes = [_RATES.format(kernel=kernel_label(kernel_name(settings.image_spec.kernel)))]
    if settings.is_demonstration:
        notes.append("No source is configured, so this is the demonstration: its images are generated.")
    for source in settings.used:
        if settings.plugins[source].is_fetched and (before := listed_before(settings, source)):
            where = " and ".join(before)
            notes.append(
                f"Images of {source}: at most. Those that {where} lists, too, are not requested, but are counted for each."
            )
    return notes


def _left(
    settings: Settings, stats: list[SourceStats], making: OutputSettings, *, is_planned: bool
) -> dict[str, RemainingWork]:
    """Return what is left to write of each source: all work units without a receipt, all images without a plan."""
    layout = settings.layout
    units = planned(layout) if is_planned else []
    if not units:
        return {each.name: full_estimate(each, making) for each in stats}
    images, copies, counts = Counter[str](), Counter[str](), Counter[str]()
    for unit in units:
        if not layout.receipt(unit.split, unit.source, unit.partition).exists():
            (copies if unit.split == "train_small" else images)[unit.source] += unit.samples
            counts[unit.source] += 1
    return {name: RemainingWork(images[name], copies[name], counts[name]) for name in settings.used}


def _room(directory: Path) -> DiskSpace:
    """Return the free space on the disk of a dataset, whether or not its folder exists."""
    existing = next(folder for folder in (directory, *directory.parents) if folder.exists())
    disk = os.statvfs(existing)
    left = _quota(existing)
    return DiskSpace(
        place=str(existing),
        bytes=disk.f_bavail * disk.f_frsize,
        files=disk.f_favail if disk.f_files else None,
        quota_bytes=left[0],
        quota_files=left[1],
    )


def _quota(folder: Path) -> tuple[int | None, int | None]:
    """Return the bytes and files left in the user's quota for a folder; None if unlimited or unknown."""
    command = shutil.which("quota")
    mount = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.is_mount())
    if command is None:
        return None, None
    options = ["--raw-grace", "--no-wrap", "--hide-device", "--show-mntpoint", f"--filesystem={mount}"]
    try:
        done = subprocess.run(  # noqa: S603 (a system command)
            [command, *options], capture_output=True, text=True, check=False, timeout=_QUOTA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    return quota_left(done.stdout, str(mount))


def quota_left(output: str, mount: str) -> tuple[int | None, int | None]:
    """Parse the output of ``quota --raw-grace --no-wrap --show-mntpoint --hide-device``.

    Args:
        output: The output of the command.
        mount: The mount point of the disk.

    Returns:
        The bytes and files left up to the hard limit, or up to the soft limit if there is no hard one; None
        if there is no limit.
    """
    for line in output.splitlines():
        place, *numbers = line.strip().rsplit(None, _QUOTA_FIELDS)
        if place == mount and len(numbers) == _QUOTA_FIELDS:
            blocks, soft, hard, _, files, soft_files, hard_files, _ = (int(n.rstrip("*")) for n in numbers)
            return _remaining(blocks, hard or soft, _KIB), _remaining(files, hard_files or soft_files, 1)
    return None, None


def _remaining(used: int, limit: int, unit: int) -> int | None:
    return max(0, limit - used) * unit if limit else None
