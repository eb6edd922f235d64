"""What every bench shares: arguments, interleaved measuring, and the table in the end."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tol_luigi.bench.host import host, host_lines
from tol_luigi.bench.measure import median_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence


def arguments(question: str, images: int, switches: Sequence[str] = (), **more: int) -> argparse.Namespace:
    """Read the command line.

    Args:
        question: What the bench asks.
        images: How many images it takes unless told otherwise.
        switches: What can be asked for; an argument each.
        more: Further whole numbers, with their defaults; an argument each.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--images", type=int, default=images, help="how many (default: %(default)s)")
    shared = os.environ.get("TOL_SHARED")
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path(shared) if shared else None,
        help="folder of reference material, for its photographs (default: TOL_SHARED); without it they are drawn",
    )
    for name in switches:
        parser.add_argument(f"--{name}", action="store_true")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="(default: %(default)s)")
    return parser.parse_args()


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        what: The variant.
        values: What was measured, a run each.
        baseline: What the ratio is to.
        note: What else is to be said.
    """

    what: str
    values: Sequence[float]
    baseline: Sequence[float]
    note: str = ""


def ratio(row: Row) -> float:
    """Divide the medians of a row and of its baseline; what is too short to be measured gives no ratio."""
    return median_ratio(row.values, row.baseline)


def show(title: str, n: str, unit: str, baseline: str, rows: Sequence[Row]) -> None:
    """Print a table.

    Args:
        title: What is asked.
        n: Of how many it is.
        unit: Of the three figures.
        baseline: What the ratios are to.
        rows: The lines.
    """
    print(f"\n{title}")
    print(f"n: {n}; figures: {unit}; ratio: to {baseline}, of the medians of the same run\n")
    width = max(len(row.what) for row in rows)
    print(f"| {'':{width}} | runs |      min |   median |      max |  ratio | note")
    print(f"|-{'-' * width}-|-----:|---------:|---------:|---------:|-------:|-----")
    for row in rows:
        low, middle, high = min(row.values), statistics.median(row.values), max(row.values)
        figures = f"{low:8.2f} | {middle:8.2f} | {high:8.2f} | {ratio(row):6.2f}"
        print(f"| {row.what:{width}} | {len(row.values):4} | {figures} | {row.note}")


def show_host() -> None:
    """Print what the figures were taken on."""
    print(*host_lines(host()), sep="\n")


def peak_mib() -> float:
    """Tell the most memory that this process has held.

    Linux's ``ru_maxrss`` starts with what the parent held, so there the figure comes from elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # as macOS counts


def in_a_process(*command: str | Path, **environment: str) -> list[float]:
    """Run a bench once more in a fresh process, and take the figures on the last line that it prints."""
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command[0]} ended with {done.returncode}")
    return [float(figure) for figure in done.stdout.splitlines()[-1].split()]
