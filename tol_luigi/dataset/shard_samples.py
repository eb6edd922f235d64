"""Read samples from shards with webdataset: one sample by its offset, or all samples of a shard."""

from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tol_luigi.core.errors import DamagedError, ShardError
from tol_luigi.core.ledger import State
from tol_luigi.core.receipts import read_receipt
from tol_luigi.core.samples import MEMBERS
from tol_luigi.core.shards import Shard, copy_record, record_image
from tol_luigi.dataset.reading import REPAIR, reading
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["PartitionOffsets", "open_shard", "read_image", "read_sample", "read_shards", "shard_records"]

_ERRORS = (OSError, EOFError, ValueError, AssertionError, tarfile.TarError)
"""The errors that webdataset and tarfile raise for a damaged shard."""


class PartitionOffsets:
    """The offsets of the samples of one partition of a split in their shards, from the ledger.

    Args:
        ledger: The path of the ledger of the partition.
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
        """Return the offset and the length in bytes of the sample at a position of a shard."""
        row = self._starts[shard] + position
        return int(self._offsets[row]), int(self._lengths[row])


def shard_records(receipts: Iterable[Path]) -> list[Shard]:
    """Return what receipts of shards say of them, in the order of their names.

    Raises:
        DamagedError: A receipt is damaged.
    """
    found: list[Shard] = []
    for path in receipts:
        receipt = read_receipt(path)
        if receipt is None:
            raise DamagedError(path, "it is damaged", REPAIR)
        with reading(path):
            found += [Shard(**shard) for shard in receipt.more["shards"]]
    return sorted(found, key=lambda shard: shard.name)


def open_shard(path: Path) -> IO[bytes]:
    """Open a shard for reading.

    Raises:
        ShardError: The shard is missing or not readable.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise _damaged(path, error) from error


def read_image(shard: IO[bytes], offset: int, length: int, key: str) -> bytes:
    """Read the image file of one sample; the arguments are those of :func:`read_sample`.

    Raises:
        ShardError: There is no complete sample of this image at the offset.
    """
    try:
        return record_image(copy_record(shard, offset, length, key), key)
    except ShardError as error:
        raise ShardError(error.where, error.what, REPAIR) from error
    except (OSError, ValueError) as error:
        raise ShardError(shard.name, f"sample {key} at byte {offset} is damaged", REPAIR) from error


def read_sample(
    shard: IO[bytes], offset: int, length: int, key: str, names: Sequence[str] = MEMBERS
) -> dict[str, bytes]:
    """Read one sample.

    Args:
        shard: The shard, open for reading.
        offset: The offset of the sample, in bytes.
        length: The length of the sample, in bytes.
        key: The image id.
        names: The extensions of its members, in order.

    Returns:
        The content of each member, by extension.

    Raises:
        ShardError: There is no complete sample of this image at the offset.
    """
    try:
        record = copy_record(shard, offset, length, key)
        (sample,) = _samples(shard.name, io.BytesIO(record), lcase=False)
    except ShardError as error:
        raise ShardError(error.where, error.what, REPAIR) from error
    except _ERRORS as error:
        raise _damaged(shard.name, error) from error
    members = {name: content for name, content in sample.items() if not name.startswith("__")}
    if tuple(members) != tuple(names):
        raise ShardError(shard.name, f"sample {key} at byte {offset} is incomplete", REPAIR)
    return members


def read_shards(
    shards: Iterable[Mapping[str, Any]],
    samples: Mapping[str, int],
    handler: Callable[[Exception], bool],
) -> Iterator[dict[str, Any]]:
    """Read all samples of shards, as a stage of a webdataset pipeline.

    Args:
        shards: The shards, with their path as ``url``.
        samples: The expected number of samples per shard, by path. It is checked because the reader treats a
            damaged header as the end of the shard.
        handler: A webdataset error handler: it raises the error, or returns whether to continue.

    Yields:
        The key, and the content of each member by its extension in lower case.
    """
    for shard in shards:
        path, count = shard["url"], 0
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 (webdataset's paths are strings)
                for sample in _samples(path, stream, lcase=True):
                    count += 1
                    yield sample
            if count != samples[path]:
                raise ValueError(f"{count} of {samples[path]} samples")
        except _ERRORS as error:
            if not handler(_damaged(path, error)):
                return


def _samples(path: str, stream: IO[bytes], *, lcase: bool) -> Iterator[dict[str, Any]]:
    # It imports PyTorch where that is installed, and most commands read no sample.
    from webdataset.tariterators import group_by_keys, tar_file_expander  # noqa: PLC0415

    files = tar_file_expander([{"url": path, "stream": stream}])
    samples: Iterator[dict[str, Any]] = group_by_keys(files, lcase=lcase)
    return samples


def _damaged(path: Path | str, error: Exception) -> ShardError:
    if isinstance(error, FileNotFoundError):
        return ShardError(path, "it is missing", REPAIR)
    reason = str(error.args[0]) if error.args else type(error).__name__  # webdataset adds further arguments
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    return ShardError(path, f"it is damaged ({' '.join(reason.split())})", REPAIR)
