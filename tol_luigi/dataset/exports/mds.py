"""Shards of MosaicML Streaming (MDS): ``<split>/<shard>.00000.mds`` and ``<split>/index.json``.

They are written here and not by that library, since it needs PyTorch and the packages of five clouds. A shard is a number of
samples, their offsets, the configuration as JSON, and the samples: the lengths of their columns, and then their bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tol_luigi.dataset.exports.formats import ExportFormat, Written
from tol_luigi.dataset.exports.samples import IMAGE_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.dataset.exports.samples import ExportedSample, ShardToExport

__all__ = ["MdsFormat"]

_LARGEST = 1 << 26
"""The most bytes of a file, unless one sample is larger: the default of the library."""

_HASH = "sha256"


class MdsFormat(ExportFormat):
    """Files of MDS, one or several for each shard, and an index for each split."""

    name: ClassVar[str] = "mds"

    def write(self, shard: ShardToExport) -> Written:
        """Write the files of a shard."""
        columns = sorted([IMAGE_FIELD, *self.fields])
        config = {
            "version": 2,
            "format": "mds",
            "compression": None,
            "hashes": [_HASH],
            "size_limit": _LARGEST,
            "column_names": columns,
            # It has no name for WebP, and what it calls jpeg is decoded by Pillow, whatever the format.
            "column_encodings": ["jpeg" if name == IMAGE_FIELD else "str" for name in columns],
            "column_sizes": [None] * len(columns),
        }
        header = json.dumps(config, sort_keys=True).encode()
        encoded = (_encoded(sample, self.fields, columns) for sample in shard.samples())
        files, entries = [], []
        for number, samples in enumerate(_filled(encoded, _LARGEST - len(header) - 8)):
            name = f"{shard.stem}.{number:05d}.mds"
            content = _file(samples, header)
            with self.folder.write(f"{shard.split}/{name}") as scratch:
                scratch.write_bytes(content)
            digests = {_HASH: hashlib.sha256(content).hexdigest()}
            raw_data = {"basename": name, "bytes": len(content), "hashes": digests}
            entries.append({**config, "raw_data": raw_data, "samples": len(samples), "zip_data": None})
            files.append(f"{shard.split}/{name}")
        return Written(files, {"shards": entries})

    def finish(self, split: str, receipts: Sequence[Receipt]) -> None:
        """Write the index of a split."""
        shards = [entry for receipt in receipts for entry in receipt.more["shards"]]
        with self.folder.write(f"{split}/index.json") as scratch:
            scratch.write_text(json.dumps({"version": 2, "shards": shards}, sort_keys=True), encoding="utf-8")

    def data_folders(self, splits: Iterable[str]) -> list[Path]:
        """Return the folders of the splits."""
        return [self.folder.folder / split for split in splits]


def _encoded(sample: ExportedSample, fields: Sequence[str], columns: Sequence[str]) -> bytes:
    """Return the bytes of a sample: the lengths of its columns, and then the columns."""
    texts = zip(fields, sample.values, strict=True)
    values: dict[str, Any] = {IMAGE_FIELD: sample.image, **{name: text.encode() for name, text in texts}}
    contents = [values[name] for name in columns]
    return np.array([len(content) for content in contents], "<u4").tobytes() + b"".join(contents)


def _filled(samples: Iterable[bytes], largest: int) -> Iterator[list[bytes]]:
    """Yield the samples of each file."""
    filled: list[bytes] = []
    size = 0
    for sample in samples:
        if filled and size + len(sample) + 4 > largest:
            yield filled
            filled, size = [], 0
        filled.append(sample)
        size += len(sample) + 4
    yield filled


def _file(samples: Sequence[bytes], header: bytes) -> bytes:
    """Return the bytes of a file."""
    start = 4 + 4 * (len(samples) + 1) + len(header)
    offsets = start + np.cumsum([0, *map(len, samples)])
    return b"".join([np.uint32(len(samples)).tobytes(), offsets.astype("<u4").tobytes(), header, *samples])
