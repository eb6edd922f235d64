"""``tol bench``: measure what images cost on this machine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Never

from tqdm import tqdm

from tol_luigi.bench.pictures import drawn_sets, images_of
from tol_luigi.bench.suite import bench_figures, bench_text
from tol_luigi.core.exit_code import ExitCode

if TYPE_CHECKING:
    import argparse

__all__ = ["bench"]


def bench(given: argparse.Namespace) -> int:
    """Measure, and print the figures."""
    chosen = list(dict.fromkeys(given.cases))
    with tqdm(disable=None, leave=False, bar_format="{desc}: {n} of {total} cases") as bar:
        bar.set_description("drawing images")
        sets = [images_of(given.images)] if given.images else list(drawn_sets())
        bar.reset(total=len(sets) * len(chosen))
        figures = bench_figures(sets, chosen, given.seconds, lambda name: _show(bar, name))
    if given.json:
        sys.stdout.write(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(bench_text(figures))
    return ExitCode.COMPLETE


def _show(bar: tqdm[Never], name: str) -> None:
    bar.set_description(f"measuring {name}")
    bar.update()
