"""Read the images of chosen samples out of their shards."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any

from tol_luigi.dataset.reading import reading
from tol_luigi.dataset.shard_samples import PartitionOffsets, open_shard, read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tol_luigi.core.layout import Layout

__all__ = ["sample_images"]


def sample_images(layout: Layout, rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield the JPEG of each of some rows of the catalog.

    Args:
        layout: The paths of the dataset.
        rows: Rows of the catalog in its order, with id, split, source, partition, shard and position.

    Raises:
        ShardError: A shard is missing or damaged.
        DamagedError: A ledger is missing or damaged.
    """
    by_share = itertools.groupby(rows, operator.itemgetter("split", "source", "partition"))
    for (split, source, partition), in_share in by_share:
        ledger = layout.ledger(split, source, partition)
        offsets = PartitionOffsets(ledger)
        for number, in_shard in itertools.groupby(in_share, operator.itemgetter("shard")):
            with open_shard(layout.shard(split, number)) as shard:
                for row in in_shard:
                    with reading(ledger):
                        place = offsets.at(number, row["position"])
                    yield read_image(shard, *place, row["treeoflife_id"])
