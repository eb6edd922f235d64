"""Every stage of a build that handles names and numbers only, run as it is, each in a process of its own."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _listed import SOURCE
from _scanned import leave_receipts
from _sizes import Places
from _table import in_a_process, peak_mib

from tol_luigi.bench.measure import processor_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGES = (
    *("MakeMapping", "MakeSplits", "MakeMetadata", "PredictCatalog", "CheckPredictedTaxa", "CheckMatches"),
    "PlanShards",
)
"""Those before the shards, in their order."""

LATER_STAGES = ("FindDuplicates", "WriteCatalog", "WriteAttribution", "CheckTaxa")
"""Those after them."""


@dataclass(frozen=True)
class Cost:
    """What a stage has taken.

    Attributes:
        processor: Seconds of processor time.
        clock: Seconds by the clock.
        memory: The most that the process has held, in MiB.
    """

    processor: float
    clock: float
    memory: float


def costs(settings: Path) -> Iterator[tuple[str, Cost]]:
    """Run the stages of a dataset that is made up, from the mapping on, and tell what each of them takes.

    Args:
        settings: Its settings file, as ``_full_size`` leaves it. Of what has been built from the listings
            before, nothing is left.
    """
    _clear(settings, "listings")
    leave_receipts(settings)
    yield from _later_costs(settings)


def listed_costs(settings: Path) -> Iterator[tuple[str, Cost]]:
    """Run the stages of a listing of URLs that is made up, but those that fetch and scan; tell what each of them takes.

    Args:
        settings: Its settings file, as ``_listed`` leaves it. Of what has been built before, nothing is left.
    """
    _clear(settings)
    cost(settings, __file__, "StoreSettings")
    yield "ListUrls", cost(settings, __file__, f"ListUrls source={SOURCE}")
    in_a_process(Path(__file__).with_name("_listed.py"), "fetched", LUIGI_CONFIG_PATH=str(settings))
    yield from _later_costs(settings)


def _later_costs(settings: Path) -> Iterator[tuple[str, Cost]]:
    for stage in STAGES:
        yield stage, cost(settings, __file__, stage)
    in_a_process(Path(__file__).with_name("_written.py"), LUIGI_CONFIG_PATH=str(settings))
    for stage in LATER_STAGES:
        yield stage, cost(settings, __file__, stage)


def cost(settings: Path, *command: str | Path) -> Cost:
    """Run what ends with :func:`tell` in a process of its own."""
    return Cost(*in_a_process(*command, LUIGI_CONFIG_PATH=str(settings)))


def tell(clock: float, processor: float) -> None:
    """Print what this process has taken since then, by both clocks, and the most memory that it has held."""
    print(processor_seconds() - processor, time.monotonic() - clock, peak_mib())


def _clear(settings: Path, kept: str = "") -> None:
    dataset = Places(settings.parent).dataset
    for path in dataset.iterdir() if dataset.exists() else ():
        if path.name == kept:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def run(stage: str) -> None:
    """Run one stage, as Luigi would: after those before it, and to its output.

    Args:
        stage: The family of the task, then its parameters as ``name=value``, separated by blanks.
    """
    from luigi.task import flatten  # noqa: PLC0415 (it reads the settings that the environment names)

    import tol_luigi  # noqa: PLC0415

    family, *given = stage.split()
    task = getattr(tol_luigi, family)(**dict(argument.split("=") for argument in given))
    lacking = [before for before in flatten(task.requires()) if not before.complete()]
    if lacking:
        sys.exit(f"{task} lacks {lacking[0]}")
    clock, processor = time.monotonic(), processor_seconds()
    task.run()
    tell(clock, processor)
    if not task.complete():
        sys.exit(f"{task} has left no output")


if __name__ == "__main__":
    run(sys.argv[1])
