"""The base class of stages that make a table per partition from its shards, and its subclasses elsewhere."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.registry import add_plugins
from tol_luigi.core.samples import image_of
from tol_luigi.core.shards import ShardReader
from tol_luigi.report.text import counted
from tol_luigi.store.row_groups import write_rows
from tol_luigi.tasks.partitions import PartitionTask, all_partitions
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.stage import StageTask

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
        members: The content of each file, by extension, such as ``jpg`` or ``sci.txt``.
    """

    id: str
    members: dict[str, bytes]

    @property
    def image_file(self) -> bytes:
        """Return the file of the image, whatever its format."""
        return image_of(self.members)


class PartitionStage(PartitionTask, StageTask):
    """A stage that makes a table with a row for each sample of a partition.

    A subclass defines a schema and a function. The base class adds the receipt, restarts after a crash,
    progress, the rows in ``tol status`` and ``tol plan``, the manifest and the checks of ``VerifyDataset``.
    """

    schema: ClassVar[pa.Schema]
    """The columns of the table; the first is ``id``, the image id."""

    @abc.abstractmethod
    def rows(self, samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
        """Yield a row for each sample, in the same order."""

    def requires(self) -> CheckShards:
        """Require the checked shards."""
        return self.clone(CheckShards)

    @property
    def table(self) -> Path:
        """Return the path of the table."""
        return self.layout.table(self.task_family, *self.work_unit)

    def files(self) -> list[Path]:
        """Return the path of the table."""
        return [self.table]

    def make(self) -> None:
        """Write the table.

        Raises:
            LedgerError: Its rows do not correspond to the samples.
        """
        with self.progress("images", sum(shard.samples for shard in self._written.shards())) as progress:
            write_rows(self.table, self._accounted(progress), self.schema)

    def _accounted(self, progress: Callable[[int], None]) -> Iterator[dict[str, Any]]:
        """Yield the rows, and check that they correspond to the samples, in order.

        Raises:
            LedgerError: They do not.
        """
        ids: list[str] = []
        count, what = 0, ""
        for row in self.rows(self._samples(ids)):
            if count >= len(ids) or row.get("id") != ids[count]:
                what = f"row {count} has id {row.get('id')}, which is not the sample at this place"
                break
            count += 1
            progress(count)
            yield row
        if not what and count != len(ids):
            what = f"it yields {counted(count, 'row')} for {counted(len(ids), 'sample')}"
        if what:
            raise LedgerError(self.label, what, "Correct the stage: it must yield a row for each sample")

    @property
    def _written(self) -> WriteShards:
        return self.clone(WriteShards)

    def _samples(self, ids: list[str]) -> Iterator[Sample]:
        """Yield the samples of the partition's shards, and append their ids to a list."""
        written = self._written
        for shard in written.shards():
            for key, members in ShardReader(written.folder / shard.name):
                ids.append(key)
                yield Sample(key, members)


def _check(stage: object) -> tuple[str, type[PartitionStage]]:
    if not isinstance(stage, type) or not issubclass(stage, PartitionStage):
        raise TypeError("it is not a subclass of PartitionStage")
    if not hasattr(stage, "schema") or stage.schema.names[:1] != ["id"]:
        raise ValueError("its schema has no id as its first column")
    return stage.__name__, stage


PARTITION_STAGES: dict[str, type[PartitionStage]] = {}
"""The stages of other packages by name; every build runs them after the check of the shards."""

add_plugins("tol_luigi.stages", PARTITION_STAGES, _check)


def partition_stages(task: DatasetTask) -> list[PartitionStage]:
    """Return the stages of other packages for all partitions of a task's dataset."""
    return [
        task.clone(stage, **unit)
        for stage in PARTITION_STAGES.values()
        for unit in all_partitions(task.settings)
    ]
