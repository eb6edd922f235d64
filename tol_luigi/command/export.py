"""``tol export``: convert finished shards to another format."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from tol_luigi.command.release_names import release_path
from tol_luigi.core.exit_code import ExitCode
from tol_luigi.dataset.exports.run import export as export_shards
from tol_luigi.dataset.opened import Dataset
from tol_luigi.report.text import counted, printable

if TYPE_CHECKING:
    import argparse

__all__ = ["export"]


def export(given: argparse.Namespace) -> int:
    """Convert what is missing of an export."""
    dataset = Dataset.open(release_path(given.dataset))
    with tqdm(unit=" images", disable=None, leave=False) as bar:  # shown on a terminal only

        def finished(samples: int) -> None:
            bar.update(samples)

        done = export_shards(
            dataset,
            given.format,
            given.destination,
            splits=given.split,
            jobs=given.jobs,
            progress=finished,
        )
    shards = counted(done.shards, "shard")
    sys.stdout.write(
        f"{printable(str(given.destination))}: {counted(done.samples, 'sample')} of {shards}, {done.written:,} of them converted now\n"
    )
    return ExitCode.COMPLETE
