"""The measurements of ``tol bench``: all cases of all sets of images, as figures and as text."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tol_luigi.bench.cases import OURS, absent, cases
from tol_luigi.bench.host import host, host_lines
from tol_luigi.bench.measure import measured, median_ratio, spread
from tol_luigi.core.files import clear_disk_errors
from tol_luigi.report.text import aligned, counted, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tol_luigi.bench.pictures import ImageSet

__all__ = ["bench_figures", "bench_text"]

_MANY = 1000
"""More rounds than fit into the time of a case."""

_EXPLAINED = (
    "ms: processor time per image, median of the runs. ratio: to the baseline of the case, which was measured in turn with "
    "the others; less is faster."
)

_MS_PER_HOUR = 3_600_000
_COSTED = 10_000_000


def bench_figures(
    sets: Sequence[ImageSet], chosen: Sequence[str], seconds: float, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, and return machine, measurements and what is left out, as JSON.

    Args:
        sets: The images.
        chosen: The cases.
        seconds: About how long to measure. Each case takes at least two rounds, the first of which is not counted.
        progress: Called with the name of each case before it is measured.
    """
    each = seconds / (len(sets) * len(chosen))
    found = []
    for images in sets:
        with tempfile.TemporaryDirectory() as name, clear_disk_errors(Path(name) / images.form):
            for case in cases(chosen, images, Path(name)):
                progress(f"{case.name}, {images.name}")
                runs = measured(case.variants, _MANY, seconds=each)
                baseline = runs[case.baseline]
                found += [
                    {
                        "case": case.name,
                        "images": images.name,
                        "variant": variant,
                        "baseline": case.baseline,
                        "runs": len(taken),
                        "ms": round(statistics.median(spread(taken, len(images.files))), 4),
                        "ratio": round(median_ratio(taken, baseline), 4),
                    }
                    for variant, taken in runs.items()
                ]
    return {
        "host": host(),
        "images": [_described(images) for images in sets],
        "measurements": found,
        "left_out": absent(),
    }


def _described(images: ImageSet) -> dict[str, Any]:
    size = sum(map(len, images.files))
    return {
        "name": images.name,
        "count": len(images.files),
        "skipped": images.skipped,
        "mean_bytes": round(size / len(images.files)),
        "form": images.form,
    }


def bench_text(figures: dict[str, Any]) -> str:
    """Return the figures as text: a table for each set of images."""
    lines = host_lines(figures["host"])
    for images in figures["images"]:
        name = images["name"]
        skipped = f"; {counted(images['skipped'], 'file')} left out" if images["skipped"] else ""
        size = f"{images['mean_bytes'] / 1000:.0f} kB on average"
        lines += ["", f"{name}: {counted(images['count'], 'image')} of {size}{skipped}", ""]
        rows = [["", "ms", "ratio", "runs"]]
        before = ""
        for row in figures["measurements"]:
            if row["images"] != name:
                continue
            if row["case"] != before:
                rows.append([f"{row['case']}, baseline: {row['baseline']}", "", "", ""])
                before = row["case"]
            rows.append([f"  {row['variant']}", f"{row['ms']:.2f}", f"{row['ratio']:.2f}", str(row["runs"])])
        lines += aligned(rows)
    lines.append("")
    costs = [
        f"{row['ms'] * _COSTED / _MS_PER_HOUR:.1f} ({row['images']})"
        for row in figures["measurements"]
        if (row["case"], row["variant"]) == ("stage", OURS)
    ]
    notes = [_EXPLAINED]
    if costs:
        notes.append(f"Core-hours for ten million images, from the case stage: {', '.join(costs)}.")
    for note in (*notes, *figures["left_out"]):
        lines += wrapped(note)
    return "\n".join(lines) + "\n"
