"""Lance datasets, one for each split: ``<split>.lance``."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from tol_luigi.core.batches import batched
from tol_luigi.core.files import clear_disk_errors, flush_to_disk
from tol_luigi.dataset.exports.formats import ExportFormat, Written, optional_module
from tol_luigi.dataset.exports.samples import IMAGE_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.export_folder import ExportFolder
    from tol_luigi.core.receipts import Receipt
    from tol_luigi.dataset.exports.samples import ShardToExport

__all__ = ["LanceFormat"]

os.environ.setdefault("LANCE_LOG", "error")  # it warns of each dataset that it creates
_lance = optional_module("lance", "lance")

_BATCH = 500
"""Rows passed to the library at a time."""


class LanceFormat(ExportFormat):
    """Lance datasets, whose fragments are the shards."""

    name: ClassVar[str] = "lance"

    def __init__(self, folder: ExportFolder, fields: Sequence[str]) -> None:
        super().__init__(folder, fields)
        self._schema = pa.schema(
            [(IMAGE_FIELD, pa.large_binary()), *((field, pa.string()) for field in fields)]
        )

    def write(self, shard: ShardToExport) -> Written:
        """Write the fragments of a shard, which belong to no version of the dataset yet."""
        target = self._dataset(shard.split)
        target.mkdir(exist_ok=True)
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches(shard))
        with clear_disk_errors(target):
            fragments = _lance.fragment.write_fragments(reader, str(target), schema=self._schema)
        files = [f"{target.name}/data/{file.path}" for fragment in fragments for file in fragment.files]
        for name in files:
            flush_to_disk(self.folder.folder / name)
        return Written(files, {"fragments": [fragment.to_json() for fragment in fragments]})

    def _batches(self, shard: ShardToExport) -> Iterator[pa.RecordBatch]:
        for samples in batched(shard.samples(), _BATCH):
            images = pa.array([sample.image for sample in samples], pa.large_binary())
            columns = zip(*(sample.values for sample in samples), strict=True)
            arrays = [images, *(pa.array(column, pa.string()) for column in columns)]
            yield pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def finish(self, split: str, receipts: Sequence[Receipt]) -> None:
        """Commit the fragments of a split as its first version, unless that is done."""
        target = self._dataset(split)
        fragments: list[Any] = [fragment for receipt in receipts for fragment in receipt.more["fragments"]]
        if self._committed_files(target) == [name for receipt in receipts for name in receipt.files]:
            return
        for name in ("_versions", "_transactions"):
            shutil.rmtree(target / name, ignore_errors=True)
        metadata = [_lance.FragmentMetadata.from_json(json.dumps(one)) for one in fragments]
        operation = _lance.LanceOperation.Overwrite(self._schema, metadata)
        with clear_disk_errors(target):
            _lance.LanceDataset.commit(str(target), operation)

    def _committed_files(self, target: Path) -> list[str]:
        """Return the files of the dataset; none if it has no version or cannot be read."""
        try:
            fragments = _lance.dataset(str(target)).get_fragments()
        except (ValueError, OSError):
            return []
        files = (file.path for fragment in fragments for file in fragment.metadata.files)
        return [f"{target.name}/data/{path}" for path in files]

    def data_folders(self, splits: Iterable[str]) -> list[Path]:
        """Return the folders of the fragments."""
        return [self._dataset(split) / "data" for split in splits]

    def _dataset(self, split: str) -> Path:
        return self.folder.folder / f"{split}.lance"
