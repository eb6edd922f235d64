"""What every bench shares: arguments, interleaved measuring, and the table in the end."""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PACKAGES = ("tol_luigi", "pillow", "cykooz-resizer", "webdataset", "isal", "pyarrow", "luigi")


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


def processor_seconds() -> float:
    """Tell how much processor time this process and those it waited for have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measured(
    variants: Mapping[str, Callable[[], object]],
    repeat: int,
    clock: Callable[[], float] = processor_seconds,
) -> dict[str, list[float]]:
    """Run variants in turn, so that whatever else the machine does slows all of them; the first round warms up.

    Returns:
        The seconds of each run by variant, without the first round where there are several.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeat + (repeat > 1)):
        for name, variant in variants.items():
            start = clock()
            variant()
            seconds[name].append(clock() - start)
    return {name: taken[1:] or taken for name, taken in seconds.items()}


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
    baseline = statistics.median(row.baseline)
    return statistics.median(row.values) / baseline if baseline else math.nan


def spread(taken: Sequence[float], per: float = 1.0) -> list[float]:
    """Give what ``per`` of something takes, in milliseconds."""
    return [1000 * seconds / per for seconds in taken]


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
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"host: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; load {load}")
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    print(f"{system}, libjpeg-turbo {features.version('libjpeg_turbo')}")
    print(", ".join(f"{name} {_version(name)}" for name in _PACKAGES))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


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
