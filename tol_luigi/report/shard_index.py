"""The indexes of shards that readers of WebDataset look for: sizes, lengths, and the list of wids."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tol_luigi.report.rows_csv import rows_csv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.core.shards import Shard

__all__ = ["SHARD_COLUMNS", "index_files", "shard_table", "shards_digest"]

SHARD_COLUMNS = ("path", "split", "samples", "bytes", "sha256")
"""The columns of the table of shards; the first is its key."""


def index_files(shards: Sequence[Shard]) -> dict[str, str]:
    """Return the indexes of one folder of shards: the text of each file by its name.

    open_clip takes the number of samples from ``sizes.json``, and img2dataset's readers from ``__len__``. wids reads
    ``wids.json``, in which paths are relative to the file.

    Source: the indexes that wids writes, without the optional MD5, for which all shards would have to be read again.
    """
    sizes = {shard.name: shard.samples for shard in shards}
    wids = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "shardlist": [
            {"url": shard.name, "nsamples": shard.samples, "filesize": shard.size} for shard in shards
        ],
    }
    return {
        "sizes.json": json.dumps(sizes, indent=1) + "\n",
        "__len__": f"{sum(sizes.values())}\n",
        "wids.json": json.dumps(wids, indent=1) + "\n",
    }


def shard_table(shards: Mapping[str, Sequence[Shard]]) -> str:
    """Return the shards of all splits as CSV, with paths relative to the folder of the table."""
    rows = [
        (f"{split}/{shard.name}", split, shard.samples, shard.size, shard.sha256)
        for split, each in shards.items()
        for shard in each
    ]
    return rows_csv([SHARD_COLUMNS, *rows])


def shards_digest(shards: Mapping[str, Sequence[Shard]]) -> str:
    """Return twelve hexadecimal digits that differ if any sample of a dataset does, or its place."""
    return hashlib.sha256(shard_table(shards).encode()).hexdigest()[:12]
