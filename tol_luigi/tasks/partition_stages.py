"""Stages that make a table for each partition out of its shards, our own and those of other packages."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.registry import add_plugins
from tol_luigi.core.shards import ShardReader
from tol_luigi.store.row_groups import write_rows
from tol_luigi.tasks.base import StageTask
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.shards import CheckShards, WriteShards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["PARTITION_STAGES", "PartitionStage", "Sample", "partition_stages"]


class Sample(NamedTuple):
    """A sample of a shard.

    Attributes:
        id: The image id.
        members: Content by extension, such as ``jpg`` or ``sci.txt``.
    """

    id: str
    members: dict[str, bytes]


class PartitionStage(PartitionTask, StageTask):
    """A stage that makes a table with a row for each sample of a partition.

    A subclass has a schema and a function. The receipt, restarting after a crash, progress, the row in ``tol status`` and
    ``tol plan``, the manifest and ``VerifyDataset`` come with it.
    """

    schema: ClassVar[pa.Schema]
    """The columns of the table; the first is ``id``, the image id."""

    @abc.abstractmethod
    def rows(self, samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
        """Yield a row for each sample, in the same order."""

    def requires(self) -> CheckShards:
        """Require the shards, checked."""
        return self.clone(CheckShards)

    @property
    def table(self) -> Path:
        """The path of the table."""
        return self.layout.table(self.task_family, *self.work_unit)

    def files(self) -> list[Path]:
        """Return the path of the table."""
        return [self.table]

    def make(self) -> None:
        """Write the table.

        Raises:
            LedgerError: Its rows are not those of the samples.
        """
        with self.progress("images", sum(shard.samples for shard in self._written.shards())) as tell:
            write_rows(self.table, self._accounted(tell), self.schema)

    def _accounted(self, tell: Callable[[int], None]) -> Iterator[dict[str, Any]]:
        """Yield the rows, which must be those of the samples, in order.

        Raises:
            LedgerError: They are not.
        """
        ids: list[str] = []
        made, what = 0, ""
        for row in self.rows(self._samples(ids)):
            if made >= len(ids) or row.get("id") != ids[made]:
                what = f"row {made} is that of {row.get('id')}, which is not the sample at this place"
                break
            made += 1
            tell(made)
            yield row
        if not what and made != len(ids):
            what = f"there are {made} rows for {len(ids)} samples"
        if what:
            raise LedgerError(self.label, what, "Correct the stage: it must yield a row for each sample")

    @property
    def _written(self) -> WriteShards:
        return self.clone(WriteShards)

    def _samples(self, ids: list[str]) -> Iterator[Sample]:
        """Yield the samples of the partition's shards, and add their ids to a list."""
        written = self._written
        for shard in written.shards():
            for key, members in ShardReader(written.folder / shard.name):
                ids.append(key)
                yield Sample(key, members)


def _check(stage: object) -> tuple[str, type[PartitionStage]]:
    if not isinstance(stage, type) or not issubclass(stage, PartitionStage):
        raise TypeError("it is no subclass of PartitionStage")
    if not hasattr(stage, "schema") or stage.schema.names[:1] != ["id"]:
        raise ValueError("its schema has no id as its first column")
    return stage.__name__, stage


PARTITION_STAGES: dict[str, type[PartitionStage]] = {}
"""The stages of other packages, by their names, which every build runs when the shards have been checked."""

add_plugins("tol_luigi.stages", PARTITION_STAGES, _check)


def partition_stages(task: DatasetTask) -> list[PartitionStage]:
    """Return the stages of other packages over all partitions of a task's dataset."""
    return [
        task.clone(stage, **unit)
        for stage in PARTITION_STAGES.values()
        for unit in all_partitions(task.settings)
    ]
