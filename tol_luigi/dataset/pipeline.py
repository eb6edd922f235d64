"""Build webdataset pipelines over the shards of a split."""

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
    """A pipeline with webdataset's methods: ``shuffle``, ``decode``, ``map``, ``to_tuple``, ``batched``."""


def shard_pipeline(
    samples: Mapping[str, int],
    *,
    shuffle: int,
    decode: str | None,
    handler: Callable[[Exception], bool] | None,
) -> ShardPipeline:
    """Return a pipeline over shards. Each shard is read by one worker of one node.

    Args:
        samples: The number of samples per shard, by path.
        shuffle: The size of the shuffle buffer, in samples; the shards are shuffled as well. 0 keeps the
            order.
        decode: The image format for webdataset, such as ``pil`` or ``torchrgb``, or None to keep all members
            as bytes.
        handler: The handler of errors in shards and images; webdataset's ``reraise_exception`` if None.
    """
    handled = handler or webdataset.reraise_exception
    on_decode_error = functools.partial(_decode_error, handler=handled)
    return ShardPipeline(
        webdataset.SimpleShardList(list(samples)),
        webdataset.split_by_node,  # before shuffling, because each process shuffles differently
        webdataset.split_by_worker,
        webdataset.shuffle(len(samples)) if shuffle else None,
        functools.partial(read_shards, samples=dict(samples), handler=handled),
        webdataset.shuffle(shuffle) if shuffle else None,
        webdataset.decode(decode, handler=on_decode_error) if decode is not None else None,
    )


def _decode_error(error: Exception, handler: Callable[[Exception], bool]) -> bool:
    """Pass an error of webdataset's decoder to the handler, with the names of shard and sample."""
    shard, key = getattr(error, "url", None), getattr(error, "key", None)
    if shard is None:
        return handler(error)
    return handler(ShardError(shard, f"a member of sample {key} cannot be decoded", REPAIR))
