"""Export the shards of a dataset: what is finished is kept, and what is missing is converted."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.errors import DatasetError
from tol_luigi.core.export_folder import ExportFolder
from tol_luigi.core.files import clear_disk_errors
from tol_luigi.core.layout import Layout
from tol_luigi.core.receipts import Receipt, read_receipt, record_files
from tol_luigi.dataset.exports.formats import export_format
from tol_luigi.dataset.exports.samples import fields_of, shards_to_export
from tol_luigi.report.card import configs_header

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tol_luigi.dataset.exports.formats import ExportFormat
    from tol_luigi.dataset.exports.samples import ShardToExport
    from tol_luigi.dataset.opened import Dataset

__all__ = ["Exported", "export"]

_RECEIPTS = ".export"


class Exported(NamedTuple):
    """What an export has done.

    Attributes:
        samples: The samples of the export.
        shards: Its shards.
        written: The shards that were converted this time.
    """

    samples: int
    shards: int
    written: int


def export(
    dataset: Dataset,
    name: str,
    destination: Path,
    *,
    splits: Sequence[str] = (),
    jobs: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Convert the shards of a dataset into a folder, without decoding images.

    Args:
        dataset: The dataset.
        name: The format, one of :data:`~tol_luigi.dataset.exports.formats.FORMATS`.
        destination: The folder; it may have an earlier export in this format, but nothing else.
        splits: The splits and selections; by default all splits.
        jobs: How many shards to convert at a time.
        progress: Called with the number of samples of each shard that is finished.

    Raises:
        DatasetError: A split is unknown, or a library is not installed.
        SettingsError: The folder has other files.
        ShardError: A shard is missing or damaged. What is finished is kept.
    """
    shards, fields = shards_to_export(dataset, splits), fields_of(dataset)
    chosen = export_format(name)
    target = chosen(ExportFolder(destination, name, "DEST"), fields)
    with _locked(destination):
        is_new: list[bool] = []

        def convert(shard: ShardToExport) -> Receipt:
            receipt, is_written = _converted(target, shard)
            is_new.append(is_written)
            progress(shard.record.samples)
            return receipt

        with ThreadPoolExecutor(jobs) as pool:
            try:
                receipts = list(pool.map(convert, shards))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        _finish(target, shards, receipts, Layout.of_record(dataset.path, dataset.settings).licenses)
    return Exported(sum(shard.record.samples for shard in shards), len(shards), sum(is_new))


@contextlib.contextmanager
def _locked(destination: Path) -> Iterator[None]:
    """Have the folder of an export for this process alone.

    Raises:
        DatasetError: Another process writes into it.
    """
    receipts = destination / _RECEIPTS
    with clear_disk_errors(receipts):
        receipts.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(receipts, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        what = "another process writes an export into it"
        raise DatasetError(destination, what, "Wait for its end, or name another folder") from error
    finally:
        os.close(descriptor)


def _converted(target: ExportFormat, shard: ShardToExport) -> tuple[Receipt, bool]:
    """Return the receipt of a shard, and whether it was converted now."""
    root = target.folder.folder
    path = _receipt_of(target.folder, shard)
    identity = hashlib.sha256(json.dumps(target.identity(shard)).encode()).hexdigest()
    inputs = {f"{shard.split}/{shard.record.name}": shard.record.sha256}
    known = read_receipt(path)
    if known and (known.settings, known.inputs) == (identity, inputs) and target.is_intact(known):
        return known, False
    written = target.write(shard)
    files = record_files(root, [root / name for name in written.files])
    receipt = Receipt(
        f"export {target.name} {shard.split}/{shard.stem}", identity, inputs, files, written.more
    )
    receipt.write(path)
    return receipt, True


def _finish(
    target: ExportFormat, shards: Sequence[ShardToExport], receipts: Sequence[Receipt], licenses: Path
) -> None:
    """Write what belongs to several shards, and remove what an earlier export alone has written."""
    folder = target.folder
    by_split: dict[str, list[Receipt]] = {}
    for shard, receipt in zip(shards, receipts, strict=True):
        by_split.setdefault(shard.split, []).append(receipt)
        folder.keep(f"{name.partition('/')[0]}/" for name in receipt.files)
    for split, finished in by_split.items():
        target.finish(split, finished)
    if licenses.is_file():
        with folder.write(licenses.name) as scratch:
            shutil.copyfile(licenses, scratch)
    if target.patterns:
        patterns = {split: target.patterns.format(split=split) for split in by_split}
        digest = hashlib.sha256("".join(receipt.digest for receipt in receipts).encode()).hexdigest()
        with folder.write("README.md") as scratch:
            scratch.write_text(f"{configs_header(patterns, digest)}\n", encoding="utf-8")
    files = [
        folder.folder / name for name in [*folder.files, *(name for one in receipts for name in one.files)]
    ]
    _remove_others(target.data_folders(by_split), {path for file in files for path in (file, *file.parents)})
    notes = folder.folder / _RECEIPTS
    wanted = {notes / shard.split for shard in shards} | {_receipt_of(folder, shard) for shard in shards}
    _remove_others([notes, *(notes / split for split in by_split)], wanted)
    folder.finish()


def _receipt_of(folder: ExportFolder, shard: ShardToExport) -> Path:
    return folder.folder / _RECEIPTS / shard.split / f"{shard.stem}.json"


def _remove_others(data_folders: Sequence[Path], wanted: Collection[Path]) -> None:
    """Remove what other exports, and attempts that were killed, have left in folders that have nothing but the export."""
    for data in filter(Path.is_dir, data_folders):
        for path in set(data.iterdir()).difference(wanted):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
