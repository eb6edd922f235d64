"""Exact duplicates: images with identical files, found by SHA-256.

A fixed rule (:func:`find_duplicates`) determines the first image of a group, so the result depends neither on
the order of the images nor on the process that searches.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed, scratch_path
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.row_groups import Rows, pieces
from tol_luigi.store.runs import are_in, begins_run
from tol_luigi.store.spools import leading_numbers, spooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.store.reconciliation import Ledger

    Images = Callable[[], Iterable[pa.Table]]

__all__ = [
    "DuplicateIndex",
    "exclude_all_but_first",
    "expected_images",
    "find_duplicates",
    "mark_duplicates",
    "read_duplicate_index",
    "with_ranks",
    "write_digests",
    "write_duplicates",
    "written_images",
]

_IMAGES = pa.schema([(name, pa.string()) for name in ("sha256", "id", "split", "source", "partition")])
_DIGESTS = pa.schema([("position", pa.int64()), ("sha256", pa.string())])
_NUMBERS = pa.schema([("number", pa.uint64())])
_PART_BITS = 8
"""The bits of a hash that decide on its part: the numbers of one part are compared at a time."""

_EXPECTED = ["treeoflife_id", "split", "source", "partition", "position", "excluded"]


def find_duplicates(images: Images, sources: Sequence[str], output: Path) -> pa.Table:
    """Return the images that are exact duplicates of others.

    The first image of a group is one of val, if any, so that held-out images stay held out; then one of the
    first source in the given order; then the one with the lowest id.

    The memory is that of the complete rows of duplicates; eight bytes per image are in a scratch file if there are millions.

    Args:
        images: Returns the images in tables, from the start at each of two calls: ``sha256``, ``id``,
            ``split``, ``source`` and ``partition``.
        sources: The sources, in order.
        output: The file to be written; the scratch file is in its folder.

    Returns:
        These columns and ``first``, the id of the first image of the group. There is one row per image of a
        group; groups are ordered by hash, and the images of a group by the rule.
    """
    repeated = _repeated((leading_numbers(table["sha256"]) for table in images()), output)
    alike = [
        table.select(_IMAGES.names).filter(are_in(repeated, leading_numbers(table["sha256"]))).cast(_IMAGES)
        for table in images()
    ]
    return _grouped(pa.concat_tables([_IMAGES.empty_table(), *alike]), sources)


def _repeated(pieces: Iterable[NDArray[np.uint64]], output: Path) -> NDArray[np.uint64]:
    """Return the numbers that occur more than once, in order.

    The numbers are the first 64 bits of hashes, which suffice to exclude nearly all unique images.
    """
    found = [np.empty(0, np.uint64)]
    with spooled(output, _NUMBERS) as spool:
        for piece in pieces:
            spool.add(
                pa.table([piece], schema=_NUMBERS), (piece >> np.uint64(64 - _PART_BITS)).astype(np.int64)
            )
        for part in range(1 << _PART_BITS):
            numbers = np.sort(spool.part(part)["number"].to_numpy())
            found.append(np.unique(numbers[1:][numbers[1:] == numbers[:-1]]))
    return np.concatenate(found)


def _grouped(images: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Sort images into groups, each in the order of the rule, and drop groups of one image."""
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
    """Return start and size of each run of equal values."""
    starts = np.flatnonzero(begins_run(column))
    return starts, np.diff(np.append(starts, len(column)))


def written_images(ledgers: Iterable[Ledger]) -> Iterator[pa.Table]:
    """Yield the written images for :func:`find_duplicates`, without train_small, which repeats train."""
    for ledger in ledgers:
        if ledger.split != "train_small":
            rows = read_ledger(ledger.path, ["sha256", "id", "source", "partition"], state=State.WRITTEN)
            yield rows.append_column("split", pa.repeat(pa.scalar(ledger.split), len(rows)))


def expected_images(predicted: Path, digests: Callable[[str, str], Path]) -> Iterator[pa.Table]:
    """Yield the images to write, and the excluded duplicates of them, for :func:`find_duplicates`.

    Args:
        predicted: A predicted catalog.
        digests: Returns the file of :func:`write_digests` for a source and partition.
    """
    wanted = pa.array(["", str(State.DUPLICATE)])
    for piece in pieces(predicted, _EXPECTED):
        if not len(piece):  # no image of the partition has a name
            continue
        # a row group contains one partition
        source, partition = piece["source"][0].as_py(), piece["partition"][0].as_py()
        rows = piece.filter(pc.is_in(piece["excluded"], value_set=wanted)).rename_columns(
            {_EXPECTED[0]: "id"}
        )
        known = pq.read_table(digests(source, partition))
        hashes = known["sha256"].take(pc.index_in(rows["position"], value_set=known["position"]))
        yield rows.append_column("sha256", hashes).filter(pc.is_valid(hashes)).select(_IMAGES.names)


