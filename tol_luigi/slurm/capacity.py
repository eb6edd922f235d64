"""How many jobs the controller takes, and how many it has."""

from __future__ import annotations

from dataclasses import dataclass

from tol_luigi.slurm.commands import ask

__all__ = ["Limits", "count", "limits"]


@dataclass(frozen=True)
class Limits:
    """What the controller takes.

    Attributes:
        array: The most elements of an array.
        jobs: The most jobs in all, of all users; elements of arrays count one by one.
    """

    array: int
    jobs: int


def limits() -> Limits:
    """Return what the controller takes."""
    config = {}
    for line in ask("scontrol", "show", "config").splitlines():
        key, _, value = line.partition("=")
        config[key.strip()] = value.strip()
    # the largest number of an element is one less
    return Limits(array=int(config.get("MaxArraySize", 1001)), jobs=int(config.get("MaxJobCount", 10_000)))


def count() -> int:
    """Count the jobs in the queue, of all users; elements of arrays count one by one."""
    return len(ask("squeue", "--noheader", "--array", "--format=%i").splitlines())
