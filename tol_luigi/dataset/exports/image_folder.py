"""Plain image files with tables: ``<split>/<shard>/<id>.jpg`` (or ``.webp``) and ``<split>/<shard>/metadata.csv``."""

from __future__ import annotations

import csv
import os
import shutil
from typing import TYPE_CHECKING, ClassVar

from tol_luigi.core.files import clear_disk_errors, flush_to_disk, scratch_path
from tol_luigi.dataset.exports.formats import ExportFormat, Written

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tol_luigi.core.receipts import Receipt
    from tol_luigi.dataset.exports.samples import ShardToExport

__all__ = ["ImageFolderFormat"]

_TABLE = "metadata.csv"


class ImageFolderFormat(ExportFormat):
    """A folder of images with their table for each shard, since folders of millions of files are slow."""

    name: ClassVar[str] = "folder"
    patterns: ClassVar[str] = "{split}/**"

    def write(self, shard: ShardToExport) -> Written:
        """Write the folder of a shard, which appears with all its files."""
        target = self.folder.folder / shard.split / shard.stem
        scratch, size, count = scratch_path(target), 0, 0
        try:
            with clear_disk_errors(target):
                scratch.mkdir(parents=True)
                with (scratch / _TABLE).open("w", encoding="utf-8", newline="") as file:
                    table = csv.writer(file, lineterminator="\n")
                    table.writerow(["file_name", *self.fields])
                    for sample in shard.samples():
                        size += (scratch / sample.file_name).write_bytes(sample.image)
                        count += 1
                        table.writerow([sample.file_name, *sample.values])
                flush_to_disk(scratch / _TABLE)
                if target.exists():  # of another attempt, or of a shard that was another one
                    shutil.rmtree(target)
                os.replace(scratch, target)
                flush_to_disk(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        name = f"{shard.split}/{shard.stem}/"
        return Written([f"{name}{_TABLE}"], {"images": count, "bytes": size})

    def is_intact(self, receipt: Receipt) -> bool:
        """Return whether all images are there, too, by their number and the sum of their sizes."""
        (name,) = receipt.files
        try:
            with os.scandir((self.folder.folder / name).parent) as entries:
                sizes = [entry.stat().st_size for entry in entries if entry.name != _TABLE]
        except OSError:
            return False
        is_complete = (len(sizes), sum(sizes)) == (receipt.more["images"], receipt.more["bytes"])
        return is_complete and super().is_intact(receipt)

    def data_folders(self, splits: Iterable[str]) -> list[Path]:
        """Return the folders of the splits."""
        return [self.folder.folder / split for split in splits]
