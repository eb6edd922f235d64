"""Durations, as Slurm's commands take and print them."""

from __future__ import annotations

import re

__all__ = ["DURATION", "seconds"]

DURATION = r"(\d+-)?\d+(:\d+){0,2}"
"""What a time limit looks like to sbatch; squeue prints durations in the longer of these forms."""


def seconds(text: str) -> int:
    """Return the seconds of ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours`` and so on.

    What squeue prints instead of a duration, such as ``INVALID``, is 0.
    """
    if not re.fullmatch(DURATION, text):
        return 0
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if not dash and len(parts) < len(("hours", "minutes", "seconds")):
        parts.insert(0, 0)  # without days, one number is minutes, and two end in seconds
    hours, minutes, rest = (*parts, 0, 0)[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + rest
