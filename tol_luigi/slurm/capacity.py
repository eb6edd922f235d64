"""How many jobs the controller accepts, and how many it has."""

from __future__ import annotations

from dataclasses import dataclass

from tol_luigi.slurm.commands import ask

__all__ = ["Limits", "count", "limits"]


@dataclass(frozen=True)
class Limits:
    """The limits of the controller.

    Attributes:
        array: The maximum number of elements of an array.
        jobs: The maximum number of jobs of all users together; each element of an array counts.
    """

    array: int
    jobs: int


def limits() -> Limits:
    """Return the limits of the controller."""
    config = {}
    for line in ask("scontrol", "show", "config").splitlines():
        key, _, value = line.partition("=")
        config[key.strip()] = value.strip()
    # MaxArraySize is one more than the largest index
    return Limits(array=int(config.get("MaxArraySize", 1001)), jobs=int(config.get("MaxJobCount", 10_000)))


def count() -> int:
    """Count the jobs of all users in the queue; each element of an array counts."""
    return len(ask("squeue", "--noheader", "--array", "--format=%i").splitlines())
