"""Show the estimate of a build: as JSON, or as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import aligned, counted, human_bytes, human_seconds, wrapped

if TYPE_CHECKING:
    from tol_luigi.report.estimate import BuildEstimate, DiskSpace, SourceStats

__all__ = ["estimate_figures", "estimate_text"]

_HOUR = 3600


def estimate_figures(estimate: BuildEstimate) -> dict[str, Any]:
    """Return the estimate as JSON."""
    return {**asdict(estimate), "lacks": estimate.lacks}


def estimate_text(estimate: BuildEstimate) -> str:
    """Return the estimate as text, as wide as the terminal except for tables and longer paths."""
    cost, room = estimate.cost, estimate.room
    total = sum(cost.core_seconds.values())
    lines = [
        f"Dataset {estimate.dataset}",
        "",
        *_sources(estimate),
        *_names(estimate),
        "",
        *_stages(estimate),
        "",
    ]
    if not any(stage.tasks > stage.complete for stage in estimate.stages):
        return "\n".join([*lines, "The dataset is complete. There is nothing to do."]) + "\n"
    about = "~" if estimate.is_estimated else ""
    hours = f" ({total / _HOUR:,.1f} core-hours)" if total >= _HOUR else ""
    rows = [
        *([("to fetch", f"~{human_bytes(cost.fetched_bytes)} of images")] if cost.fetched_bytes else []),
        (
            "to write",
            f"{about}{counted(cost.samples, 'sample')}, {about}{human_bytes(cost.shard_bytes)}{_spread(estimate)}",
        ),
        ("", f"{human_bytes(cost.table_bytes)} of tables; about {counted(cost.files, 'file')} in total"),
        ("core time", f"{human_seconds(total)} of one core{hours}"),
        *(("", f"{human_seconds(seconds)} for {stage}") for stage, seconds in cost.core_seconds.items()),
        (
            "memory",
            f"{human_bytes(cost.worker_bytes)} per worker, plus the memory of the open image:",
        ),
        ("", f"at most {human_bytes(cost.largest_image_bytes)} ([images] max_memory_mib)"),
        ("disk", f"{human_bytes(room.bytes)} free{_files(room.files)} at {room.place}"),
        *([("quota", _quota(room))] if _quota(room) else []),
    ]
    lines += [f"{label:<11}{text}" for label, text in rows]
    lines += ["", *(estimate.lacks or ["There is enough disk space."])]
    for note in (*(f"The build would stop: {trouble}" for trouble in estimate.troubles), *estimate.notes):
        lines += wrapped(note)
    return "\n".join(lines) + "\n"


def _sources(estimate: BuildEstimate) -> list[str]:
    rows = [["source", "images", "to read", "partitions", "counted"]]
    for source in estimate.stocks:
        images = f"{'' if source.is_counted or source.is_listed else '~'}{source.images:,}"
        size = f"{'' if source.is_counted else '~'}{human_bytes(source.bytes)}"
        rows.append([source.name, images, size, f"{source.partitions:,}", _how_counted(source)])
    return aligned(rows)


def _how_counted(source: SourceStats) -> str:
    """Return whether every file of a source was counted, else how far its estimate may be off."""
    if source.is_counted:
        return "all files"
    if source.error is not None:
        what = "all images, bytes" if source.is_listed else "estimated,"
        return f"{what} {_percent(source.error)}"
    return f"estimated, at least {source.at_least:,}"


def _percent(error: float) -> str:
    return f"±{max(1, round(100 * error))} %"


def _spread(estimate: BuildEstimate) -> str:
    """Return the likely error of the samples to write; "" if every image was counted."""
    if not estimate.is_estimated:
        return ""
    errors = [source.images * (source.error or 0) for source in estimate.stocks if not source.is_counted]
    if any(source.error is None for source in estimate.stocks if not source.is_counted):
        return ", or many more"
    images = sum(source.images for source in estimate.stocks)
    return f", {_percent(sum(errors) / max(1, images))}"


def _names(estimate: BuildEstimate) -> list[str]:
    lines = [line for match in estimate.matches for line in wrapped(f"names: {match}")]
    return ["", *lines] if lines else []


def _stages(estimate: BuildEstimate) -> list[str]:
    counts = [(stage.tasks, stage.complete, stage.tasks - stage.complete) for stage in estimate.stages]
    rows = [
        [stage.name, *(f"{count:,}" for count in three)]
        for stage, three in zip(estimate.stages, counts, strict=True)
    ]
    return aligned([["stage", "tasks", "complete", "to do"], *rows])


def _files(count: int | None) -> str:
    return "" if count is None else f", {counted(count, 'file')}"


def _quota(room: DiskSpace) -> str:
    parts = [
        *([human_bytes(room.quota_bytes)] if room.quota_bytes is not None else []),
        *([counted(room.quota_files, "file")] if room.quota_files is not None else []),
    ]
    return f"{' and '.join(parts)} left" if parts else ""
