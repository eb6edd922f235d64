"""A pipeline of webdataset over the shards of a split."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import webdataset

from tol_luigi.core.errors import ShardError
from tol_luigi.dataset.reading import REPAIR
from tol_luigi.dataset.shard_samples import read_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ShardPipeline", "shard_pipeline"]


class ShardPipeline(webdataset.DataPipeline, webdataset.FluidInterface):  # type: ignore[misc]  # webdataset is untyped
    """A pipeline with all of webdataset's steps: ``shuffle``, ``decode``, ``map``, ``to_tuple``, ``batched``."""


def shard_pipeline(
    samples: Mapping[str, int],
    *,
    shuffle: int,
    decode: str | None,
    handler: Callable[[Exception], bool] | None,
) -> ShardPipeline:
    """Return a pipeline over shards, each of which is read by one worker of one node.

    Args:
        samples: The number of samples of each shard, by its path.
        shuffle: The number of samples that are shuffled among each other, after the shards are shuffled; 0 for their order.
        decode: How webdataset decodes images, such as ``pil`` or ``torchrgb``; None to leave all members as bytes.
        handler: What to do about damaged shards and images; webdataset's ``reraise_exception`` if None.
    """
    handled = handler or webdataset.reraise_exception
    refused = functools.partial(_not_decoded, handler=handled)
    return ShardPipeline(
        webdataset.SimpleShardList(list(samples)),
        webdataset.split_by_node,  # before they are shuffled, since no two processes shuffle alike
        webdataset.split_by_worker,
        webdataset.shuffle(len(samples)) if shuffle else None,
        functools.partial(read_shards, samples=dict(samples), handler=handled),
        webdataset.shuffle(shuffle) if shuffle else None,
        webdataset.decode(decode, handler=refused) if decode is not None else None,
    )


def _not_decoded(error: Exception, handler: Callable[[Exception], bool]) -> bool:
    """Hand on an error of webdataset's decoder as one that names shard and sample."""
    shard, key = getattr(error, "url", None), getattr(error, "key", None)
    if shard is None:
        return handler(error)
    return handler(ShardError(shard, f"a member of sample {key} cannot be decoded", REPAIR))
