"""Reading samples out of shards: one by its offset, or all of a shard in a row, both through webdataset's reader."""

from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from webdataset.tariterators import group_by_keys, tar_file_expander

from tol_luigi.core.errors import ShardError
from tol_luigi.core.ledger import State
from tol_luigi.core.samples import MEMBERS
from tol_luigi.core.shards import copy_record
from tol_luigi.dataset.reading import REPAIR, reading
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["PartitionOffsets", "open_shard", "read_sample", "read_shards"]

_ERRORS = (OSError, EOFError, ValueError, AssertionError, tarfile.TarError)
"""What webdataset and tarfile raise about a file that is no whole shard."""


class PartitionOffsets:
    """Where the samples of one partition of a split are in their shards, as the ledger says.

    Args:
        ledger: The ledger of the partition.
    """

    def __init__(self, ledger: Path) -> None:
        with reading(ledger):
            columns = ["shard", "position", "offset", "bytes"]
            written = rows_with(ledger, {"state": [State.WRITTEN.value]}, columns)
            in_order = written.sort_by([("shard", "ascending"), ("position", "ascending")])
            shards, starts = np.unique(in_order["shard"].to_numpy(), return_index=True)
            self._starts = dict(zip(shards.tolist(), starts.tolist(), strict=True))
            self._offsets, self._lengths = in_order["offset"].to_numpy(), in_order["bytes"].to_numpy()

    def at(self, shard: int, position: int) -> tuple[int, int]:
        """Return the offset and the length, in bytes, of the sample at a position of a shard."""
        row = self._starts[shard] + position
        return int(self._offsets[row]), int(self._lengths[row])


def open_shard(path: Path) -> IO[bytes]:
    """Open a shard.

    Raises:
        ShardError: It is missing, or may not be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise _damaged(path, error) from error


def read_sample(shard: IO[bytes], offset: int, length: int, key: str) -> dict[str, bytes]:
    """Read one sample.

    Args:
        shard: The shard, open for reading.
        offset: Where the sample starts, in bytes.
        length: Its length in bytes.
        key: The image id.

    Returns:
        The content of each member by its extension.

    Raises:
        ShardError: There is no such sample at that place, complete.
    """
    try:
        record = copy_record(shard, offset, length, key)
        (sample,) = _samples(shard.name, io.BytesIO(record), lcase=False)
    except ShardError as error:
        raise ShardError(error.where, error.what, REPAIR) from error
    except _ERRORS as error:
        raise _damaged(shard.name, error) from error
    members = {name: content for name, content in sample.items() if not name.startswith("__")}
    if tuple(members) != MEMBERS:
        raise ShardError(shard.name, f"sample {key} at byte {offset} is not complete", REPAIR)
    return members


def read_shards(
    shards: Iterable[Mapping[str, Any]],
    samples: Mapping[str, int],
    handler: Callable[[Exception], bool],
) -> Iterator[dict[str, Any]]:
    """Read all samples of shards, as a stage of webdataset's pipelines.

    Args:
        shards: A path for each shard, as ``url``.
        samples: The number of samples that each shard must have, by its path: the reader takes a damaged header for
            the end of a shard.
        handler: One of webdataset's handlers of errors: it raises the error, or returns whether to go on.

    Yields:
        The key, and the content of each member by its extension in lower case.
    """
    for shard in shards:
        path, count = shard["url"], 0
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 (webdataset's paths are texts)
                for sample in _samples(path, stream, lcase=True):
                    count += 1
                    yield sample
            if count != samples[path]:
                raise ValueError(f"{count} samples of {samples[path]}")
        except _ERRORS as error:
            if not handler(_damaged(path, error)):
                return


def _samples(path: str, stream: IO[bytes], *, lcase: bool) -> Iterator[dict[str, Any]]:
    files = tar_file_expander([{"url": path, "stream": stream}])
    samples: Iterator[dict[str, Any]] = group_by_keys(files, lcase=lcase)
    return samples


def _damaged(path: Path | str, error: Exception) -> ShardError:
    if isinstance(error, FileNotFoundError):
        return ShardError(path, "it is missing", REPAIR)
    reason = str(error.args[0]) if error.args else type(error).__name__  # webdataset adds more arguments
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    return ShardError(path, f"it is damaged ({' '.join(reason.split())})", REPAIR)
