"""The tables of a selection of samples: locations to copy from, ledgers, and catalog."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.copying import SampleRef
from tol_luigi.core.files import clear_disk_errors, remove
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.catalogs import in_row_groups, write_catalog
from tol_luigi.store.ledger import read_ledger
from tol_luigi.store.row_groups import pieces, rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.layout import Layout
    from tol_luigi.core.packing import Outcome

__all__ = [
    "SELECTION_TABLE",
    "catalog_files",
    "chosen_taxa",
    "count_by_partition",
    "remove_selection",
    "selection_ledger",
    "selection_outcomes",
    "selection_samples",
    "selection_states",
    "write_selection_catalog",
]

SELECTION_TABLE = "selection.parquet"
"""The name of the table of a selection, in its folder."""

_SELECTED = "selected"
_PLACE = ("shard", "position", "offset", "bytes")


def count_by_partition(table: Path) -> dict[tuple[str, str], int]:
    """Count the selected samples by source and partition."""
    counts: Counter[tuple[str, str]] = Counter()
    for rows in pieces(table, ["source", "partition", "state"]):
        chosen = rows.filter(pc.equal(rows["state"], _SELECTED))
        grouped = chosen.group_by(["source", "partition"]).aggregate([([], "count_all")])
        counts.update({(row["source"], row["partition"]): row["count_all"] for row in grouped.to_pylist()})
    return dict(counts)


def chosen_taxa(table: Path, catalog: Path) -> int:
    """Return the number of taxa (seven ranks) that the selected samples have."""
    chosen = pa.concat_tables(
        rows.filter(pc.equal(rows["state"], _SELECTED)).select(["id"])
        for rows in pieces(table, ["id", "state"])
    )["id"].combine_chunks()
    taxa: set[str] = set()
    for rows in pieces(catalog, ["treeoflife_id", *RANK_LABELS]):
        mine = rows.filter(pc.is_in(rows["treeoflife_id"], value_set=chosen))
        texts = [mine[rank].cast(pa.string()).fill_null("") for rank in RANK_LABELS]
        taxa.update(pc.unique(pc.binary_join_element_wise(*texts, "|")).to_pylist())
    return len(taxa)


def _states(table: Path, source: str, partition: str) -> pa.Table:
    """Return the rows of one partition in a selection."""
    return rows_with(table, {"source": [source], "partition": [partition]}, ["id", "state"])


def _written(ledger: Path) -> pa.Table:
    """Return the samples of a ledger, in the order of the shards."""
    rows = read_ledger(ledger, state=State.WRITTEN)
    return rows.sort_by([("shard", "ascending"), ("position", "ascending")])


def selection_samples(
    table: Path, ledger: Path, shard_path: Callable[[int], Path], source: str, partition: str
) -> list[SampleRef]:
    """Return the locations of the selected samples of one partition, in the order of the shards.

    Args:
        table: The selection.
        ledger: The ledger of the partition that the samples come from.
        shard_path: Returns the path of one of its shards by its number.
        source: The source's name.
        partition: The partition's name.
    """
    states = _states(table, source, partition)
    ids = states.filter(pc.equal(states["state"], _SELECTED))["id"].combine_chunks()
    rows = _written(ledger)
    chosen = rows.filter(pc.is_in(rows["id"], value_set=ids)).select(["id", "shard", "offset", "bytes"])
    return [
        SampleRef(row["id"], shard_path(row["shard"]), row["offset"], row["bytes"])
        for row in chosen.to_pylist()
    ]


def selection_states(table: Path, source: str, partition: str) -> dict[str, str]:
    """Return the state of each sample of one partition by id."""
    rows = _states(table, source, partition)
    return dict(zip(rows["id"].to_pylist(), rows["state"].to_pylist(), strict=True))


def remove_selection(layout: Layout, name: str) -> None:
    """Remove the shards, the attributions, the ledgers and the tables of a selection.

    The tables come last, so that a selection whose removal was interrupted is still listed.

    Raises:
        DiskError: A file cannot be removed.
    """
    remove(layout.attribution / f"{name}.csv")
    folders = (
        layout.shard(name, 0).parent,
        layout.attribution / name,
        layout.records(name),
        layout.selection(name),
    )
    for folder in folders:
        with clear_disk_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)


def selection_outcomes(layout: Layout, source: str, partition: str, image: str) -> list[dict[str, Any]]:
    """Return what each selection has made of a sample: a selection from another split is not listed.

    Args:
        layout: The paths of the dataset.
        source: The source's name.
        partition: The partition's name.
        image: The image id.

    Returns:
        For each selection its name, the state (``selected``, ``filtered``, ``too_few`` or ``surplus``), the rule that has
        dropped the sample or "", its score, and its row in the ledger, None unless it is in a shard.
    """
    found = []
    for name in layout.selections(finished=False):
        table, ledger = layout.selection(name) / SELECTION_TABLE, layout.ledger(name, source, partition)
        wanted = {"source": [source], "partition": [partition], "id": [image]}
        for row in rows_with(table, wanted, ["state", "score"]).to_pylist() if table.exists() else ():
            state, _, rule = row["state"].partition(":")
            written = {"id": [image], "state": [State.WRITTEN.value]}
            rows = rows_with(ledger, written).to_pylist() if ledger.exists() else []
            place = rows[0] if rows and state == _SELECTED else None
            found.append(
                {"name": name, "state": state, "rule": rule, "score": row["score"], "written": place}
            )
    return found


def selection_ledger(
    ledger: Path, states: Mapping[str, str], copied: Mapping[str, Outcome], numbers: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Yield the ledger row of each sample of a partition that could have been selected.

    The state of a sample that was not is that in the selection, such as ``filtered:blurry``.

    Args:
        ledger: The ledger of the partition that the samples come from.
        states: The result of :func:`selection_states`.
        copied: The outcomes of the copied samples by id.
        numbers: The number of each written shard.
    """
    for row in _written(ledger).to_pylist():
        outcome = copied.get(row["id"])
        if outcome is None:
            yield {**row, **dict.fromkeys(_PLACE), "state": states[row["id"]]}
        else:
            found = numbers[outcome.shard], outcome.position, outcome.offset, outcome.length
            yield {**row, **dict(zip(_PLACE, found, strict=True))}


