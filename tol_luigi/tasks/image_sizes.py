"""The shards of one partition in all image sizes: their record in the receipt, and their check."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from tol_luigi.core.receipts import FileRecord, Receipt, record_files
from tol_luigi.core.shard_checks import Level, check_shards
from tol_luigi.core.shards import Shard
from tol_luigi.tasks.label_columns import sample_form
from tol_luigi.tasks.partitions import PartitionTask
from tol_luigi.tasks.unread import ReadingStage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.packing import Sample
    from tol_luigi.core.plan import WorkUnit
    from tol_luigi.core.shard_checks import Finding
    from tol_luigi.tasks.settings import Settings

__all__ = ["ShardStage", "check_sizes", "shards_in"]

_FURTHER = "further"
"""The key of the shards of further sizes, by size, in a receipt."""


def _further_record(settings: Settings, shards: Sequence[Sequence[Shard]]) -> dict[str, Any]:
    """Return the shards of each further size as a part of a receipt; nothing without further sizes."""
    sizes = zip(settings.images.further_sizes, shards, strict=True)
    record = {size: [asdict(shard) for shard in each] for size, each in sizes}
    return {_FURTHER: record} if record else {}


def shards_in(record: Mapping[str, Any], size: str = "") -> list[Shard]:
    """Return the shards in the content of a receipt: of the own size, or of a further one; none if it lacks that."""
    shards = record.get(_FURTHER, {}).get(size, ()) if size else record["shards"]
    return [Shard(**shard) for shard in shards]


class ShardStage(PartitionTask, ReadingStage):
    """A stage that writes the shards of one partition in all image sizes: their folders and their receipt."""

    @property
    def receipt_path(self) -> Path:
        """Return the path of the receipt, which is written after the shards and their ledger."""
        return self.layout.receipt(*self.work_unit)

    def shards(self, receipt: Receipt | None = None, size: int = 0) -> list[Shard]:
        """Return the shards in a receipt, by default the existing one; none without a receipt.

        Args:
            receipt: The receipt.
            size: The position of their image size among all sizes.
        """
        receipt = receipt or self.receipt()
        return shards_in(receipt.more, self.settings.layouts[size].size if size else "") if receipt else []

    def shard_paths(self) -> list[Path]:
        """Return the paths of all shards in the receipt, in all sizes."""
        receipt = self.receipt()
        return [
            folder / shard.name
            for size, folder in enumerate(self.folders)
            for shard in (self.shards(receipt, size) if receipt else ())
        ]

    @property
    def folder(self) -> Path:
        """Return the folder of the shards."""
        return self.layout.shard(self.split, 0).parent

    @property
    def folders(self) -> list[Path]:
        """Return the folder of the shards of each image size."""
        return [layout.shard(self.split, 0).parent for layout in self.settings.layouts]

    def receipt_of(
        self,
        share: WorkUnit,
        shards: list[Shard],
        notes: dict[str, str],
        inputs: dict[str, str],
        further: Sequence[list[Shard]] = (),
    ) -> Receipt:
        """Return the receipt of shards of each size and their ledger in their current state."""
        directory = self.layout.directory
        files = {
            (folder / shard.name).relative_to(directory).as_posix(): FileRecord(shard.size, shard.sha256)
            for folder, written in zip(self.folders, [shards, *further], strict=True)
            for shard in written
        }
        files |= record_files(directory, [self.layout.ledger(*self.work_unit)])
        more = {
            "split": self.split,
            "source": self.source,
            "partition": self.partition,
            "planned": share.samples,
            "samples": sum(shard.samples for shard in shards),
            "shards": [asdict(shard) for shard in shards],
            **_further_record(self.settings, further),
            **self.more(),
        }
        return Receipt(self.label, self.settings.digest, inputs, files, more, notes)


def check_sizes(
    task: PartitionTask,
    shards: Sequence[Sequence[Shard]],
    ids: Mapping[int, Sequence[str]],
    *,
    level: Level = Level.MEMBERS,
    samples: Mapping[str, Sample] | None = None,
) -> list[Finding]:
    """Compare the shards of each size with receipt and ledger, see :func:`check_shards`.

    Args:
        task: The task whose partition is checked.
        shards: The shards of each size.
        ids: The ids in the ledger by shard number.
        level: How thoroughly to check.
        samples: The expected samples of the split, by id, if known.
    """
    settings, form, done = task.settings, sample_form(task.settings), 0
    findings: list[Finding] = []
    with task.progress("shards", sum(map(len, shards))) as progress:
        for layout, size, each in zip(settings.layouts, settings.image_spec.sizes, shards, strict=True):
            folder = layout.shard(task.split, 0).parent
            findings += check_shards(
                folder,
                each,
                ids,
                size,
                partial(_advance, progress, done),
                level=level,
                samples=samples,
                form=form,
            )
            done += len(each)
    return findings


def _advance(progress: Callable[[int], None], before: int, count: int) -> None:
    progress(before + count)
