"""Mapping and ledger held against each other, and the final catalog made of both."""

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
from tol_luigi.store.row_groups import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tol_luigi.store.duplicates import Firsts
    from tol_luigi.store.server import Server

__all__ = ["Ledger", "count_states", "final_tables"]

_SHOWN = 5
_OF_THE_WORK_LIST = {"class_index", "position", "is_train_small", "excluded", "exclusion"}
_FACTS = ("shard", "position", "width", "height", "mode", "format", "flags", "sha256", "md5")
_REMEDY = "Delete the receipt and the ledger of that partition and run the same command again"


@dataclass(frozen=True)
class Ledger:
    """The ledger of one (split, source, partition), and where it lies."""

    split: str
    source: str
    partition: str
    path: Path


def final_tables(
    mapping: Path | Server,
    predicted: Path,
    names_ledger: Path,
    ledgers: Sequence[Ledger],
    duplicates: Firsts | None = None,
) -> Iterator[pa.Table]:
    """See that every image of the mapping has exactly one end, and join the written samples with what they show.

    Args:
        mapping: The mapping.
        predicted: The predicted catalog.
        names_ledger: The ledger of what has no name.
        ledgers: Those of all shards, in the order of the catalog; train_small, which repeats images of train, does
            not count.
        duplicates: Which images have the same bytes, if that is known.

    Yields:
        The samples of one ledger each, in the order of the shards; empty ones are passed over. They are the final
        catalog if all of them have been taken.

    Raises:
        LedgerError: Some images are accounted for twice, or not at all; the message names the first of them.
    """
    counted = Counter[tuple[str, str]]()
    unnamed = read_ledger(names_ledger, ["source", "partition"])
    for row in unnamed.group_by(["source", "partition"]).aggregate([([], "count_all")]).to_pylist():
        counted[row["source"], row["partition"]] += row["count_all"]
    with Rows(predicted) as foretold:
        columns = [name for name in foretold.names if name not in _OF_THE_WORK_LIST]
        for ledger in ledgers:
            shown = foretold.rows({"source": [ledger.source], "partition": [ledger.partition]}, columns)
            ended = read_ledger(ledger.path, ["id", "state", *_FACTS])
            places = pc.index_in(ended["id"], value_set=shown["treeoflife_id"])
            if ledger.split != "train_small":
                _refuse_differing(ledger, shown, ended["id"], places)
                counted[ledger.source, ledger.partition] += len(ended)
            samples = _samples(ledger, shown, ended.append_column("place", places), duplicates)
            if len(samples):
                yield samples
    _refuse_uncounted(_placed(mapping), counted)


def _refuse_uncounted(expected: dict[tuple[str, str], int], counted: Counter[tuple[str, str]]) -> None:
    """Compare how many images each partition has with how many have an end."""
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


def _refuse_differing(
    ledger: Ledger, shown: pa.Table, found: pa.ChunkedArray, places: pa.ChunkedArray
) -> None:
    """See that the images of a ledger are those that were foretold, each of them once.

    Args:
        ledger: Which it is.
        shown: All that was foretold of its partition.
        found: The ids in the ledger.
        places: The row of each in ``shown``, null where it is in none.
    """
    mine = pc.equal(shown["split"], ledger.split)
    times = np.bincount(places.drop_null().to_numpy(), minlength=len(shown))
    if not places.null_count and np.array_equal(times, mine.to_numpy()):
        return
    wanted = shown["treeoflife_id"].filter(mine)
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


def _samples(ledger: Ledger, shown: pa.Table, ended: pa.Table, duplicates: Firsts | None) -> pa.Table:
    """Join the written images of a ledger with what they show, whose row is their ``place``."""
    written = ended.filter(pc.equal(ended["state"], State.WRITTEN))
    written = written.sort_by([("shard", "ascending"), ("position", "ascending")])
    samples = shown.drop_columns(["split"]).take(written["place"])
    samples = samples.append_column("split", pa.repeat(ledger.split, len(samples)))
    for name in _FACTS:
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
        grouped = (
            read_ledger(path, ["state", "source"])
            .group_by(["state", "source"])
            .aggregate([([], "count_all")])
        )
        counts.update({(row["state"], row["source"]): row["count_all"] for row in grouped.to_pylist()})
    return counts
