"""The image files of samples, read from their shards."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.ledger import State
from tol_luigi.dataset.reading import reading
from tol_luigi.dataset.shard_samples import PartitionOffsets, open_shard, read_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tol_luigi.core.layout import Layout

__all__ = ["Pictures"]

_LEDGERS = 64
"""Ledgers whose offsets are kept in memory: 16 bytes per sample."""


class Pictures:
    """The images of a dataset. Threads may share it.

    Args:
        layout: The paths of the dataset.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._offsets = functools.lru_cache(_LEDGERS)(PartitionOffsets)

    def image_file(self, record: Mapping[str, Any]) -> bytes:
        """Return the image file of a sample, of which only its own bytes are read.

        Args:
            record: The row of the index.

        Raises:
            DatasetError: The image has no sample.
            DamagedError: The ledger is missing or damaged.
            ShardError: The shard is missing or damaged.
        """
        if record["state"] != State.WRITTEN:
            what = f"the image has no sample ({record['state']})"
            raise DatasetError(record["id"] or record["file"], what, "See docs/files.md for the states")
        ledger: Path = self._layout.ledger(record["split"], record["source"], record["partition"])
        with reading(ledger):
            offset, length = self._offsets(ledger).at(record["shard"], record["position"])
        with open_shard(self._layout.shard(record["split"], record["shard"])) as shard:
            return read_image(shard, offset, length, record["id"])
