"""Options of sbatch that all jobs of a user share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Request", "log_option"]


@dataclass(frozen=True)
class Request:
    """The options of a job that the settings specify.

    Attributes:
        account: The account to charge; empty for the user's default.
        partition: The partition; empty for the cluster's default.
        time: The time limit; empty for the partition's default.
        requeue: Whether the job starts again after it lost its node or was preempted.
        more: Additional options of the user.
    """

    account: str | None = None
    partition: str | None = None
    time: str | None = None
    requeue: bool = True
    more: tuple[str, ...] = ()

    def options(self, *own: str) -> list[str]:
        """Return the options of a job: its own, then the settings; the user's come last and win."""
        named = {"account": self.account, "partition": self.partition, "time": self.time}
        return [
            *own,
            *(f"--{name}={value}" for name, value in named.items() if value),
            "--requeue" if self.requeue else "--no-requeue",
            *self.more,
        ]


def log_option(folder: Path, name: str) -> str:
    """Return the option for a log; Slurm expands ``%`` in the name, but not in the folder."""
    return f"--output={str(folder).replace('%', '%%')}/{name}"
