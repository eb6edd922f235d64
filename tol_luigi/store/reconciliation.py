"""Mapping and ledger held against each other, and the final catalog made of both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (a dataclass field)
from typing import TYPE_CHECKING, Any

import peewee
import pyarrow as pa
import pyarrow.compute as pc

from tol_luigi.core.errors import LedgerError
from tol_luigi.core.ledger import State
from tol_luigi.store.catalogs import partition_rows
from tol_luigi.store.databases import opened
from tol_luigi.store.duplicates import firsts
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.models import Partition, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tol_luigi.store.server import Server

__all__ = ["Ledger", "count_states", "final_tables", "reconcile"]

_SHOWN = 5
_REMEDY = "Delete the receipt and the ledger of that partition and run the same command again"


@dataclass(frozen=True)
class Ledger:
    """The ledger of one (split, source, partition), and where it lies."""

    split: str
    source: str
    partition: str
    path: Path


def reconcile(mapping: Path | Server, predicted: Path, names_ledger: Path, ledgers: Sequence[Ledger]) -> None:
    """See that every image of the mapping has exactly one end.

    Args:
        mapping: The mapping.
        predicted: The predicted catalog.
        names_ledger: The ledger of what has no name.
        ledgers: Those of all shards; train_small, which repeats images of train, does not count.

    Raises:
        LedgerError: Some images are accounted for twice, or not at all; the message names the first of them.
    """
    expected = _placed(mapping)
    counted = Counter[tuple[str, str]]()
    unnamed = read_ledger(names_ledger, ["source", "partition"])
    for row in unnamed.group_by(["source", "partition"]).aggregate([([], "count_all")]).to_pylist():
        counted[row["source"], row["partition"]] += row["count_all"]
    for ledger in ledgers:
        if ledger.split != "train_small":
            counted[ledger.source, ledger.partition] += _agreeing(predicted, ledger)
    for place, count in expected.items():
        if counted[place] != count:
            what = f"the mapping has {count} images of it, the ledger {counted[place]}"
            raise LedgerError("/".join(place), what, _REMEDY)


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


def _agreeing(predicted: Path, ledger: Ledger) -> int:
    """Count the images of a ledger, when they are those that were foretold."""
    foretold = partition_rows(predicted, ledger.source, ledger.partition, ["split", "treeoflife_id"])
    wanted = foretold.filter(pc.equal(foretold["split"], ledger.split))["treeoflife_id"]
    found = read_ledger(ledger.path, ["id"])["id"]
    problems = {
        "not accounted for": wanted.filter(pc.invert(pc.is_in(wanted, value_set=found))),
        "accounted for without being foretold": found.filter(pc.invert(pc.is_in(found, value_set=wanted))),
    }
    if len(pc.unique(found)) != len(found):
        counts = pc.value_counts(found)
        problems["accounted for twice"] = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    for what, ids in problems.items():
        if len(ids):
            first = ", ".join(ids.slice(0, _SHOWN).to_pylist())
            raise LedgerError(ledger.path, f"{len(ids)} images are {what}: {first}", _REMEDY)
    return len(found)


def final_tables(
    predicted: Path, ledgers: Iterable[Ledger], duplicates: pa.Table | None = None
) -> Iterator[pa.Table]:
    """Join the written samples with what they show.

    Args:
        predicted: The predicted catalog.
        ledgers: Those of all shards, in the order of the catalog.
        duplicates: Which images have the same bytes, if that is known.

    Yields:
        The samples of one ledger each, in the order of the shards; empty ones are passed over.
    """
    for ledger in ledgers:
        written = read_ledger(ledger.path, state=State.WRITTEN)
        if not written.num_rows:
            continue
        written = written.sort_by([("shard", "ascending"), ("position", "ascending")])
        shown = partition_rows(predicted, ledger.source, ledger.partition).drop_columns(["split", "position"])
        joined = shown.take(pc.index_in(written["id"], value_set=shown["treeoflife_id"]))
        for name in ("shard", "position", "width", "height", "mode", "format", "flags", "sha256", "md5"):
            joined = joined.append_column(name, written[name])
        joined = joined.append_column("duplicate_of", _firsts(duplicates, ledger, joined["treeoflife_id"]))
        yield joined.append_column("split", pa.array([ledger.split] * len(joined), pa.string()))


def _firsts(duplicates: pa.Table | None, ledger: Ledger, ids: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Give for each image the first one with the same bytes, null where there is none before it."""
    if duplicates is None:
        return pa.nulls(len(ids), pa.string())
    return firsts(duplicates, ledger.source, ledger.partition, ids)


def count_states(paths: Iterable[Path]) -> Counter[tuple[str, str]]:
    """Count the rows of ledger files by state and source."""
    counts = Counter[tuple[str, str]]()
    for path in paths:
        grouped = (
            read_ledger(path, ["state", "source"])
            .group_by(["state", "source"])
            .aggregate([([], "count_all")])
        )
        counts.update({(row["state"], row["source"]): row["count_all"] for row in grouped.to_pylist()})
    return counts
