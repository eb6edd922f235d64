"""Durations in the format of Slurm's commands."""

from __future__ import annotations

import re

__all__ = ["DURATION", "seconds"]

DURATION = r"(\d+-)?\d+(:\d+){0,2}"
"""Matches the time limits that sbatch accepts; squeue prints durations in the longer of these formats."""


def seconds(text: str) -> int:
    """Return the seconds of ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours`` etc.

    Return 0 for other texts that squeue prints, such as ``INVALID``.
    """
    if not re.fullmatch(DURATION, text):
        return 0
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if not dash and len(parts) < len(("hours", "minutes", "seconds")):
        parts.insert(0, 0)  # without days, one number means minutes, and two mean minutes and seconds
    hours, minutes, rest = (*parts, 0, 0)[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + rest
