"""The graph as it stands: which tasks there are, and which of them are complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import luigi

from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog

if TYPE_CHECKING:
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["Stage", "stages"]


@dataclass(frozen=True)
class Stage:
    """The tasks of one kind.

    Attributes:
        name: Their family, as luigi's page calls it.
        complete: Those that are complete.
        to_do: The others.
    """

    name: str
    complete: list[DatasetTask]
    to_do: list[DatasetTask]

    @property
    def count(self) -> int:
        """How many tasks it has."""
        return len(self.complete) + len(self.to_do)


def stages(root: DatasetTask | None = None) -> list[Stage]:
    """Check of every task whether it is complete, as Luigi does. Write nothing.

    Args:
        root: The task that requires all others; by default ``BuildCatalog`` of the settings' dataset.

    Returns:
        The stages in the order in which they run. The root, which only waits for the others, is none.
    """
    made: dict[str, Stage] = {}
    for task in in_order(root or BuildCatalog()):
        if not isinstance(task, luigi.WrapperTask):
            stage = made.setdefault(task.task_family, Stage(task.task_family, [], []))
            (stage.complete if task.complete() else stage.to_do).append(task)
    return list(made.values())
