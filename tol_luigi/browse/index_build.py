"""Build the index of a dataset: columns of fixed width, which are read from disk as they are needed.

The catalog is made for scans. A page of images of one taxon is spread over its row groups, each of which takes
tens of milliseconds to decode. The index takes 40 bytes per image and gives any row at once. It is made when a
dataset is opened for the first time.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.browse.image_ids import as_words
from tol_luigi.browse.query import REPEATING
from tol_luigi.browse.taxa import TaxonTable, distinct_rows, write_table
from tol_luigi.core.files import committed, remove_leftovers
from tol_luigi.core.ledger import State
from tol_luigi.core.receipts import Receipt, record_files
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.reading import reading
from tol_luigi.store.row_groups import Rows, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.layout import Layout

__all__ = ["COLUMNS", "FORMAT", "RECEIPT", "build_index", "index_key"]

FORMAT = 1
"""The version of the files of the index."""

RECEIPT = "receipt.json"

COLUMNS: dict[str, np.dtype[Any]] = {
    "ids": np.dtype(np.uint64),
    "sorted": np.dtype(np.uint64),
    "order": np.dtype(np.int32),
    "taxon": np.dtype(np.int32),
    "kind": np.dtype(np.uint16),
    "partition": np.dtype(np.int32),
    "shard": np.dtype(np.int32),
    "position": np.dtype(np.int32),
}
"""The columns by name. ``ids`` has two numbers per row. ``order`` has the rows with an id, each image once,
in the order of the ids, and ``sorted`` the first halves of these. ``kind`` and ``partition`` are numbers in
lists of the receipt. For a row without a sample, ``shard`` is -1 and ``position`` its row in the rejected."""

_SORTED = {"sorted", "order"}
_REASONS = ["id", "source", "partition", "name", "state", "reason"]
_CATALOG = ["treeoflife_id", *RANK_LABELS, "common", "split", "source", "partition", "shard", "position"]
_NAMES = ["treeoflife_id", *RANK_LABELS, "common"]


class _Codes:
    """Numbers of distinct values, in the order of their first occurrence."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], int] = {}

    def of(self, rows: pa.Table) -> NDArray[np.int64]:
        """Return the number of each row of a table of texts."""
        codes, firsts = distinct_rows(rows)
        distinct = [
            tuple(text or "" for text in row.values()) for row in rows.take(pa.array(firsts)).to_pylist()
        ]
        return np.array([self.values.setdefault(row, len(self.values)) for row in distinct], np.int64)[codes]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(column.cast(pa.string()), "")


def index_key(layout: Layout) -> str:
    """Return the SHA-256 that identifies what an index is made from.

    The manifest has the digests of all files. If files are missing, as in a partial copy, the index has less.

    Raises:
        DamagedError: The manifest is missing.
    """
    with reading(layout.manifest):
        digest = hashlib.sha256(layout.manifest.read_bytes())
    for path in (layout.catalog, layout.predicted, *(path for _, path in _ledgers(layout))):
        size = path.stat().st_size if path.exists() else -1
        digest.update(f"{path.relative_to(layout.directory)} {size}\n".encode())
    return digest.hexdigest()


def build_index(folder: Path, layout: Layout, key: str, progress: Callable[[int], None]) -> None:
    """Write the index of a dataset into a folder; its receipt last.

    Args:
        folder: The folder.
        layout: The paths of the dataset.
        key: The key of the index.
        progress: Called with the number of rows so far.

    Raises:
        DamagedError: A file of the dataset is missing or damaged.
    """
    remove_leftovers(folder, time.time())
    rejected = _rejected(layout)
    with reading(layout.catalog):
        rows = pq.read_metadata(layout.catalog).num_rows + len(rejected)
    taxa, kinds, partitions = TaxonTable(), _Codes(), _Codes()
    firsts, repeats, done = [np.empty(0, np.uint64)], [np.empty(0, bool)], 0
    with contextlib.ExitStack() as stack:

        def column(name: str, *shape: int) -> Callable[[NDArray[Any]], None]:
            return stack.enter_context(_column(folder / f"{name}.npy", COLUMNS[name], shape))

        write = {
            name: column(name, rows, *([2] if name == "ids" else []))
            for name in COLUMNS
            if name not in _SORTED
        }
        for piece in _pieces(layout, rejected):
            ids = as_words(piece["treeoflife_id"])
            firsts.append(ids[:, 0].copy())
            repeats.append(np.asarray(pc.equal(_plain(piece["split"]), REPEATING)))
            write["ids"](ids)
            write["taxon"](taxa.add(piece.select([*RANK_LABELS, "common"])))
            write["kind"](kinds.of(piece.select(["split", "source", "state"])))
            write["partition"](partitions.of(piece.select(["partition"])))
            for name in ("shard", "position"):
                write[name](piece[name].to_numpy())
            progress(done := done + len(piece))
        first = np.concatenate(firsts)
        with_id = np.flatnonzero((first != 0) & ~np.concatenate(repeats))
        order = with_id[np.argsort(first[with_id], kind="stable")]
        column("sorted", len(order))(first[order])
        column("order", len(order))(order)
    taxa.write(folder / "taxa.arrow")
    write_table(folder / "rejected.arrow", rejected.select(["name", "reason"]))
    files = record_files(folder, sorted([*folder.glob("*.npy"), *folder.glob("*.arrow")]))
    more = {
        "rows": rows,
        "kinds": [list(kind) for kind in kinds.values],
        "partitions": [name for (name,) in partitions.values],
    }
    Receipt(f"tol browse {FORMAT}", key, {}, files, more).write(folder / RECEIPT)


