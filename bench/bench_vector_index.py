"""What does it cost to index the vectors of a million samples, and how many of the nearest does a search find?"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _table import Row, arguments, in_a_process, peak_mib, show, show_host

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.vector_index import PART_ROWS, ShardVectors, VectorIndex, build_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DIMENSIONS, NEAREST = 512, 10
SHARD = 10_000

IMAGES_OF_SPECIES, SPECIES_OF_GENUS = 50, 8
"""How many samples a species has on average, and species a genus."""


def drawn(rows: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Draw the species and vectors of samples in shards; a vector of length 1 is that of a genus and a species, and noise.

    The variance of direction k is 1 / (1 + k / 8), as vectors of models vary much in few directions; species have as
    many samples as a power law has it.
    """
    rng = np.random.default_rng(0)
    scale = (1 / np.sqrt(1 + np.arange(DIMENSIONS) / 8)).astype(np.float32)
    turned, _ = np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS), np.float32))
    species = max(rows // IMAGES_OF_SPECIES, 1)
    genera = rng.standard_normal((max(species // SPECIES_OF_GENUS, 1), DIMENSIONS), np.float32)
    genus = rng.integers(0, len(genera), species)
    own = rng.standard_normal((species, DIMENSIONS), np.float32)
    shares = (1 + np.arange(species)) ** -0.7
    shares /= shares.sum()
    for start in range(0, rows, SHARD):
        count = min(SHARD, rows - start)
        kinds = rng.choice(species, count, p=shares)
        noise = rng.standard_normal((count, DIMENSIONS), np.float32)
        vectors = ((genera[genus[kinds]] + 0.7 * own[kinds] + 0.7 * noise) * scale) @ turned
        yield kinds, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def fill(folder: Path, rows: int, queries: int) -> None:
    """Write vectors and tables of so many samples, their catalog, and further vectors to search for."""
    shards = [vectors for _, vectors in drawn(rows + queries)]
    vectors = np.concatenate(shards)
    np.save(folder / "queries.npy", vectors[rows:])
    catalog: list[pa.Table] = []
    for number, start in enumerate(range(0, rows, SHARD)):
        stop = min(start + SHARD, rows)
        ids = [f"{image:08x}-0000-4000-8000-000000000000" for image in range(start, stop)]
        np.save(folder / f"{number:06}.npy", vectors[start:stop])
        pq.write_table(pa.table({"key": ids, "status": ["ok"] * len(ids)}), folder / f"{number:06}.parquet")
        texts = {name: ["x"] * len(ids) for name in ("source", *RANK_LABELS, "common")}
        split = {"split": ["train"] * len(ids), "shard": pa.array([number] * len(ids), pa.int32())}
        catalog.append(pa.table({"treeoflife_id": ids, **split, **texts}))
    pq.write_table(pa.concat_tables(catalog), folder / "catalog.parquet", row_group_size=122_880)


def shards_in(folder: Path) -> list[ShardVectors]:
    """List the shards in a folder."""
    return [
        ShardVectors("train", int(path.stem), path.with_suffix(".parquet"), path)
        for path in sorted(folder.glob("0*.npy"))
    ]


def nearest(folder: Path) -> NDArray[np.int64]:
    """Compare the queries with all vectors; return the keys of the nearest."""
    queries = np.load(folder / "queries.npy").astype(np.float32)
    best = np.full((len(queries), NEAREST), -np.inf, np.float32)
    keys = np.zeros((len(queries), NEAREST), np.int64)
    for shard in shards_in(folder):
        vectors = np.load(shard.vectors).astype(np.float32)
        scores = queries @ vectors.T
        # Only the nearest of a shard can be among the nearest of all.
        few = np.argpartition(-scores, min(NEAREST, len(vectors)) - 1, axis=1)[:, :NEAREST]
        best = np.concatenate([best, np.take_along_axis(scores, few, axis=1)], axis=1)
        keys = np.concatenate([keys, few + shard.shard * SHARD], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :NEAREST]
        best, keys = np.take_along_axis(best, order, axis=1), np.take_along_axis(keys, order, axis=1)
    return keys


def build(folder: Path, threads: int) -> None:
    """Build the index; print seconds, seconds of processor time, peak memory, and size in MiB."""
    before, start, used = peak_mib(), time.monotonic(), processor_seconds()
    files = build_index(
        shards_in(folder), folder / "catalog.parquet", folder / "index", DIMENSIONS, threads=threads
    )
    size = sum(path.stat().st_size for path in files) / 2**20
    print(time.monotonic() - start, processor_seconds() - used, peak_mib() - before, size)


def search(folder: Path) -> None:
    """Search for each query; print recall, milliseconds of processor time, median milliseconds, and peak memory."""
    index, queries, wanted = (
        VectorIndex(folder / "index"),
        np.load(folder / "queries.npy"),
        np.load(folder / "nearest.npy"),
    )
    index.search(queries[0], NEAREST)  # opens the files
    used, waited, found = processor_seconds(), [], 0
    for query, keys in zip(queries, wanted.tolist(), strict=True):
        start = time.monotonic()
        hits = index.nearest(query, NEAREST)
        waited.append(time.monotonic() - start)
        found += len({key for _, key in hits} & set(keys))
    ms = 1000 * (processor_seconds() - used) / len(queries)
    print(found / wanted.size, ms, 1000 * float(np.median(waited)), peak_mib())


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["build"]:
        build(Path(sys.argv[2]), int(sys.argv[3]))
        return
    if sys.argv[1:2] == ["search"]:
        search(Path(sys.argv[2]))
        return
    given = arguments(str(__doc__), 0, repeat=1, rows=1_000_000, queries=1000, threads=2)
    show_host()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, given.rows, min(given.queries, given.rows // 10))
        start = processor_seconds()
        found = nearest(folder)
        brute = 1000 * (processor_seconds() - start) / len(found)
        np.save(folder / "nearest.npy", found)
        if importlib.util.find_spec("usearch") is None:
            print("usearch is not installed, so there is no index")
            runs: list[list[float]] = []
        else:
            runs = [in_a_process(__file__, "build", name, str(given.threads)) for _ in range(given.repeat)]
            searches = [in_a_process(__file__, "search", name) for _ in range(given.repeat)]
    count = f"{given.rows:,} vectors of {DIMENSIONS} dimensions in parts of {PART_ROWS:,}, {given.threads} threads"
    if runs:
        rows = [[run[place] for run in runs] for place in range(4)]
        labels = ("seconds", "seconds of processor time", "MiB, the most held", "MiB of files")
        show(
            "Building",
            count,
            "see the rows",
            labels[1],
            [Row(*one, rows[1]) for one in zip(labels, rows, strict=True)],
        )
    table = [Row("compared with all, ms of processor time", [brute], [brute])]
    if runs:
        table += [
            Row("index, ms of processor time", [one[1] for one in searches], [brute]),
            Row("index, ms, median", [one[2] for one in searches], [brute]),
            Row(f"recall@{NEAREST}, percent", [100 * one[0] for one in searches], [brute]),
            Row("MiB, the most held", [one[3] for one in searches], [brute]),
        ]
    show("Searching for one vector", count, "see the rows", "comparing with all", table)


if __name__ == "__main__":
    main()
