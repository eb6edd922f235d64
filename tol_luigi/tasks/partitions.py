"""The base of tasks that work on one partition of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luigi

from tol_luigi.core.source_names import base_of, source_of
from tol_luigi.core.splits import SPLITS
from tol_luigi.sources import SOURCES, label_fault
from tol_luigi.tasks.base import DatasetTask

if TYPE_CHECKING:
    from tol_luigi.tasks.settings import Settings

__all__ = ["PartitionTask", "SourceParameter", "all_partitions"]


class SourceParameter(luigi.Parameter):
    """A parameter with the name of a source."""

    def normalize(self, x: str) -> str:
        """Return the name of the source, also for the name of its section; raise ValueError if there is none."""
        if x not in SOURCES and (base_of(x) not in SOURCES or label_fault(x)):
            raise ValueError(f"{x} is not a source: {', '.join(SOURCES)}, or one of these with a label")
        return source_of(x)


class PartitionTask(DatasetTask):
    """A stage that works on one (split, source, partition)."""

    split: str = luigi.ChoiceParameter(choices=SPLITS, description="train, val or train_small")
    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def work_unit(self) -> tuple[str, str, str]:
        """Return split, source and partition, as :class:`~tol_luigi.core.layout.Layout` expects them."""
        return self.split, self.source, self.partition


def all_partitions(settings: Settings) -> list[dict[str, str]]:
    """Return split, source and partition of all tasks that write shards, in the order of shard numbers."""
    return [
        {"split": split, "source": source, "partition": partition}
        for split in SPLITS
        for source in settings.used
        for partition in settings.partitions(source)
    ]
