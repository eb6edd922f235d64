"""What does a search in `tol browse` cost, compared with a search of the catalog?"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from _columns import below, chunks, dealt, uuids
from _sizes import Sizes
from _table import Row, arguments, in_a_process, peak_mib, show, show_host
from _tree import SPECIES, Tree

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.browse.opened import BrowsedDataset
from tol_luigi.browse.query import Query
from tol_luigi.core.layout import Layout
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.catalog import Catalog
from tol_luigi.sources import SOURCES
from tol_luigi.store.catalogs import ROW_GROUP, catalog_schema, in_row_groups, write_catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _columns import Numbers

SOURCE, PARTITION_ROWS, SHARD_ROWS, PAGE = "folder", 40_000, 10_000, 120

IMAGES_OF_SPECIES = 23
"""As in TreeOfLife-10M, on average."""


def tables(rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """Make the rows of a catalog: each image is of any species."""
    tree = Tree(Sizes(rows).ranks)
    for numbers in chunks(0, rows):
        columns = {name: pa.nulls(len(numbers), schema.field(name).type) for name in schema.names}
        columns |= named(tree, numbers, rows)
        shard, position = np.divmod(numbers.astype(np.int64), SHARD_ROWS)
        partition = pc.binary_join_element_wise(
            "part", pa.array(numbers // PARTITION_ROWS).cast(pa.string()), "-"
        )
        columns |= {
            "split": pa.repeat("train", len(numbers)),
            "treeoflife_id": uuids(numbers, 0),
            "source": pa.repeat(SOURCE, len(numbers)),
            "partition": partition,
            "shard": pa.array(shard.astype(np.int32)),
            "position": pa.array(position.astype(np.int32)),
            "width": pa.array((numbers % 1000 + 100).astype(np.int32)),
        }
        texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        columns |= {name: columns[name].cast(pa.string()) for name in texts}
        yield pa.table([columns[name] for name in schema.names], names=schema.names)


def named(tree: Tree, numbers: Numbers, rows: int) -> dict[str, Any]:
    """Name the images: by a species each, whose genus also makes its common name."""
    few = below(numbers, 1, max(1, rows // IMAGES_OF_SPECIES)).astype(np.uint64)
    species = dealt(few, 0, tree.counts[SPECIES]).astype(np.int64)
    named = dict(zip(RANK_LABELS, tree.lineage(SPECIES, species), strict=True))
    return named | {"common": pc.binary_join_element_wise("common", named["genus"], named["species"], " ")}


def fill(folder: Path, rows: int) -> None:
    """Write what of a dataset is read: its settings, its manifest and its catalog."""
    layout = Layout.of(folder, 224, 224)
    record = {
        "images.width": 224,
        "images.height": 224,
        "sources": [SOURCE],
        "dataset.seed": 0,
        "published.mapping": "",
    }
    layout.shards.mkdir(parents=True)
    layout.record.write_text(json.dumps(record), encoding="utf-8")
    layout.manifest.write_text("{}", encoding="utf-8")
    schema = catalog_schema(SOURCES, [SOURCE])
    groups = in_row_groups(tables(rows, schema), ROW_GROUP)
    write_catalog(layout.catalog_csv, layout.catalog, schema, groups, lambda _: None, by_id=True)
    layout.catalog_csv.unlink()
    fill_features(layout, rows)


def fill_features(layout: Layout, rows: int) -> None:
    """Write a column of features, in a file for each shard."""
    folder = layout.features / "quality" / "train"
    folder.mkdir(parents=True)
    for shard, first in enumerate(range(0, rows, SHARD_ROWS)):
        numbers = np.arange(first, min(first + SHARD_ROWS, rows), dtype=np.uint64)
        ids = uuids(numbers, 0)
        columns = {
            "uid": ids,
            "key": ids,
            "row": pa.array((numbers % SHARD_ROWS).astype(np.int64)),
            "status": pa.repeat("ok", len(numbers)),
            "error": pa.nulls(len(numbers), pa.string()),
            "blur": pa.array(numbers % 997 / 997),
        }
        pq.write_table(pa.table(columns), folder / f"shard-{shard:06}.parquet", compression="zstd")


def opened(folder: Path) -> tuple[BrowsedDataset, list[float]]:
    """Open the dataset; return the milliseconds of processor time and by the clock, and the most memory."""
    start, used = time.monotonic(), processor_seconds()
    dataset = BrowsedDataset(folder, folder.parent / "cache")
    return dataset, [1000 * (processor_seconds() - used), 1000 * (time.monotonic() - start), peak_mib()]


def search(folder: Path) -> None:
    """Print what opening an index, and each kind of a first page, takes; then what the catalog takes."""
    dataset, costs = opened(folder)
    record = dataset.index.record(dataset.index.rows // 2)
    lineage = {rank: record[rank] for rank in RANK_LABELS[:4]}
    queries = (
        {"q": f"{record['genus']} {record['species']}"},
        {"q": "a"},
        {"q": record["id"]},
        lineage,
    )

    def cost(compute: Callable[[], object]) -> list[float]:
        start, used = time.monotonic(), processor_seconds()
        compute()
        return [1000 * (processor_seconds() - used), 1000 * (time.monotonic() - start)]

    figures = [*costs]
    for fields in queries:
        query = Query.of(fields)
        figures += cost(lambda query=query: dataset.page(query, 0, PAGE))  # type: ignore[misc]
    figures += cost(lambda: dataset.search().counts(Query.of(lineage)))
    figures += cost(lambda: dataset.page(Query.of(queries[1]), dataset.index.rows // 2, PAGE))
    for condition in ("width < 200", "blur < 0.1"):
        query = Query.of({"where": condition})
        figures += cost(lambda query=query: dataset.page(query, 0, PAGE))  # type: ignore[misc]
    memory = peak_mib()
    same = (pc.field("genus") == record["genus"]) & (pc.field("species") == record["species"])
    figures += cost(lambda: Catalog(dataset.layout.catalog).to_arrow(["treeoflife_id"], same))
    print(*figures, memory)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["open"]:
        print(*opened(Path(sys.argv[2]))[1])
        return
    if sys.argv[1:2] == ["search"]:
        search(Path(sys.argv[2]))
        return
    given = arguments(str(__doc__), 0, repeat=5, rows=1_000_000)
    show_host()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "dataset")
        fill(folder, given.rows)
        first = in_a_process(__file__, "open", folder)
        runs = [in_a_process(__file__, "search", folder) for _ in range(given.repeat)]
        size = sum(path.stat().st_size for path in Path(name, "cache").rglob("*.*")) / 2**20
    columns = list(zip(*runs, strict=True))
    whats = (
        "a species by its name",
        "a letter, which nearly all names have",
        "an id",
        "an order, by lineage",
        "the counts of that order",
        "a page in the middle",
        "a condition on a column of the catalog",
        "a condition on a column of features",
        "the same species, in the catalog with Arrow",
    )
    baseline = columns[3 + 2 * (len(whats) - 1)]
    rows = [
        Row(
            "making the index",
            [first[0]],
            baseline,
            f"{first[1]:,.0f} ms by the clock, {first[2]:,.0f} MiB at most; {size:,.0f} MiB of files",
        ),
        Row("opening it again", columns[0], baseline),
    ]
    for place, what in enumerate(whats):
        clock = sorted(columns[4 + 2 * place])[len(runs) // 2]
        rows.append(Row(what, columns[3 + 2 * place], baseline, f"{clock:,.0f} ms by the clock"))
    count = f"{given.rows:,} images; pages of {PAGE}; {max(columns[-1]):,.0f} MiB at most"
    show(str(__doc__), count, "ms of processor time", "the catalog with Arrow", rows)


if __name__ == "__main__":
    main()
