"""The places of samples within their taxon by their vectors, taxon by taxon, from the files of the shards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.features.coresets import nearest_to_mean, rounded, spread_out, usable_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.features.coresets import Ranking

    Method = Callable[[NDArray[np.float32], int], Ranking]

__all__ = ["CANDIDATES", "METHODS", "PLACES", "Comparison", "write_places"]

CANDIDATES = 100_000
"""The most samples of a taxon whose vectors are compared, which bounds the memory. It determines the selection, so it is
no setting."""

METHODS: Mapping[str, Method] = {"nearest": nearest_to_mean, "diverse": spread_out}
"""The methods of ``[select] method`` that compare vectors."""

PLACES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("place", pa.int64()),
        pa.field("score", pa.float64()),
    ]
)
"""The columns of the file of places: from 0 the order in which the samples of a taxon are chosen, null for the others;
and the score of each sample, null without a vector."""


@dataclass(frozen=True)
class Comparison:
    """How many samples were compared by their vectors.

    Attributes:
        taxa: The taxa with more samples than can be chosen; only these are compared.
        samples: The samples of these taxa that were compared.
        without_vector: The samples of these taxa that have no usable vector.
        chosen_without_vector: The most of these that are chosen, because their taxa have too few others.
        not_drawn: The samples of taxa with more than :data:`CANDIDATES` that were not drawn to be compared.
    """

    taxa: int
    samples: int
    without_vector: int
    chosen_without_vector: int
    not_drawn: int


def write_places(
    candidates: Iterable[pa.RecordBatch],
    vectors: Mapping[int, Path],
    method: Method,
    count: int,
    output: Path,
) -> Comparison:
    """Write the place of each candidate in its taxon.

    Memory holds the vectors of one taxon, and those of the rows of a batch.

    Args:
        candidates: Id, shard, position and number of available samples of the taxon for each candidate; taxon by taxon,
            by id. A taxon has as many candidates as available samples, at most :data:`CANDIDATES`.
        vectors: The file of the vectors of each shard.
        method: Chooses some of the vectors of a taxon.
        count: How many of each taxon.
        output: The file.
    """
    sums: Counter[str] = Counter()
    with pq.ParquetWriter(output, PLACES) as writer:
        for rows, bounds in _complete_taxa(candidates):
            found = _read_vectors(rows, vectors)
            places = np.full(len(rows), -1)
            scores = np.full(len(rows), np.nan)
            for start, stop in bounds:
                usable = start + np.flatnonzero(usable_rows(found[start:stop]))
                ranking = method(rounded(found[usable]), count)
                places[usable[ranking.chosen]] = np.arange(len(ranking.chosen))
                scores[usable] = ranking.scores
                sums["samples"] += len(usable)
                sums["without_vector"] += stop - start - len(usable)
                sums["chosen_without_vector"] += min(count, stop - start) - len(ranking.chosen)
                sums["not_drawn"] += int(rows["available"][start].as_py()) - (stop - start)
            sums["taxa"] += len(bounds)
            columns = [
                rows["id"],
                pa.array(places, mask=places < 0),
                pa.array(scores, mask=np.isnan(scores)),
            ]
            writer.write_table(pa.table(columns, schema=PLACES))
    names = ("taxa", "samples", "without_vector", "chosen_without_vector", "not_drawn")
    return Comparison(**{name: sums[name] for name in names})


def _complete_taxa(candidates: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.Table, list[tuple[int, int]]]]:
    """Yield rows that contain complete taxa, and where each taxon begins and ends in them."""
    waiting: list[pa.Table] = []
    missing = 0
    for batch in candidates:
        waiting.append(pa.Table.from_batches([batch]))
        missing -= len(batch)
        if missing > 0:
            continue
        rows = pa.concat_tables(waiting)
        sizes = np.minimum(rows["available"].to_numpy(), CANDIDATES)
        bounds, start = [], 0
        while start < len(rows) and (stop := start + int(sizes[start])) <= len(rows):
            bounds.append((start, stop))
            start = stop
        if bounds:
            yield rows.slice(0, start), bounds
        rest = rows.slice(start)
        waiting = [rest]
        missing = int(sizes[start]) - len(rest) if len(rest) else 0


def _read_vectors(rows: pa.Table, vectors: Mapping[int, Path]) -> NDArray[np.float16]:
    """Return the vectors of samples, each shard opened once."""
    shards, positions = rows["shard"].to_numpy(), rows["position"].to_numpy()
    found: NDArray[np.float16] | None = None
    # In the order of the files, of which only the pages with these vectors are read.
    order = np.lexsort((positions, shards))
    starts = np.flatnonzero(np.diff(shards[order], prepend=-1))
    for own in np.split(order, starts[1:]):
        mapped = np.load(vectors[int(shards[own[0]])], mmap_mode="r")
        if found is None:
            found = np.empty((len(rows), mapped.shape[1]), np.float16)
        found[own] = mapped[positions[own]]
    return np.empty((0, 1), np.float16) if found is None else found
