"""Comparison of mapping and ledgers, and the final catalog as their join."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, Any

import numpy as np
import peewee
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.ledger import State
from tol_luigi.store.databases import opened
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.models import Partition, Place
from tol_luigi.store.row_groups import Rows, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tol_luigi.store.duplicates import DuplicateIndex
    from tol_luigi.store.server import Server

__all__ = ["Ledger", "count_states", "final_tables"]

_SHOWN = 5
_WORK_LIST_COLUMNS = {"class_index", "position", "is_train_small", "excluded", "exclusion"}
_IMAGE_METADATA = ("shard", "position", "width", "height", "mode", "format", "flags", "sha256", "md5")
_REMEDY = "Delete the receipt and the ledger of that partition and run the same command again"


@dataclass(frozen=True)
class Ledger:
    """The path of the ledger of one (split, source, partition)."""

    split: str
    source: str
    partition: str
    path: Path


def final_tables(
    mapping: Path | Server,
    predicted: Path,
    names_ledger: Path,
    ledgers: Sequence[Ledger],
    duplicates: DuplicateIndex | None = None,
) -> Iterator[pa.Table]:
    """Check that every image of the mapping has exactly one final state, and yield the final catalog.

    Args:
        mapping: The mapping.
        predicted: The predicted catalog.
        names_ledger: The ledger of images without a name.
        ledgers: The ledgers of all shards, in the order of the catalog; train_small is not compared, because
            it repeats images of train.
        duplicates: The index of exact duplicates, if known.

    Yields:
        The samples of one ledger with their labels, in the order of the shards; empty tables are skipped. The
        catalog is valid only if the iteration ends without an error.

    Raises:
        LedgerError: Some images are accounted for twice, or not at all; the message names the first ones.
    """
    counted = Counter[tuple[str, str]]()
    for unnamed in pieces(names_ledger, ["source", "partition"]):
        for row in unnamed.group_by(["source", "partition"]).aggregate([([], "count_all")]).to_pylist():
            counted[row["source"], row["partition"]] += row["count_all"]
    with Rows(predicted) as catalog:
        columns = [name for name in catalog.names if name not in _WORK_LIST_COLUMNS]
        for ledger in ledgers:
            expected = catalog.rows({"source": [ledger.source], "partition": [ledger.partition]}, columns)
            found = read_ledger(ledger.path, ["id", "state", *_IMAGE_METADATA])
            places = pc.index_in(found["id"], value_set=expected["treeoflife_id"])
            if ledger.split != "train_small":
                _validate_ids(ledger, expected, found["id"], places)
                counted[ledger.source, ledger.partition] += len(found)
            samples = _samples(ledger, expected, found.append_column("place", places), duplicates)
            if len(samples):
                yield samples
    _validate_counts(_placed(mapping), counted)


def _validate_counts(expected: dict[tuple[str, str], int], counted: Counter[tuple[str, str]]) -> None:
    """Compare the number of images in the mapping with the number in the ledgers, by partition."""
    for partition, count in expected.items():
        if counted[partition] != count:
            what = f"images of it in the mapping: {count}, in the ledger: {counted[partition]}"
            raise LedgerError("/".join(partition), what, _REMEDY)


def _placed(mapping: Path | Server) -> dict[tuple[str, str], int]:
    """Count the images of the mapping by source and partition."""
    with opened(mapping, [Partition, Place]):
        rows = (
            Partition.select(Partition.source, Partition.name, peewee.fn.COUNT(Place.position))
            .join(Place, on=(Place.partition == Partition.number))
            .group_by(Partition.number)
            .tuples()
        )
        return {(source, name): count for source, name, count in list[Any](rows)}


def _validate_ids(
    ledger: Ledger, expected: pa.Table, found: pa.ChunkedArray, places: pa.ChunkedArray
) -> None:
    """Check that a ledger contains each expected image once, and no others.

    Args:
        ledger: The ledger.
        expected: The rows of its partition in the predicted catalog.
        found: The ids in the ledger.
        places: The row of each id in ``expected``, null if there is none.
    """
    mine = pc.equal(expected["split"], ledger.split)
    times = np.bincount(places.drop_null().to_numpy(), minlength=len(expected))
    if not places.null_count and np.array_equal(times, mine.to_numpy()):
        return
    wanted = expected["treeoflife_id"].filter(mine)
    problems = {
        "not accounted for": wanted.filter(pc.invert(pc.is_in(wanted, value_set=found))),
        "accounted for but not expected": found.filter(pc.invert(pc.is_in(found, value_set=wanted))),
    }
    if len(pc.unique(found)) != len(found):
        counts = pc.value_counts(found)
        problems["accounted for twice"] = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    for what, ids in problems.items():
        if len(ids):
            first = ", ".join(ids.slice(0, _SHOWN).to_pylist())
            raise LedgerError(ledger.path, f"images {what}: {len(ids)} ({first})", _REMEDY)


def _samples(
    ledger: Ledger, expected: pa.Table, found: pa.Table, duplicates: DuplicateIndex | None
) -> pa.Table:
    """Join the written images of a ledger with their labels in the row ``place`` of ``expected``."""
    written = found.filter(pc.equal(found["state"], State.WRITTEN))
    written = written.sort_by([("shard", "ascending"), ("position", "ascending")])
    samples = expected.drop_columns(["split"]).take(written["place"])
    samples = samples.append_column("split", pa.repeat(ledger.split, len(samples)))
    for name in _IMAGE_METADATA:
        samples = samples.append_column(name, written[name])
    ids = samples["treeoflife_id"]
    first = (
        duplicates.of(ledger.source, ledger.partition, ids) if duplicates else pa.nulls(len(ids), pa.string())
    )
    return samples.append_column("duplicate_of", first)


def count_states(paths: Iterable[Path]) -> Counter[tuple[str, str]]:
    """Count the rows of ledger files by state and source."""
    counts = Counter[tuple[str, str]]()
    for path in paths:
        for rows in pieces(path, ["state", "source"]):
            grouped = rows.group_by(["state", "source"]).aggregate([([], "count_all")])
            counts.update({(row["state"], row["source"]): row["count_all"] for row in grouped.to_pylist()})
    return counts
