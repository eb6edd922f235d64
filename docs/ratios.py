"""Keep the ratios of ``tol bench`` by version in docs/ratios.csv, compare with its bounds, and plot them.

    tol bench --json > bench.json
    python docs/ratios.py add bench.json      # at a release: append the ratios, or replace those of the same day and version; plot
    python docs/ratios.py check bench.json    # exit 1 if a ratio is above the last bound of its case
    python docs/ratios.py plot                # after a correction of the file

A bound is well above the ratio to expect, so that only what is wrong exceeds it. A new line repeats the bound of the
line before; to change one, edit the last line of its case.
"""

from __future__ import annotations

import csv
import datetime as dt
import html
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tol_luigi.bench.cases import OURS
from tol_luigi.core.resampling import is_faster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).parent
HISTORY, PLOT = "ratios.csv", "ratios.svg"

COLOURS = {"resize": "#2563eb", "sample": "#059669", "pack": "#b45309", "stage": "#be123c"}
"""The cases that are kept, and the colours of their lines."""

PANEL, HEIGHT, LEFT, TOP, BOTTOM = 240, 200, 36, 34, 64
STEP = 0.25
USAGE = "usage: python docs/ratios.py plot | add FILE | check FILE (FILE: what tol bench --json prints)"


class Ratio(NamedTuple):
    """A line of the file.

    Attributes:
        date: When it was measured.
        version: The version of the package.
        kernel: What resized images.
        case: A case of ``tol bench``.
        images: What was measured with.
        baseline: What the ratio is to.
        ratio: The processor time, as a share of the baseline's.
        bound: The ratio from which on something is wrong; empty if there is none.
    """

    date: str
    version: str
    kernel: str
    case: str
    images: str
    baseline: str
    ratio: str
    bound: str

    @property
    def key(self) -> tuple[str, str]:
        """What is compared over versions."""
        return self.case, self.images


def history(folder: Path = FOLDER) -> list[Ratio]:
    """Return the lines of the file, from the oldest on."""
    with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
        return [Ratio(**row) for row in csv.DictReader(file)]


def measured_ratios(figures: dict[str, Any], kept: Sequence[Ratio], date: str) -> list[Ratio]:
    """Return the ratios of a run of ``tol bench``, with the bounds of the lines that are kept."""
    bounds = {row.key: row.bound for row in kept}
    host = figures["host"]
    version, kernel = host["packages"]["tol_luigi"], host["kernel"]
    return [
        Ratio(
            date, version, kernel, row["case"], row["images"], row["baseline"], f"{row['ratio']:.2f}",
            bounds.get((row["case"], row["images"]), ""),
        )
        for row in figures["measurements"]
        if row["variant"] == OURS and row["case"] in COLOURS
    ]  # fmt: skip


def too_slow(rows: Sequence[Ratio]) -> Iterator[str]:
    """Yield a line for each ratio above its bound. Where Pillow resizes, none is compared."""
    for row in rows:
        if is_faster(row.kernel) and row.bound and float(row.ratio) > float(row.bound):
            yield f"{row.case}, {row.images}: {row.ratio} of {row.baseline}, more than {row.bound} (docs/ratios.csv)"


def write(rows: Sequence[Ratio], folder: Path) -> None:
    """Write the file."""
    with (folder / HISTORY).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(Ratio._fields)
        lines.writerows(rows)


def plot(rows: Sequence[Ratio]) -> str:
    """Return the plot: a panel for each set of images, a line for each case, the versions from left to right."""
    panels = list(dict.fromkeys(row.images for row in rows))
    runs = list(dict.fromkeys((row.date, row.version) for row in rows))
    width, height = LEFT + PANEL * len(panels), TOP + HEIGHT + BOTTOM
    font = 'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#0f172a"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {font}>',
        "<title>Processor time of tol_luigi by version, as a share of the baseline</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#f8fafc"/>',
    ]
    for step in range(round(1 / STEP) + 1):
        at = _down(step * STEP)
        parts.append(f'<line x1="{LEFT}" x2="{width - 12}" y1="{at}" y2="{at}" stroke="#cbd5e1"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{step * STEP:g}</text>')
    for number, images in enumerate(panels):
        left = LEFT + PANEL * number
        parts.append(f'<text x="{left + 8}" y="20" font-weight="bold">{html.escape(images)}</text>')
        across = {run: _across(left, place, len(runs)) for place, run in enumerate(runs)}
        for (_, version), at in across.items():
            parts.append(
                f'<text x="{at}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{html.escape(version)}</text>'
            )
        for case, colour in COLOURS.items():
            points = [
                (across[row.date, row.version], _down(float(row.ratio)))
                for row in rows
                if row.key == (case, images)
            ]
            joined = " ".join(f"{x},{y}" for x, y in points)
            parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in points]
    baselines = {row.case: row.baseline for row in rows}
    for number, (case, baseline) in enumerate(baselines.items()):
        left, down = LEFT + 170 * number, height - 18
        parts.append(f'<circle cx="{left + 4}" cy="{down - 4}" r="4" fill="{COLOURS[case]}"/>')
        parts.append(f'<text x="{left + 14}" y="{down}">{html.escape(f"{case} ({baseline})")}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _across(left: int, place: int, count: int) -> int:
    return round(left + PANEL * (place + 0.5) / count)


def _down(ratio: float) -> int:
    return round(TOP + HEIGHT * (1 - min(ratio, 1)))


def main(arguments: Sequence[str], folder: Path = FOLDER) -> None:
    """Do what the command line says."""
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    match arguments:
        case ["plot"]:
            rows = history(folder)
        case ["add" | "check" as verb, name]:
            kept = history(folder)
            try:
                figures = json.loads(Path(name).read_text(encoding="utf-8"))
                found = measured_ratios(figures, kept, today)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise SystemExit(
                    f"{name}: {error!r}. Name a file of what tol bench --json prints."
                ) from error
            if verb == "check":
                sys.stdout.writelines(
                    f"{row.case}, {row.images}: {row.ratio} of {row.baseline}\n" for row in found
                )
                if findings := list(too_slow(found)):
                    raise SystemExit("\n".join(findings))
                return
            again = {(row.date, row.version, *row.key) for row in found}
            rows = [row for row in kept if (row.date, row.version, *row.key) not in again] + found
            write(rows, folder)
        case _:
            raise SystemExit(USAGE)
    (folder / PLOT).write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
