"""Which shard numbers each (split, partition) writes, settled before the first shard is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.shards import shards_for

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Share", "number"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one (split, partition) contributes to the dataset.

    Attributes:
        split: ``train``, ``val`` or ``train_small``.
        source: The source's name.
        partition: The partition's name within the source.
        samples: How many images are to be written, if none turns out broken.
        first: The number of its first shard within the split.
        shards: How many shards it writes, numbered from ``first`` without a hole.
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


def number(counts: Iterable[tuple[str, str, str, int]], max_samples: int) -> list[Share]:
    """Number the shards of every split from 0 without a hole.

    Args:
        counts: (split, source, partition, samples), in the order in which shards are numbered.
        max_samples: A shard holds no more samples than this.
    """
    shares: list[Share] = []
    used: dict[str, int] = {}
    for split, source, partition, samples in counts:
        shards = shards_for(samples, max_samples)
        first = used.get(split, 0)
        shares.append(Share(split, source, partition, samples, first, shards))
        used[split] = first + shards
    return shares
