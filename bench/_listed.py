"""Make a listing of images by URL of any size, and what fetching and scanning them would leave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _columns import below, chosen, chunks, decimal, joined, often_low
from _sizes import FULL, Places, Sizes
from _sources import written_listing
from _table import peak_mib
from _tree import SPECIES, Tree

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.core.taxon import RANK_LABELS

if TYPE_CHECKING:
    from _columns import Numbers

SOURCE = "table"

_SPECIES, _LICENSE, _OWNER, _SIZE = range(600, 640, 10)
_SERVERS, _OWNERS, _OF_PARTITION, _LANES = 64, 300_000, 100_000, 16
_BYTES = 80_000
_TEXTS = ("url", "key", *RANK_LABELS, "license", "owner", "page")


def make_listed(folder: Path, images: int) -> Path:
    """Make the listing and the settings; the same arguments give the same bytes.

    Args:
        folder: Where it goes; nothing of it may be there.
        images: How many images. The taxa are at most as many as those of ten million images.

    Returns:
        The settings file.
    """
    places, tree = Places(folder), Tree(Sizes(min(images, FULL)).ranks)
    places.tables.mkdir(parents=True)
    schema = pa.schema([(name, pa.string()) for name in _TEXTS])
    with pq.ParquetWriter(places.tables / "urls.parquet", schema, compression="zstd") as writer:
        for numbers in chunks(0, images):
            writer.write_table(pa.table(_rows(tree, numbers), schema=schema))
    partitions = max(_LANES, images // _OF_PARTITION)
    places.settings.write_text(
        "[dataset]\nroot = built\ntag = full\n"
        f"[{SOURCE}]\nimages = tables/urls.parquet\npartitions = {partitions}\n"
        "[fetch]\ncontact = bench@example.org\n[report]\nthumbnails = 0\n",
        encoding="utf-8",
    )
    return places.settings


def _rows(tree: Tree, numbers: Numbers) -> list[pa.Array]:
    species = often_low(numbers, _SPECIES, tree.counts[SPECIES])
    server = decimal(numbers % np.uint64(_SERVERS))
    return [
        joined("https://images", server, ".example.org/photos/", decimal(numbers), ".jpg"),
        decimal(numbers),
        *tree.lineage(SPECIES, species),
        chosen(["cc-by", "cc-by-nc", "cc0"], below(numbers, _LICENSE, 3)),
        joined("observer ", decimal(below(numbers, _OWNER, _OWNERS))),
        joined("https://www.example.org/observations/", decimal(numbers // np.uint64(2))),
    ]


def leave_fetched() -> None:
    """Leave, of each partition, an empty archive, a table, the listing of a scan, and the receipts."""
    import tol_luigi  # noqa: PLC0415 (it reads the settings that the environment names)
    from tol_luigi.store.row_groups import Rows  # noqa: PLC0415 (as above)

    with Rows(tol_luigi.ListUrls(source=SOURCE).files()[0]) as urls:
        for scan in tol_luigi.MakeMapping().requires():
            keys = urls.rows({"partition": [scan.partition]}, ["key"])["key"].combine_chunks()
            fetch = scan.requires()
            for path in fetch.files():
                path.touch()
            fetch.write_receipt(fetch.inputs())
            numbers = np.arange(len(keys), dtype=np.uint64)
            told = {
                "member": joined(keys, ".jpg"),
                "size": pa.array(_BYTES // 2 + below(numbers, _SIZE, _BYTES)),
                "offset": pa.array(numbers.astype(np.int64) * 2 * _BYTES),
                "collection": pa.repeat("own", len(keys)),
                "key": keys,
            }
            path = scan.layout.listing(SOURCE, scan.partition)
            with written_listing(path, SOURCE) as write:
                write(scan.partition, told)
            scan.write_sightings()
            scan.write_receipt(scan.inputs())


if __name__ == "__main__":
    if sys.argv[1:] == ["fetched"]:
        leave_fetched()
    else:
        print(make_listed(Path(sys.argv[1]), int(sys.argv[2])))
    print(processor_seconds(), peak_mib())