def catalog_files(folder: Path) -> tuple[Path, Path]:
    """Return the paths of the catalog of a selection: as CSV, and as Parquet."""
    return folder / "catalog.csv", folder / "catalog.parquet"


def write_selection_catalog(
    catalog: Path, name: str, ledgers: Sequence[Path], folder: Path, progress: Callable[[int], None]
) -> Counter[str]:
    """Write the catalog of the selected samples: their rows in the catalog, with split, shard and position of their own.

    Args:
        catalog: The catalog of the dataset.
        name: The name of the selection.
        ledgers: The ledgers of its partitions, in order.
        folder: The folder of the selection.
        progress: Called with the number of samples so far.

    Returns:
        The number of rows of the ledgers in each state.
    """
    counts: Counter[str] = Counter()

    def tables() -> Iterator[pa.Table]:
        for ledger in ledgers:
            states = read_ledger(ledger, ["state"])["state"].value_counts().to_pylist()
            counts.update({count["values"]: count["counts"] for count in states})
            if len(rows := _written(ledger)):
                yield _catalog_rows(catalog, name, rows)

    schema = pq.read_schema(catalog)
    write_catalog(*catalog_files(folder), schema, in_row_groups(tables()), progress, by_id=True)
    return counts


def _catalog_rows(catalog: Path, name: str, rows: pa.Table) -> pa.Table:
    """Return the rows of the catalog for the samples of one ledger, in their order, with their new places."""
    source, partition = rows["source"][0].as_py(), rows["partition"][0].as_py()
    known = rows_with(catalog, {"source": [source], "partition": [partition]})
    known = known.filter(pc.not_equal(known["split"].cast(pa.string()), "train_small"))
    found = known.take(pc.index_in(rows["id"], value_set=known["treeoflife_id"].combine_chunks()))
    values = {
        "split": pa.array([name] * len(rows), pa.string()),
        "shard": rows["shard"],
        "position": rows["position"],
    }
    for column, value in values.items():
        found = found.set_column(found.schema.get_field_index(column), column, value)
    return pa.table(
        [
            found[field].cast(pa.string())
            if pa.types.is_dictionary(found.schema.field(field).type)
            else found[field]
            for field in found.column_names
        ],
        names=found.column_names,
    )