def write_digests(path: Path, positions: Sequence[int], hashes: Sequence[str | None]) -> None:
    """Write the hashes of the files of one partition atomically; the hash of an unreadable file is None."""
    with committed(path) as scratch:
        pq.write_table(pa.table([positions, hashes], schema=_DIGESTS), scratch, compression="zstd")


def mark_duplicates(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    output: Path,
    digests: Callable[[str, str], Path],
    sources: Sequence[str],
) -> Iterator[pa.Table]:
    """Mark all but the first image of each group of duplicates as excluded in tables of a predicted catalog.

    Images that are excluded for another reason are ignored, so the first image of a group is always written.

    Args:
        tables: The tables, one per partition.
        schema: Their columns.
        output: The file to be written; the tables are spooled to a scratch file in its folder.
        digests: See :func:`expected_images`.
        sources: The sources, in the order of the catalogs.

    Yields:
        The tables, with ``excluded`` and ``exclusion`` filled in.
    """

    def find(spool: Path) -> DuplicateIndex:
        return DuplicateIndex(find_duplicates(lambda: expected_images(spool, digests), sources, output))

    verdict = State.DUPLICATE, "exact duplicate of {}, which is kept"
    return exclude_all_but_first(tables, schema, output, find, verdict)


def exclude_all_but_first(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    output: Path,
    find: Callable[[Path], DuplicateIndex],
    verdict: tuple[State, str],
) -> Iterator[pa.Table]:
    """Exclude all but the first image of each group, in tables of a predicted catalog.

    Args:
        tables: The tables, one per partition.
        schema: Their columns.
        output: The file to be written; the tables are spooled to a scratch file in its folder.
        find: Returns the groups, given the scratch file.
        verdict: The state of excluded images, and their reason with ``{}`` for the id of the first image.

    Yields:
        The tables, with ``excluded`` and ``exclusion`` filled in.
    """
    spool = scratch_path(output)
    try:
        with pq.ParquetWriter(spool, schema) as writer:
            for table in tables:
                writer.write_table(table.select(schema.names).cast(schema))
        found = find(spool)
        for table in pieces(spool):
            yield _marked(table, found, *verdict)
    finally:
        with contextlib.suppress(FileNotFoundError):
            spool.unlink()


def _marked(table: pa.Table, found: DuplicateIndex, state: State, reason: str) -> pa.Table:
    if not len(table):
        return table
    first = found.of(table["source"][0].as_py(), table["partition"][0].as_py(), table["treeoflife_id"])
    reasons = pc.binary_join_element_wise(*_around(reason, first), "")
    values = {
        "excluded": pc.if_else(pc.is_valid(first), str(state), table["excluded"]),
        "exclusion": pc.coalesce(reasons, table["exclusion"]),
    }
    marked = table
    for name, column in values.items():
        marked = marked.set_column(table.schema.get_field_index(name), name, column)
    return marked.cast(table.schema)


def _around(text: str, value: pa.ChunkedArray) -> tuple[Any, ...]:
    """Return the parts of a text with a value in the place of ``{}``."""
    before, _, after = text.partition("{}")
    return before, value, after


def _by_partition(images: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """Split images by source and partition."""
    ordered = images.sort_by([("source", "ascending"), ("partition", "ascending")])
    starts, sizes = _bounds(pc.binary_join_element_wise(ordered["source"], ordered["partition"], "/"))
    parts = [ordered.slice(start, size) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    return {(part["source"][0].as_py(), part["partition"][0].as_py()): part for part in parts}


class DuplicateIndex:
    """An index from duplicates to the first image of their group, by partition.

    Args:
        duplicates: The result of :func:`find_duplicates`.
    """

    def __init__(self, duplicates: pa.Table) -> None:
        self._others = _by_partition(duplicates.filter(pc.field("id") != pc.field("first")))

    def of(self, source: str, partition: str, ids: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Return the id of the first exact duplicate for each image of a partition.

        Args:
            source: The source's name.
            partition: The partition's name.
            ids: The ids of the images.

        Returns:
            An id for each image; null for the first image of a group and for an image without duplicates.
        """
        others = self._others.get((source, partition))
        if others is None:
            return pa.nulls(len(ids), pa.string())
        return others["first"].take(pc.index_in(ids, value_set=others["id"]))


def with_ranks(duplicates: pa.Table, predicted: Path) -> pa.Table:
    """Add the column ``ranks``, the seven ranks of each image joined by ``|``; the order is kept."""
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
    """Write the result of :func:`with_ranks` atomically."""
    with committed(path) as scratch:
        pq.write_table(duplicates, scratch, compression="zstd")


def read_duplicate_index(path: Path) -> DuplicateIndex:
    """Read the index from a file of :func:`write_duplicates`."""
    return DuplicateIndex(pq.read_table(path, columns=["first", "id", "source", "partition"]))
