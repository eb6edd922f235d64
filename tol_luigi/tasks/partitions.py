"""The base of tasks that work on one partition of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.source_names import source_of
from tol_luigi.core.splits import SPLITS
from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.error_lines import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tol_luigi.tasks.settings import Settings

__all__ = ["PartitionTask", "SourceParameter", "SourceTask", "all_partitions"]


_SHOWN = 20
"""The most names in a message."""


class SourceParameter(luigi.Parameter):
    """A parameter with the name of a source."""

    def normalize(self, x: str) -> str:
        """Return the name of the source, also for the name of its section."""
        return source_of(x)


class SourceTask(DatasetTask):
    """A task on one partition of a source, with the parameters source and partition."""

    source: str
    partition: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as in Luigi)
        super().__init__(*args, **kwargs)
        if self.source not in self.settings.used:
            refuse(_unknown("source", self.source, self.settings.used))
        if self.partition not in self.valid_partitions:
            refuse(_unknown("partition", self.partition, self.valid_partitions))

    @property
    def valid_partitions(self) -> Sequence[str]:
        """Return the names that the parameter partition can have."""
        return self.settings.partitions(self.source)


def _unknown(parameter: str, value: str, valid: Sequence[str]) -> SettingsError:
    shown = ", ".join([*valid[:_SHOWN], *(["…"] if len(valid) > _SHOWN else [])])
    return SettingsError(
        f"--{parameter} {value}", f"there is no such {parameter} in these settings", f"Use one of {shown}"
    )


class PartitionTask(SourceTask):
    """A stage that works on one (split, source, partition)."""

    split: str = luigi.ChoiceParameter(choices=SPLITS, description="train, val or train_small")
    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    @property
    def work_unit(self) -> tuple[str, str, str]:
        """Return split, source and partition, as :class:`~tol_luigi.core.layout.Layout` expects them."""
        return self.split, self.source, self.partition

    @property
    def share(self) -> dict[str, str]:
        """Return split, source and partition, as :func:`all_partitions` does."""
        return dict(zip(("split", "source", "partition"), self.work_unit, strict=True))


def all_partitions(settings: Settings) -> list[dict[str, str]]:
    """Return split, source and partition of all tasks that write shards, in the order of shard numbers."""
    return [
        {"split": split, "source": source, "partition": partition}
        for split in SPLITS
        for source in settings.used
        for partition in settings.partitions(source)
    ]
