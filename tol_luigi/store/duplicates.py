"""Images whose files are the same, byte for byte: found by SHA-256 in memory that hardly grows with the dataset.

Which image of a group comes first is a rule of its own (:func:`find_duplicates`), so it depends neither on
the order of the images, nor on who looks.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed, scratch_beside
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.row_groups import Rows, pieces
from tol_luigi.store.runs import begins_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.store.reconciliation import Ledger

    Images = Callable[[], Iterable[pa.Table]]

__all__ = [
    "Firsts",
    "find_duplicates",
    "foretold_images",
    "mark_duplicates",
    "read_firsts",
    "with_ranks",
    "write_digests",
    "write_duplicates",
    "written_images",
]

_IMAGES = pa.schema([(name, pa.string()) for name in ("sha256", "id", "split", "source", "partition")])
_DIGESTS = pa.schema([("position", pa.int64()), ("sha256", pa.string())])
_FORETOLD = ["treeoflife_id", "split", "source", "partition", "position", "excluded"]


def find_duplicates(images: Images, sources: Sequence[str]) -> pa.Table:
    """Find the images that share their bytes with others.

    The first of a group is an image of val, if there is one, so that what is held out stays held out; then one of
    the source that comes first in the catalogs; then the one with the lowest id.

    Eight bytes an image are held for all of them, the rest for duplicates only.

    Args:
        images: Gives the images, some at a time and anew at each call (there are two): ``sha256``, ``id``,
            ``split``, ``source`` and ``partition``.
        sources: The sources, in the order of the catalogs.

    Returns:
        Those columns and ``first``, the id of the group's first; a row for each image that shares its bytes, groups
        in the order of their hashes and each in that of the rule.
    """
    repeated = _repeated([_beginnings(table["sha256"]) for table in images()])
    alike = [
        table.select(_IMAGES.names).filter(_are_in(repeated, _beginnings(table["sha256"]))).cast(_IMAGES)
        for table in images()
    ]
    return _grouped(pa.concat_tables([_IMAGES.empty_table(), *alike]), sources)


def _beginnings(hashes: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Give the first 64 bits of each hash: enough to leave aside nearly everything that occurs once."""
    if not len(hashes):
        return np.empty(0, np.uint64)
    digits = pc.utf8_slice_codeunits(hashes.combine_chunks(), 0, 16).buffers()[2]  # one after the other
    return np.frombuffer(bytes.fromhex(digits.to_pybytes().decode()), dtype=">u8").astype(np.uint64)


