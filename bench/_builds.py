"""Datasets to measure with: a source of one's own, up to the point where its shards are written."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import luigi

from tol_luigi.bench.partitions import RANKS, stored
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.plan import PlanShards
from tol_luigi.tasks.settings import settings
from tol_luigi.tasks.shards import WriteShards

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_HEADS = ("file", "kingdom", "phylum", "class", "order", "family", "genus", "species", "common")


def configured(folder: Path, pictures: Iterable[bytes], partitions: int) -> Path:
    """Make a source of pictures in a folder, and the settings file of a dataset from it."""
    path = stored(folder, "folder", pictures)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(_HEADS)
        lines.writerows([picture.name, *RANKS, "honey bee"] for picture in sorted(path.iterdir()))
    config = folder / "bench.cfg"
    config.write_text(
        f"[dataset]\nroot = {folder}\ntag = built\n"
        f"[folder]\nimages = {path}\nlabels = {folder / 'labels.csv'}\npartitions = {partitions}\n",
        encoding="utf-8",
    )
    return config


def plan() -> None:
    """Run all stages before the shards."""
    _run([PlanShards()], 1)


def write(workers: int, splits: tuple[str, ...] = ("train", "val"), threads: int = 1) -> None:
    """Write the shards of some splits."""
    luigi.configuration.get_config().set("images", "threads", str(threads))
    tasks = [WriteShards(**share) for share in all_partitions(settings()) if share["split"] in splits]
    _run(tasks, workers)


def _run(tasks: list[luigi.Task], workers: int) -> None:
    if not luigi.build(tasks, workers=workers, local_scheduler=True, log_level="WARNING"):
        raise SystemExit(1)
