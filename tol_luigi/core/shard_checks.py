"""What can be wrong with a shard."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.samples import IMAGE, MEMBERS
from tol_luigi.core.shards import Shard, ShardReader, shard_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["check_shards"]


def check_shards(
    folder: Path,
    shards: Sequence[Shard],
    ids: Mapping[int, Sequence[str]],
    size: tuple[int, int],
    progress: Callable[[int], None],
) -> list[dict[str, str]]:
    """Compare shards with what receipt and ledger say of them, reading each once.

    Args:
        folder: Where they lie.
        shards: What the receipt says.
        ids: What the ledger says: by shard number, the ids of its samples in order.
        size: Width and height of the pictures, in pixels.
        progress: Told the number of shards checked so far.

    Returns:
        Findings, each with the path of the shard and what is wrong, in the order of the shards.
    """
    findings = []
    for count, shard in enumerate(shards, start=1):
        path = folder / shard.name
        findings += [
            {"shard": str(path), "what": what}
            for what in _findings(path, shard, ids.get(shard_number(shard.name), []), size)
        ]
        progress(count)
    return findings


def _findings(path: Path, shard: Shard, ids: Sequence[str], size: tuple[int, int]) -> Iterator[str]:
    reader = ShardReader(path)
    keys = []
    try:
        for key, members in reader:
            keys.append(key)
            if tuple(members) != MEMBERS:
                yield f"sample {key} has not the members of a sample, in their order"
            elif not _is_picture(members[IMAGE], size):
                yield f"the picture of sample {key} is not a JPEG of {size[0]} x {size[1]} pixels"
    except ShardError as error:
        yield error.what
        return
    if keys != list(ids):
        yield "its samples are not those of the ledger, in their order"
    if reader.sha256 != shard.sha256:
        yield "its checksum is not that of the receipt"


def _is_picture(jpeg: bytes, size: tuple[int, int]) -> bool:
    """Look at the header of a JPEG; the checksum of the shard answers for the rest."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            return bool(image.size == size)
    except OSError:
        return False
