"""Processor time of variants that run in turn, so that other work on the machine slows all of them."""

from __future__ import annotations

import math
import resource
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["measured", "median_ratio", "processor_seconds", "spread"]


def processor_seconds() -> float:
    """Return the processor time of this process and of the processes that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measured(
    variants: Mapping[str, Callable[[], object]],
    repeat: int,
    clock: Callable[[], float] = processor_seconds,
    seconds: float = math.inf,
) -> dict[str, list[float]]:
    """Run variants in turn; if there are several rounds, the first one is not counted.

    Args:
        variants: What is run, by name.
        repeat: How many rounds are counted.
        clock: What is read before and after each run.
        seconds: After so many seconds no further round begins, once one is counted.

    Returns:
        The seconds of each run, by variant.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    start = time.monotonic()
    for done in range(repeat + (repeat > 1)):
        if done > 1 and time.monotonic() - start >= seconds:
            break
        for name, variant in variants.items():
            before = clock()
            variant()
            taken[name].append(clock() - before)
    return {name: runs[1:] or runs for name, runs in taken.items()}


def median_ratio(values: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the ratio of two medians; NaN if the baseline is too short to be measured."""
    divisor = statistics.median(baseline)
    return statistics.median(values) / divisor if divisor else math.nan


def spread(taken: Sequence[float], per: float = 1.0) -> list[float]:
    """Return what each of ``per`` things has taken in each run, in milliseconds."""
    return [1000 * seconds / per for seconds in taken]
