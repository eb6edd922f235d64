"""Sources that are made up: empty archives, and the listings that a scan of full ones would leave."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _columns import chosen, decimal, joined, uuids

from tol_luigi.sources.bioscan import Bioscan
from tol_luigi.sources.eol import Eol
from tol_luigi.sources.inat21 import INat21
from tol_luigi.store.listings import listing_schema
from tol_luigi.tasks.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _columns import Numbers
    from _life import Life
    from _sizes import Places

    from tol_luigi.core.source import Column

INAT21_ARCHIVE, BIOSCAN_ARCHIVE = "train.tar.gz", "cropped_256.zip"
PUBLISHED_ID = {"eol": 200, "bioscan": 201, "inat21": 202}
"""The salts of published ids."""

_SIZE, _BLOCK = 210, 512
_BYTES = {"eol": 300_000, "inat21": 80_000, "bioscan": 12_000}
_KINDS = {"eol": Eol, "inat21": INat21, "bioscan": Bioscan}


def archive_name(number: int) -> str:
    """Name an archive of EOL, counted from 0, without its ending."""
    return f"image_set_{number + 1:02d}"


def by_id(archive: int, *, published: bool) -> bool:
    """Tell whether the files of an archive bear published ids: with a published mapping, those of every other one."""
    return published and archive % 2 == 0


def make_sources(places: Places, life: Life, *, published: bool) -> None:
    """Make the archives, and their listings as finished scans leave them."""
    eol = places.sources / "eol"
    eol.mkdir(parents=True)
    for number in range(life.sizes.archives):
        (eol / f"{archive_name(number)}.tar.gz").touch()
    for name in (INAT21_ARCHIVE, BIOSCAN_ARCHIVE):
        (places.sources / name).touch()
    layout = Layout(places.dataset, "")
    bounds = life.sizes.bounds("eol")
    for number, (start, stop) in enumerate(zip(bounds, bounds[1:], strict=False)):
        name = archive_name(number)
        with _listing(layout.listing("eol", name), "eol") as write:
            write(name, lambda rows, number=number: _eol(life, rows, by_id(number, published=published)), [(start, stop)])
    with _listing(layout.listing("inat21", "archive"), "inat21") as write:
        for group in range(life.sizes.groups):
            write(f"{group:03d}", lambda rows: _inat21(life, rows), _class_ranges(life, group))
    with _listing(layout.listing("bioscan", "archive"), "bioscan") as write:
        bounds = life.sizes.bounds("bioscan")
        for part in sorted(range(1, life.sizes.parts + 1), key=str):
            write(f"part{part}", lambda rows, part=part: _bioscan(life, rows, part), [(bounds[part - 1], bounds[part])])


def _class_ranges(life: Life, group: int) -> list[tuple[int, int]]:
    """Give where the images of the classes of a partition of iNat21 are."""
    bounds = life.sizes.bounds("inat21")
    return [(bounds[number], bounds[number + 1]) for number in range(group, life.sizes.classes, life.sizes.groups)]


@contextlib.contextmanager
def _listing(path: Path, source: str) -> Iterator[Callable[..., None]]:
    """Write a listing a partition at a time, in the order of their names; as ``write_listing`` does, row group by row group."""
    schema = listing_schema(_KINDS[source].columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:

        def write(
            partition: str, about: Callable[[Numbers], dict[str, pa.Array]], ranges: list[tuple[int, int]]
        ) -> None:
            rows = np.concatenate([np.arange(start, stop, dtype=np.uint64) for start, stop in ranges])
            pieces = [about(rows[first : first + 100_000]) for first in range(0, len(rows), 100_000)]
            columns = {name: pa.chunked_array([piece[name] for piece in pieces]) for name in pieces[0]}
            size = pa.array(_BYTES[source] // 2 + (rows * np.uint64(7919) % np.uint64(_BYTES[source])).astype(np.int64))
            columns |= {
                "partition": pa.repeat(partition, len(rows)),
                "position": pa.array(np.arange(len(rows))),
                "size": size,
                "offset": pa.array((rows.astype(np.int64) * 2 * _BYTES[source] // _BLOCK + 1) * _BLOCK),
                **{name: pa.repeat("", len(rows)) for name in ("id", "state", "reason") if name not in columns},
            }
            writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))

        yield write


def _eol(life: Life, rows: Numbers, with_ids: bool) -> dict[str, pa.Array]:
    if with_ids:
        ids = uuids(rows, PUBLISHED_ID["eol"])
        none = pa.nulls(len(rows), pa.int64())
        return {"member": joined(ids, ".jpg"), "id": ids, "content_id": none, "page_id": none}
    content, page, _ = life.eol(rows)
    member = joined(decimal(content), "_", decimal(page), "_eol-full-size-copy.jpg")
    return {"member": member, "content_id": pa.array(content), "page_id": pa.array(page)}


def class_of(life: Life, rows: Numbers) -> tuple[np.ndarray, pa.Array]:
    """Give number and name of the class of images of iNat21."""
    bounds = np.array(life.sizes.bounds("inat21"))
    number = np.searchsorted(bounds, rows.astype(np.int64), side="right") - 1
    return number, chosen(life.classes, number)


def _inat21(life: Life, rows: Numbers) -> dict[str, pa.Array]:
    number, name = class_of(life, rows)
    file = life.inat21(rows)
    member = joined("train/", decimal(number, 5), "_", name, "/", file)
    return {"member": member, "filename": file, "cls_name": name, "cls_num": pa.array(number)}


def _bioscan(life: Life, rows: Numbers, part: int) -> dict[str, pa.Array]:
    _, file = life.insect_files(rows)
    member = joined(f"bioscan/images/cropped_256/part{part}/", file)
    return {"member": member, "part": pa.repeat(part, len(rows)), "filename": file}
