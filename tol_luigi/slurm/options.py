"""The options of sbatch that all jobs of a user share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Request", "log_option"]


@dataclass(frozen=True)
class Request:
    """What the settings ask of Slurm for a job.

    Attributes:
        account: Who is charged; empty for the user's default.
        partition: Where it runs; empty for the cluster's default.
        time: The time limit; empty for the partition's default.
        requeue: Whether it starts again if its node is lost, or taken away.
        more: Further options of the user.
    """

    account: str | None = None
    partition: str | None = None
    time: str | None = None
    requeue: bool = True
    more: tuple[str, ...] = ()

    def options(self, *own: str) -> list[str]:
        """Return the options of a job: its own, then those of the settings; the user's come last, and win."""
        named = {"account": self.account, "partition": self.partition, "time": self.time}
        return [
            *own,
            *(f"--{name}={value}" for name, value in named.items() if value),
            "--requeue" if self.requeue else "--no-requeue",
            *self.more,
        ]


def log_option(folder: Path, name: str) -> str:
    """Return the option for a log; only in its name does % have a meaning to Slurm."""
    return f"--output={str(folder).replace('%', '%%')}/{name}"
