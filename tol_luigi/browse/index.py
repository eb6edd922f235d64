"""The index of a dataset, opened: any row of it at once, whatever the size of the dataset."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.browse.image_ids import SortedIds, as_words, spelt
from tol_luigi.browse.index_build import COLUMNS, FORMAT, RECEIPT, build_index, index_key
from tol_luigi.browse.query import REPEATING
from tol_luigi.browse.taxa import NAMES
from tol_luigi.core.errors import DiskError
from tol_luigi.core.ledger import State
from tol_luigi.core.receipts import read_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.browse.image_ids import Numbers
    from tol_luigi.core.layout import Layout

__all__ = ["Index", "Kind", "cache_folder", "open_index"]

_SMALL = 1 << 16
"""Files of fewer bytes are read, not mapped."""


@dataclass(frozen=True)
class Kind:
    """What many rows have in common.

    Attributes:
        split: The split, "" for an image that was rejected before the splits.
        source: The source.
        state: The state in the ledger.
    """

    split: str
    source: str
    state: str


def cache_folder() -> Path:
    """Return the folder of the user in which indexes are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "tol_luigi", "browse")


def open_index(layout: Layout, cache: Path, progress: Callable[[int], None] = lambda _: None) -> Index:
    """Open the index of a dataset; make it if it is missing, damaged or of another state of the dataset.

    Args:
        layout: The paths of the dataset.
        cache: The folder in which indexes are kept; the index has a folder of its own in it.
        progress: Called with the number of indexed rows so far.

    Raises:
        DamagedError: A file of the dataset is missing or damaged.
        DiskError: The index cannot be written.
    """
    key = index_key(layout)
    folder = cache / key
    if not _is_complete(folder, key):
        try:
            build_index(folder, layout, key, progress)
        except DiskError as error:
            raise DiskError(
                error.where, error.what, "Name another folder with --cache, or make space"
            ) from error
    return Index(folder)


def _is_complete(folder: Path, key: str) -> bool:
    receipt = read_receipt(folder / RECEIPT)
    return (
        receipt is not None
        and (receipt.task, receipt.settings) == (f"tol browse {FORMAT}", key)
        and all(record.has_size(folder / name) for name, record in receipt.files.items())
    )


class Index:
    """The index of a dataset.

    Args:
        folder: The folder of the index, which must be complete.

    Attributes:
        key: The SHA-256 that identifies the content of the dataset.
        rows: The number of rows.
        kinds: What the numbers in ``kind`` mean.
    """

    def __init__(self, folder: Path) -> None:
        receipt = read_receipt(folder / RECEIPT)
        assert receipt is not None  # noqa: S101 (the caller has checked it)
        self.key = receipt.settings
        self.rows: int = receipt.more["rows"]
        self.kinds = [Kind(*kind) for kind in receipt.more["kinds"]]
        self._partitions: list[str] = receipt.more["partitions"]
        columns: dict[str, Any] = {name: _mapped(folder / f"{name}.npy") for name in COLUMNS}
        self.ids, self.taxon, self.kind = columns["ids"], columns["taxon"], columns["kind"]
        self._partition, self.shard, self.position = (
            columns[name] for name in ("partition", "shard", "position")
        )
        self.by_id = SortedIds(self.ids, columns["order"], columns["sorted"])
        self.taxa = _table(folder / "taxa.arrow")
        self._rejected = _table(folder / "rejected.arrow")

    def record(self, row: int) -> dict[str, Any]:
        """Return what is known of a row: id, names, kind, and the place of its sample, or file and reason."""
        kind, taxon = self.kinds[self.kind[row]], int(self.taxon[row])
        found = {
            "row": row,
            "id": spelt(self.ids[row]),
            "split": kind.split,
            "source": kind.source,
            "state": kind.state,
            "partition": self._partitions[self._partition[row]],
            "shard": int(self.shard[row]),
            "position": int(self.position[row]),
            **{name: self.taxa[name][taxon].as_py() for name in NAMES},
        }
        if kind.state != State.WRITTEN:
            rejected = self._rejected.slice(found["position"], 1).to_pylist()[0]
            found |= {"file": rejected["name"], "reason": rejected["reason"], "position": -1}
        return found

    @functools.cached_property
    def repeated_rows(self) -> Numbers:
        """The rows of samples that repeat those of another split."""
        repeats = np.array([kind.split == REPEATING for kind in self.kinds], bool)
        return np.flatnonzero(repeats[self.kind]) if len(repeats) else np.empty(0, np.int64)

    def rejected_rows(self, text: str) -> Numbers:
        """Return the rows of images without a sample whose file name contains a text."""
        contain = pc.match_substring(self._rejected["name"], text)
        first = self.rows - len(self._rejected)
        return first + np.flatnonzero(np.asarray(contain, bool))

    def row_of(self, image: str) -> int:
        """Return the row of an image id, -1 if the dataset does not have it."""
        return int(self.by_id.first_rows(as_words(pa.array([image])))[0])

    def first_rows(self, rows: Numbers, other: Index) -> Numbers:
        """Return the row of this index for the images in rows of another one, -1 if it does not have the image."""
        return self.by_id.first_rows(np.asarray(other.ids[rows]).reshape(-1, 2))


def _mapped(path: Path) -> Any:  # noqa: ANN401 (an array of any type)
    """Return a column, which is read as it is needed."""
    # An empty file cannot be mapped.
    is_small = path.stat().st_size < _SMALL
    return np.asarray(np.load(path, mmap_mode=None if is_small else "r", allow_pickle=False))


def _table(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()
