"""The task graph by stage, and which tasks are complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.files import read_json
from tol_luigi.core.plan import WorkUnit
from tol_luigi.tasks.base import in_order
from tol_luigi.tasks.build import BuildCatalog

if TYPE_CHECKING:
    from tol_luigi.core.layout import Layout
    from tol_luigi.tasks.base import DatasetTask

__all__ = ["Stage", "planned", "stages"]


@dataclass(frozen=True)
class Stage:
    """The tasks of one family.

    Attributes:
        name: The family, as shown on luigi's page.
        complete: The complete tasks.
        to_do: The incomplete tasks.
    """

    name: str
    complete: list[DatasetTask]
    to_do: list[DatasetTask]

    @property
    def count(self) -> int:
        """The number of tasks."""
        return len(self.complete) + len(self.to_do)


def stages(root: DatasetTask | None = None) -> list[Stage]:
    """Check every task of a graph for completeness, as Luigi does; write nothing.

    Args:
        root: The task that requires all others; by default ``BuildCatalog`` of the settings' dataset.

    Returns:
        The stages in the order in which they run. Wrapper tasks such as the root are not stages.
    """
    found: dict[str, Stage] = {}
    for task in in_order(root or BuildCatalog()):
        if not isinstance(task, luigi.WrapperTask):
            stage = found.setdefault(task.task_family, Stage(task.task_family, [], []))
            (stage.complete if task.complete() else stage.to_do).append(task)
    return list(found.values())


def planned(layout: Layout) -> list[WorkUnit]:
    """Return the work units of the plan; none if it is missing or damaged, as the next build makes it again."""
    try:
        return [WorkUnit(**unit) for unit in read_json(layout.plan)]
    except (OSError, ValueError, TypeError):
        return []
