"""What does the report on a catalog of any size cost, and how large is its page?"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _columns import below, chosen, joined, often_low, uuids
from _sizes import Sizes
from _table import Row, arguments, in_a_process, peak_mib, show, show_host
from _tree import SPECIES, Tree

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.layout import Layout
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.dataset.report_data import catalog_data
from tol_luigi.report.build_figures import BuildFigures
from tol_luigi.report.build_page import page_text
from tol_luigi.report.build_tables import tables
from tol_luigi.sources import SOURCES
from tol_luigi.store.catalogs import ROW_GROUP, catalog_schema

SOURCE_NAMES = ("eol", "bioscan", "inat21")
FLAGS: list[list[str]] = [*[[]] * 60, ["exif_rotated"], ["elongated", "upscaled"], ["truncated"], ["grey"]]
_SPECIES, _SOURCE, _SIDE, _FLAG, _ID = range(300, 350, 10)


def fill(folder: Path, images: int) -> None:
    """Write the catalog of so many images of the taxa of a dataset of that size; nothing else is needed."""
    tree, schema = Tree(Sizes(images).ranks), catalog_schema(SOURCES, SOURCE_NAMES)
    catalog = Layout.of(folder, 224, 224).catalog
    catalog.parent.mkdir(parents=True)
    with pq.ParquetWriter(catalog, schema, compression="zstd") as writer:
        for start in range(0, images, ROW_GROUP):
            numbers = np.arange(start, min(start + ROW_GROUP, images), dtype=np.uint64)
            species = often_low(numbers, _SPECIES, Sizes(images).pages) % tree.counts[SPECIES]
            known = {
                **dict(zip(RANK_LABELS, tree.lineage(SPECIES, species), strict=True)),
                "common": joined("common ", tree.epithet(species)),
                "treeoflife_id": uuids(numbers, _ID),
                "split": pa.repeat("val" if start > images * 0.95 else "train", len(numbers)),
                "source": chosen(SOURCE_NAMES, below(numbers, _SOURCE, len(SOURCE_NAMES))),
                "width": pa.array(200 + below(numbers, _SIDE, 1800)),
                "height": pa.array(200 + below(numbers, _SIDE + 1, 1200)),
                "mode": pa.repeat("RGB", len(numbers)),
                "format": pa.repeat("JPEG", len(numbers)),
                "flags": pa.array(FLAGS, pa.list_(pa.string())).take(
                    pa.array(below(numbers, _FLAG, len(FLAGS)))
                ),
            }
            columns = [known.get(name, pa.nulls(len(numbers))) for name in schema.names]
            writer.write_table(
                pa.table(
                    [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema
                )
            )


def child(folder: Path) -> None:
    """Make the report; print the seconds, the most memory held, and the size of the page and of all files in MB."""
    start = processor_seconds()
    data = catalog_data(Layout.of(folder, 224, 224), SOURCE_NAMES, [], 0, lambda _: None)
    counts = Counter({("written", source): 0 for source in SOURCE_NAMES})
    for (_, source), count in data.samples.items():
        counts["written", source] += count
    reports = {"taxa": {"checks": {}}, "matches": {"matches": []}, "settings": {}}
    figures = BuildFigures("0", "0", SOURCE_NAMES, counts, {}, reports)
    page = page_text(figures, data).encode()
    (folder / "page.html").write_bytes(page)
    rest = sum(map(len, tables(figures, data).values()))
    print(processor_seconds() - start, peak_mib(), len(page) / 1e6, (len(page) + rest) / 1e6)


def reading(folder: Path) -> None:
    """Read the columns that the report needs, and nothing more; print the seconds."""
    start = processor_seconds()
    with pq.ParquetFile(Layout.of(folder, 224, 224).catalog) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group, ["split", "source", *RANK_LABELS, "width", "height", "mode", "flags"])
    print(processor_seconds() - start)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["child"]:
        {"report": child, "reading": reading}[sys.argv[2]](Path(sys.argv[3]))
        return
    given = arguments(str(__doc__), 0, repeat=3, rows=1_000_000)
    show_host()
    with tempfile.TemporaryDirectory() as name:
        fill(Path(name), given.rows)
        runs = [
            (
                in_a_process(__file__, "child", "reading", name),
                in_a_process(__file__, "child", "report", name),
            )
            for _ in range(given.repeat)
        ]
    base, made = [run[0][0] for run in runs], [run[1][0] for run in runs]
    _, memory, page, files = runs[-1][1]
    note = f"{memory:,.0f} MiB, page of {page:.1f} MB, {files:.1f} MB with the tables"
    rows = [Row("read the columns", base, base), Row("report without thumbnails", made, base, note)]
    show("The report", f"{given.rows:,} images", "seconds of processor time", "reading the columns", rows)


if __name__ == "__main__":
    main()
