"""The images that are left out of their shards because of their rights."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.ledger import WITHHELD, State
from tol_luigi.core.license_names import is_allowed, spdx_name
from tol_luigi.core.packing import Withheld
from tol_luigi.core.shards import shard_name
from tol_luigi.core.takedowns import KINDS, comparable
from tol_luigi.store.csv_text import csv_text, harmless
from tol_luigi.store.licenses import images_with_licenses
from tol_luigi.store.row_groups import rows_with

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.source import Source
    from tol_luigi.core.takedowns import Takedown
    from tol_luigi.store.reconciliation import Ledger

__all__ = [
    "Rights",
    "count_withheld",
    "read_withheld",
    "remaining_duplicates",
    "write_changes",
    "write_takedowns",
    "write_withheld",
]

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "split", "source", "partition", "state", "reason")]
    + [("takedown", pa.int32())]
)
"""One row for each image: the state that it gets if it is usable, and the number of its takedown."""

_COLUMNS = ("treeoflife_id", "split", "source", "partition", "excluded")
_PLACES = {"id": ("treeoflife_id", "key"), "url": ("medium_url", "full_size_url"), "owner": ("owner",)}
"""The columns of an image that takedowns of each kind name."""


@dataclass
class Rights:
    """What the rights of images allow, and what was found.

    Attributes:
        allowed: Names of licences; empty if all are allowed.
        takedowns: The takedowns.
        matches: The number of images by number of the takedown.
        units: By "split source partition", the number of withheld images and the digest of their ids and reasons.
    """

    allowed: Collection[str]
    takedowns: Sequence[Takedown]
    matches: Counter[int] = field(default_factory=Counter)
    units: dict[str, list[Any]] = field(default_factory=dict)


def write_takedowns(path: Path, takedowns: Sequence[Takedown]) -> None:
    """Write the record of takedowns, which can be read as a list again."""
    rows = [
        [*(one.value if one.kind == kind else "" for kind in KINDS), one.date, one.reason]
        for one in takedowns
    ]
    header = [*KINDS, "date", "reason"]
    cells = zip(header, *rows, strict=True)
    with committed(path) as scratch:
        scratch.write_bytes(
            csv_text(pa.table({column[0]: pa.array(column, pa.string()) for column in cells}))
        )


def write_withheld(
    path: Path, predicted: Path, sources: Mapping[str, Source], rights: Rights
) -> Iterator[int]:
    """Write the images to leave out of their shards, in the order of the predicted catalog.

    Images that are excluded for another reason count as matches of a takedown only.

    Args:
        path: The table to write atomically.
        predicted: The predicted catalog.
        sources: The sources by name.
        rights: What is allowed; its counts and digests are filled.

    Yields:
        The number of images so far.
    """
    digests: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    images = images_with_licenses(
        path,
        predicted,
        sources,
        _COLUMNS,
        has_keys=any(one.kind == "id" for one in rights.takedowns),
    )
    total = 0
    with (
        closing(images),
        committed(path) as scratch,
        pq.ParquetWriter(scratch, _SCHEMA, compression="zstd") as writer,
    ):
        for piece in images:
            table = _withheld(piece, rights)
            if len(table):
                writer.write_table(table)
            for row in table.to_pylist():
                unit = f"{row['split']} {row['source']} {row['partition']}"
                line = f"{row['id']}\t{row['state']}\t{row['reason']}\n"
                digests.setdefault(unit, hashlib.sha256()).update(line.encode())
                counts[unit] += 1
            total += len(piece)
            yield total
    rights.units = {unit: [counts[unit], digest.hexdigest()] for unit, digest in sorted(digests.items())}


def read_withheld(path: Path, split: str, source: str, partition: str) -> dict[str, Withheld]:
    """Return the images to leave out of the shards of a partition of a split, by id."""
    wanted = {"split": [split], "source": [source], "partition": [partition]}
    rows = rows_with(path, wanted, ["id", "state", "reason"]).to_pylist()
    return {row["id"]: Withheld(State(row["state"]), row["reason"]) for row in rows}


def _withheld(images: pa.Table, rights: Rights) -> pa.Table:
    """Return the rows of the images to leave out; count the matches of the takedowns."""
    takedown = np.full(len(images), -1, np.int32)
    for kind in reversed(KINDS):  # the first kind wins
        numbers = {one.key[1]: number for number, one in enumerate(rights.takedowns) if one.kind == kind}
        for column in reversed(_PLACES[kind]) if numbers else ():
            found = _numbers(images[column], kind, numbers)
            takedown[found >= 0] = found[found >= 0]
    rights.matches.update(takedown[takedown >= 0].tolist())
    names = images["name"].combine_chunks().dictionary_encode()
    reasons = [_reason(name, rights.allowed) for name in names.dictionary.to_pylist()]
    reason = pa.array(reasons, pa.string()).take(names.indices)
    is_kept = np.asarray(pc.fill_null(pc.equal(images["excluded"], ""), True))
    rows = np.flatnonzero(((takedown >= 0) | np.asarray(pc.is_valid(reason))) & is_kept)
    chosen, which = images.take(pa.array(rows)), takedown[rows]
    state = np.where(which >= 0, str(State.TAKEN_DOWN), str(State.LICENSE_NOT_ALLOWED))
    texts = [
        rights.takedowns[number].text if number >= 0 else text
        for number, text in zip(which.tolist(), reason.take(pa.array(rows)).to_pylist(), strict=True)
    ]
    columns = [chosen[name].cast(pa.string()) for name in _COLUMNS[:4]]
    numbers = pa.array(which, pa.int32(), mask=which < 0)
    return pa.table(
        [*columns, pa.array(state.tolist(), pa.string()), pa.array(texts, pa.string()), numbers],
        schema=_SCHEMA,
    )


def _numbers(column: pa.ChunkedArray, kind: str, numbers: Mapping[str, int]) -> NDArray[np.int32]:
    """Return the number of the takedown that names each value of a column, -1 if none does."""
    if kind == "id":
        found = pc.index_in(column, value_set=pa.array(list(numbers), pa.string()))
        known = np.array([*numbers.values(), -1], np.int32)
        return known.take(np.asarray(pc.fill_null(found, len(numbers))))
    encoded = column.combine_chunks().dictionary_encode()
    values = [numbers.get(comparable(kind, value), -1) for value in encoded.dictionary.to_pylist()]
    return np.array([*values, -1], np.int32).take(np.asarray(pc.fill_null(encoded.indices, len(values))))


def _reason(name: str, allowed: Collection[str]) -> str | None:
    """Return why a licence is not allowed, None if it is."""
    known = spdx_name(name)
    if not allowed or is_allowed(known, allowed):
        return None
    if not name:
        return "its licence is unknown"
    return f"its licence is {known} ({name})" if known else f"its licence is not a known one ({name})"


@dataclass
class WithheldCounts:
    """The images that the ledgers of the shards withhold.

    Attributes:
        refused: The number of images by reason and source, whose licence is not allowed.
        images: The number of images by number of the takedown; images of train_small count in train only.
        shards: The shards without them, by number of the takedown, as ``<split>/<name>``.
        hashes: The ids of the images taken down by the SHA-256 of their files.
        taken_down: Their ids.
    """

    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    shards: dict[int, list[str]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    taken_down: set[str] = field(default_factory=set)


def count_withheld(withheld: Path, ledgers: Iterable[Ledger]) -> WithheldCounts:
    """Count the images that the ledgers of the shards withhold."""
    rows = rows_with(withheld, {"state": [State.TAKEN_DOWN]}, ["id", "takedown"])
    numbers = dict(zip(rows["id"].to_pylist(), rows["takedown"].to_pylist(), strict=True))
    found = WithheldCounts()
    for ledger in ledgers:
        columns = ["id", "source", "state", "reason", "shard", "sha256"]
        held = rows_with(ledger.path, {"state": sorted(map(str, WITHHELD))}, columns)
        for row in held.to_pylist():
            if row["state"] == State.TAKEN_DOWN:
                number = numbers[row["id"]]
                found.taken_down.add(row["id"])
                shards = found.shards.setdefault(number, [])
                if (name := f"{ledger.split}/{shard_name(row['shard'])}") not in shards:
                    shards.append(name)
                found.images[number] += ledger.split != "train_small"
                found.hashes[row["sha256"]] = min(row["id"], found.hashes.get(row["sha256"], row["id"]))
            elif ledger.split != "train_small":
                found.refused[row["reason"], row["source"]] += 1
    found.shards = {number: sorted(shards) for number, shards in found.shards.items()}
    return found


def remaining_duplicates(ledgers: Iterable[Ledger], hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the written images whose files have one of these hashes, each with the image of the hash, by id."""
    remaining = {}
    for ledger in ledgers if hashes else ():
        rows = rows_with(ledger.path, {"state": [State.WRITTEN]}, ["id", "sha256"])
        same = rows.filter(pc.is_in(rows["sha256"], value_set=pa.array(list(hashes), pa.string())))
        remaining.update({row["id"]: hashes[row["sha256"]] for row in same.to_pylist()})
    return remaining


def write_changes(path: Path, takedowns: Sequence[Takedown], counts: WithheldCounts) -> None:
    """Write a line for each takedown that has changed the dataset: what it is about, its images and their shards."""
    lines: dict[str, list[str]] = {
        "date": [],
        "change": [],
        "kind": [],
        "value": [],
        "reason": [],
        "images": [],
        "shards": [],
    }
    for number, one in enumerate(takedowns):
        if counts.images[number]:
            cells = one.date, "takedown", one.kind, one.value, one.reason, str(counts.images[number])
            for column, cell in zip(lines.values(), [*cells, " ".join(counts.shards[number])], strict=True):
                column.append(cell)
    shown = {name: harmless(pa.array(column, pa.string())) for name, column in lines.items()}
    table = pa.concat_tables([pa.table({name: [name] for name in lines}), pa.table(shown)])
    with committed(path) as scratch:
        scratch.write_bytes(csv_text(table))
