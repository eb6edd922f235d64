"""Sources that are made up: empty archives, and the listings that a scan of full ones would leave."""

from __future__ import annotations

import contextlib
import functools
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _columns import CHUNK, below, chosen, decimal, joined, uuids, where

from tol_luigi.core.layout import Layout
from tol_luigi.core.ledger import State
from tol_luigi.sources import SOURCES
from tol_luigi.store.listings import listing_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _columns import Numbers
    from _life import Life
    from _sizes import Places
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    _About = Callable[[Numbers], dict[str, pa.Array]]

INAT21_ARCHIVE, BIOSCAN_ARCHIVE = "train.tar.gz", "cropped_256.zip"
PUBLISHED_ID = {"eol": 200, "bioscan": 201, "inat21": 202}
"""The salts of published ids."""

_SIZE, _BLOCK = 210, 512
_BYTES = {"eol": 300_000, "inat21": 80_000, "bioscan": 12_000}
"""How long files of a source are, on average."""


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
    for number, ends in enumerate(itertools.pairwise(life.sizes.bounds("eol"))):
        about = _eol_by_id if by_id(number, published=published) else _eol
        name = archive_name(number)
        with _listing(layout.listing("eol", name), "eol") as write:
            write(name, np.arange(*ends, dtype=np.uint64), functools.partial(about, life))
    with _listing(layout.listing("inat21", "archive"), "inat21") as write:
        bounds = list(itertools.pairwise(life.sizes.bounds("inat21")))
        for group in range(life.sizes.groups):
            classes = [np.arange(*ends, dtype=np.uint64) for ends in bounds[group :: life.sizes.groups]]
            write(f"{group:03d}", np.concatenate(classes), functools.partial(_inat21, life))
    with _listing(layout.listing("bioscan", "archive"), "bioscan") as write:
        parts = enumerate(itertools.pairwise(life.sizes.bounds("bioscan")), start=1)
        for part, ends in sorted(parts, key=lambda pair: str(pair[0])):
            write(f"part{part}", np.arange(*ends, dtype=np.uint64), functools.partial(_bioscan, life, part))


@contextlib.contextmanager
def _listing(path: Path, source: str) -> Iterator[Callable[[str, Numbers, _About], None]]:
    """Write a listing a partition at a time, in the order of their names: the row groups that ``write_listing`` makes."""
    with written_listing(path, source) as written:

        def write(partition: str, images: Numbers, about: _About) -> None:
            pieces = [about(images[first : first + CHUNK]) for first in range(0, len(images), CHUNK)]
            told = {name: pa.chunked_array([piece[name] for piece in pieces]) for name in pieces[0]}
            mean = _BYTES[source]
            told |= {
                "size": pa.array(mean // 2 + below(images, _SIZE, mean)),
                "offset": pa.array((images.astype(np.int64) * 2 * mean // _BLOCK + 1) * _BLOCK),
            }
            written(partition, told)

        yield write


@contextlib.contextmanager
def written_listing(
    path: Path, source: str
) -> Iterator[Callable[[str, dict[str, pa.Array | pa.ChunkedArray]], None]]:
    """Write a listing a partition at a time, given the columns that are not the same for all files."""
    schema = listing_schema(SOURCES[source].columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:

        def write(partition: str, told: dict[str, pa.Array | pa.ChunkedArray]) -> None:
            count = len(told["size"])
            every = {
                "partition": pa.repeat(partition, count),
                "position": pa.array(np.arange(count)),
                **told,
            }
            nothing = pa.repeat("", count)
            writer.write_table(pa.table([every.get(name, nothing) for name in schema.names], schema=schema))

        yield write


def _eol(life: Life, images: Numbers) -> dict[str, pa.Array]:
    content, page, _ = life.eol(images)
    named = joined(decimal(content), "_", decimal(page), "_eol-full-size-copy.jpg")
    misnamed = life.is_misnamed(images)
    return {
        "member": where(misnamed, joined(decimal(content), "_thumbnail.jpg"), named),
        "content_id": pa.array(content, mask=misnamed),
        "page_id": pa.array(page, mask=misnamed),
        "state": where(misnamed, str(State.BAD_NAME), ""),
        "reason": where(misnamed, "name with one id only", ""),
    }


def _eol_by_id(life: Life, images: Numbers) -> dict[str, pa.Array]:
    del life
    ids, none = uuids(images, PUBLISHED_ID["eol"]), pa.nulls(len(images), pa.int64())
    return {"member": joined(ids, ".jpg"), "id": ids, "content_id": none, "page_id": none}


def _inat21(life: Life, images: Numbers) -> dict[str, pa.Array]:
    number, name = class_of(life, images)
    file = life.inat21(images)
    member = joined("train/", decimal(number, 5), "_", name, "/", file)
    return {"member": member, "filename": file, "cls_name": name, "cls_num": pa.array(number)}


def _bioscan(life: Life, part: int, images: Numbers) -> dict[str, pa.Array]:
    _, file = life.insect_files(images)
    member = joined(f"bioscan/images/cropped_256/part{part}/", file)
    return {"member": member, "part": pa.repeat(part, len(images)), "filename": file}


def class_of(life: Life, images: Numbers) -> tuple[Ints, pa.Array]:
    """Give number and name of the class of images of iNat21."""
    bounds = np.array(life.sizes.bounds("inat21"))
    number = np.searchsorted(bounds, images.astype(np.int64), side="right") - 1
    return number, chosen(life.classes, number)
