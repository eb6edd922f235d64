"""What does it cost to choose the samples of each species by their vectors?"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _table import Row, arguments, in_a_process, peak_mib, show, show_host
from bench_vector_index import DIMENSIONS, drawn

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.features.selection import SelectionSpec, Tables, select_samples

MOST = 20
"""How many samples of each species are chosen."""

METHODS = {
    "order_by": "drawn at random",
    "nearest": "nearest to the mean",
    "diverse": "farthest from each other",
}


def fill(folder: Path, rows: int) -> None:
    """Write the vectors of so many samples, shard by shard, and their catalog."""
    catalog: list[pa.Table] = []
    for shard, (kinds, vectors) in enumerate(drawn(rows)):
        np.save(folder / f"{shard:06}.npy", vectors)
        count, first = len(kinds), sum(map(len, catalog))
        ranks = dict.fromkeys(RANK_LABELS, ["x"] * count) | {"species": [f"{kind:06}" for kind in kinds]}
        columns = {
            "treeoflife_id": [f"{first + place:08x}-0000-4000-8000-000000000000" for place in range(count)],
            **dict.fromkeys(("source", "partition"), ["x"] * count),
            "split": ["train"] * count,
            "shard": pa.array([shard] * count, pa.int32()),
            "position": pa.array(range(count), pa.int32()),
            **ranks,
        }
        catalog.append(pa.table(columns))
    pq.write_table(pa.concat_tables(catalog), folder / "catalog.parquet", row_group_size=122_880)


def select(folder: Path, method: str, threads: int) -> None:
    """Choose; print the seconds of processor time, the peak of memory, and how many samples were compared."""
    before, used = peak_mib(), processor_seconds()
    vectors = {int(path.stem): path for path in folder.glob("0*.npy")}
    tables = Tables(folder / "catalog.parquet", [], [], None, vectors)
    spec = SelectionSpec("train", most_per_taxon=MOST, method=method)
    comparison = select_samples(spec, tables, folder / "selection.parquet", threads).comparison
    compared = comparison.samples if comparison else 0
    print(processor_seconds() - used, peak_mib() - before, compared)


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["select"]:
        select(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    given = arguments(str(__doc__), 0, repeat=1, rows=1_000_000, threads=2)
    show_host()
    if importlib.util.find_spec("duckdb") is None:
        print("duckdb is not installed, so nothing is selected")
        return
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), given.rows)
        runs = {
            method: [
                in_a_process(__file__, "select", name, method, str(given.threads))
                for _ in range(given.repeat)
            ]
            for method in METHODS
        }
    compared = int(runs["nearest"][0][2])
    n = f"{given.rows:,} vectors of {DIMENSIONS} dimensions, at most {MOST} of a species; {compared:,} are compared"
    for place, unit in enumerate(("seconds of processor time", "MiB, the most held")):
        found = {method: [run[place] for run in own] for method, own in runs.items()}
        rows = [Row(METHODS[method], values, found["order_by"]) for method, values in found.items()]
        show("Selecting", n, unit, METHODS["order_by"], rows)


if __name__ == "__main__":
    main()
