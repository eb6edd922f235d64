"""The shards of one partition in all image sizes: their record in the receipt, and their check."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from tol_luigi.core.shard_checks import Level, check_shards
from tol_luigi.core.shards import Shard
from tol_luigi.tasks.label_columns import sample_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tol_luigi.core.packing import Sample
    from tol_luigi.core.shard_checks import Finding
    from tol_luigi.tasks.partitions import PartitionTask
    from tol_luigi.tasks.settings import Settings

__all__ = ["check_sizes", "further_record", "shards_in"]

_FURTHER = "further"
"""The key of the shards of further sizes, by size, in a receipt."""


def further_record(settings: Settings, shards: Sequence[Sequence[Shard]]) -> dict[str, Any]:
    """Return the shards of each further size as a part of a receipt; nothing without further sizes."""
    sizes = zip(settings.images.further_sizes, shards, strict=True)
    record = {size: [asdict(shard) for shard in each] for size, each in sizes}
    return {_FURTHER: record} if record else {}


def shards_in(record: Mapping[str, Any], size: str = "") -> list[Shard]:
    """Return the shards in the content of a receipt: of the own size, or of a further one; none if it lacks that."""
    shards = record.get(_FURTHER, {}).get(size, ()) if size else record["shards"]
    return [Shard(**shard) for shard in shards]


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
