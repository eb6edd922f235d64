"""The shard numbers of each work unit, assigned before the first shard is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.shards import shards_for

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WorkUnit", "number"]


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """One (split, source, partition), whose shards one task writes.

    Attributes:
        split: ``train``, ``val`` or ``train_small``.
        source: The source's name.
        partition: The partition's name within the source.
        samples: The number of images to write, if none is broken.
        first: The number of its first shard within the split.
        shards: The number of its shards, which are numbered consecutively from ``first``.
    """

    split: str
    source: str
    partition: str
    samples: int
    first: int
    shards: int

    @property
    def numbers(self) -> range:
        """The numbers of its shards."""
        return range(self.first, self.first + self.shards)


def number(counts: Iterable[tuple[str, str, str, int]], max_samples: int) -> list[WorkUnit]:
    """Number the shards of each split consecutively from 0.

    Args:
        counts: (split, source, partition, samples), in the order of the shard numbers.
        max_samples: The most samples per shard.
    """
    units: list[WorkUnit] = []
    used: dict[str, int] = {}
    for split, source, partition, samples in counts:
        shards = shards_for(samples, max_samples)
        first = used.get(split, 0)
        units.append(WorkUnit(split, source, partition, samples, first, shards))
        used[split] = first + shards
    return units