@contextlib.contextmanager
def _column(
    path: Path, kind: np.dtype[Any], shape: tuple[int, ...]
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write a column atomically; yield a function that appends values.

    It is not mapped while it is written: on a full disk, that would end the process.
    """
    with committed(path) as scratch, scratch.open("wb") as file:
        description = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, description)

        def append(values: NDArray[Any]) -> None:
            file.write(np.ascontiguousarray(values, kind).tobytes())

        yield append


def _pieces(layout: Layout, rejected: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of the catalog, then those of the images without a sample."""
    with reading(layout.catalog):
        for piece in pieces(layout.catalog, _CATALOG):
            yield piece.append_column("state", pa.array([State.WRITTEN.value] * len(piece), pa.string()))
    if len(rejected):
        numbers = pa.array(np.arange(len(rejected), dtype=np.int32))
        nowhere = pa.array(np.full(len(rejected), -1, np.int32))
        table = rejected.rename_columns({"id": "treeoflife_id"})
        named = _named(layout, table)
        yield named.append_column("shard", nowhere).append_column("position", numbers)


def _rejected(layout: Layout) -> pa.Table:
    """Read the rows of all images without a sample from the ledgers, in the order of the ledgers."""
    tables = []
    for split, path in _ledgers(layout):
        with reading(path), Rows(path) as ledger:
            states = ledger.rows({}, ["state"])["state"]
            others = pc.unique(pc.filter(states, pc.not_equal(states, State.WRITTEN.value))).to_pylist()
            if others:
                rows = ledger.rows({"state": others}, _REASONS)
                tables.append(rows.append_column("split", pa.array([split] * len(rows), pa.string())))
    schema = pa.schema([(name, pa.string()) for name in [*_REASONS, "split"]])
    return pa.concat_tables(
        [schema.empty_table(), *(table.cast(schema) for table in tables)]
    ).combine_chunks()


def _ledgers(layout: Layout) -> Iterator[tuple[str, Path]]:
    """Yield the split and the path of each ledger; train_small has no images of its own."""
    for path in (layout.mapping_ledger, layout.names_ledger):
        if path.exists():
            yield "", path
    records = layout.shards / "records"
    for path in sorted(records.glob("*/*/*.ledger.parquet")):
        split = path.relative_to(records).parts[0]
        if split in {"train", "val"}:
            yield split, path


def _named(layout: Layout, rejected: pa.Table) -> pa.Table:
    """Add the names that the predicted catalog has for images without a sample."""
    ids = rejected["treeoflife_id"]
    wanted = pc.unique(ids.filter(pc.not_equal(ids, "")).combine_chunks())
    found = []
    if layout.predicted.exists() and len(wanted):
        with reading(layout.predicted):
            for piece in pieces(layout.predicted, _NAMES):
                hits = piece.filter(pc.is_in(piece["treeoflife_id"], value_set=wanted))
                found.append(pa.table({name: _plain(hits[name]) for name in _NAMES}))
    schema = pa.schema([(name, pa.string()) for name in _NAMES])
    names = pa.concat_tables([schema.empty_table(), *found]).combine_chunks()
    at = pc.index_in(ids, value_set=names["treeoflife_id"].combine_chunks())
    for name in [*RANK_LABELS, "common"]:
        rejected = rejected.append_column(name, pc.fill_null(pc.take(names[name], at), ""))
    return rejected