def _repeated(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Give the numbers that occur more than once."""
    numbers = np.concatenate([np.empty(0, np.uint64), *pieces])
    numbers.sort()
    return np.unique(numbers[1:][numbers[1:] == numbers[:-1]])


def _are_in(known: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Tell which numbers are among known ones, which are in order: ``np.isin`` would sort them for each piece."""
    if not len(known):
        return np.zeros(len(numbers), bool)
    places = np.searchsorted(known, numbers).clip(max=len(known) - 1)
    found: np.ndarray = known[places] == numbers
    return found


def _grouped(images: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Put groups together, each in the order of the rule, and drop images that are alone in theirs."""
    ranked = images.append_column("is_train", pc.not_equal(images["split"], "val"))
    ranked = ranked.append_column(
        "rank", pc.index_in(images["source"], value_set=pa.array(sources, pa.string()))
    )
    keys = [(key, "ascending") for key in ("sha256", "is_train", "rank", "id")]
    images = ranked.sort_by(keys).select(_IMAGES.names)
    starts, sizes = _bounds(images["sha256"])
    first = images["id"].take(pa.array(np.repeat(starts, sizes)))
    return images.add_column(1, "first", first).filter(np.repeat(sizes > 1, sizes))


def _bounds(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Give start and size of each run of equal values."""
    starts = np.flatnonzero(begins_run(column))
    return starts, np.diff(np.append(starts, len(column)))


def written_images(ledgers: Iterable[Ledger]) -> Iterator[pa.Table]:
    """Give the written images as :func:`find_duplicates` takes them; train_small repeats train, and does not count."""
    for ledger in ledgers:
        if ledger.split != "train_small":
            rows = read_ledger(ledger.path, ["sha256", "id", "source", "partition"], state=State.WRITTEN)
            yield rows.append_column("split", pa.repeat(pa.scalar(ledger.split), len(rows)))


def foretold_images(predicted: Path, digests: Callable[[str, str], Path]) -> Iterator[pa.Table]:
    """Give the images to be written, and those left out as duplicates of them, as :func:`find_duplicates` takes them.

    Args:
        predicted: A predicted catalog.
        digests: Gives the file of :func:`write_digests` for a source and partition.
    """
    wanted = pa.array(["", str(State.DUPLICATE)])
    for piece in pieces(predicted, _FORETOLD):
        if not len(piece):  # of a partition in which nothing has a name
            continue
        about = piece["source"][0].as_py(), piece["partition"][0].as_py()  # a row group holds one partition
        rows = piece.filter(pc.is_in(piece["excluded"], value_set=wanted)).rename_columns(
            {_FORETOLD[0]: "id"}
        )
        known = pq.read_table(digests(*about))
        hashes = known["sha256"].take(pc.index_in(rows["position"], value_set=known["position"]))
        yield rows.append_column("sha256", hashes).filter(pc.is_valid(hashes)).select(_IMAGES.names)


def write_digests(path: Path, positions: Sequence[int], hashes: Sequence[str | None]) -> None:
    """Write the hashes of the files of one partition, whole or not at all; none for a file that cannot be read."""
    with committed(path) as scratch:
        pq.write_table(pa.table([positions, hashes], schema=_DIGESTS), scratch, compression="zstd")


def mark_duplicates(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    beside: Path,
    digests: Callable[[str, str], Path],
    sources: Sequence[str],
) -> Iterator[pa.Table]:
    """Mark in the tables of a predicted catalog which images are left out as duplicates: all but the first of a group.

    Images that are left out for another reason take no part, so that the one that stays really is there.

    Args:
        tables: One partition each.
        schema: Their columns.
        beside: The tables wait in a file beside this one until the last of them has been seen.
        digests: As :func:`foretold_images` takes it.
        sources: The sources, in the order of the catalogs.

    Yields:
        The tables, with ``excluded`` and ``exclusion`` filled in.
    """
    spool = scratch_beside(beside)
    try:
        with pq.ParquetWriter(spool, schema) as writer:
            for table in tables:
                writer.write_table(table.select(schema.names).cast(schema))
        found = Firsts(find_duplicates(lambda: foretold_images(spool, digests), sources))
        for table in pieces(spool):
            yield _marked(table, found)
    finally:
        with contextlib.suppress(FileNotFoundError):
            spool.unlink()


def _marked(table: pa.Table, found: Firsts) -> pa.Table:
    if not len(table):
        return table
    first = found.of(table["source"][0].as_py(), table["partition"][0].as_py(), table["treeoflife_id"])
    reason = pc.binary_join_element_wise("the same bytes as ", first, ", which stays", "")
    values = {
        "excluded": pc.if_else(pc.is_valid(first), str(State.DUPLICATE), table["excluded"]),
        "exclusion": pc.coalesce(reason, table["exclusion"]),
    }
    marked = table
    for name, column in values.items():
        marked = marked.set_column(table.schema.get_field_index(name), name, column)
    return marked.cast(table.schema)


def _by_partition(images: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """Part images by the source and partition that they lie in."""
    ordered = images.sort_by([("source", "ascending"), ("partition", "ascending")])
    starts, sizes = _bounds(pc.binary_join_element_wise(ordered["source"], ordered["partition"], "/"))
    parts = [ordered.slice(start, size) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    return {(part["source"][0].as_py(), part["partition"][0].as_py()): part for part in parts}


class Firsts:
    """Tells of images with the same bytes which one is the first of them, partition by partition.

    Args:
        duplicates: As :func:`find_duplicates` gives them.
    """

    def __init__(self, duplicates: pa.Table) -> None:
        self._others = _by_partition(duplicates.filter(pc.field("id") != pc.field("first")))

    def of(self, source: str, partition: str, ids: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Give for each image of a partition the id of the first with the same bytes.

        Args:
            source: The source's name.
            partition: The partition's name.
            ids: The images.

        Returns:
            An id for each image; null for a first one, and for one that shares its bytes with none.
        """
        others = self._others.get((source, partition))
        if others is None:
            return pa.nulls(len(ids), pa.string())
        return others["first"].take(pc.index_in(ids, value_set=others["id"]))


def with_ranks(duplicates: pa.Table, predicted: Path) -> pa.Table:
    """Add what the images are said to show: ``ranks``, the seven of them joined by ``|``; the order is kept."""
    known = [pa.table({"id": pa.array([], pa.string()), "ranks": pa.array([], pa.string())})]
    with Rows(predicted) as rows:
        for (source, partition), mine in _by_partition(duplicates).items():
            wanted = {"source": [source], "partition": [partition]}
            named = rows.rows(wanted, ["treeoflife_id", *RANK_LABELS])
            named = named.filter(pc.is_in(named["treeoflife_id"], value_set=mine["id"]))
            texts = [named[rank].cast(pa.string()).fill_null("") for rank in RANK_LABELS]
            ranks = pc.binary_join_element_wise(*texts, "|")
            known.append(pa.table({"id": named["treeoflife_id"], "ranks": ranks}))
    named = pa.concat_tables(known)
    return duplicates.append_column(
        "ranks", named["ranks"].take(pc.index_in(duplicates["id"], value_set=named["id"]))
    )


def write_duplicates(path: Path, duplicates: pa.Table) -> None:
    """Write what :func:`with_ranks` gives, whole or not at all."""
    with committed(path) as scratch:
        pq.write_table(duplicates, scratch, compression="zstd")


def read_firsts(path: Path) -> Firsts:
    """Read what :func:`write_duplicates` has written."""
    return Firsts(pq.read_table(path, columns=["first", "id", "source", "partition"]))
