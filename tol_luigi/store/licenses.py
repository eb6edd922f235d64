"""``licenses.csv``: under which licence, and whose, each image is.

What the sources tell comes in their order, and goes into the file in that of the catalog. So it is dealt, as it is
read, to stretches of the catalog that fit into memory, which wait in a file; of an image in memory there are sixteen
bytes all the while.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from tol_luigi.core.batches import batched
from tol_luigi.core.files import committed, scratch_beside
from tol_luigi.core.source import License
from tol_luigi.store.catalogs import in_row_groups
from tol_luigi.store.csv_text import csv_text
from tol_luigi.store.hash_index import HashIndex, hash_rows
from tol_luigi.store.row_groups import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tol_luigi.core.source import Source

__all__ = ["license_link", "write_licenses"]

_COLUMNS = (
    "treeoflife_id",
    "eol_content_id",
    "eol_page_id",
    "md5",
    "medium_source_url",
    "eol_full_size_copy_url",
    "license_name",
    "copyright_owner",
    "license_link",
    "title",
)
_UNKNOWN = "not provided"
_CREATIVE_COMMONS = re.compile(r"cc-(by(?:-nc)?(?:-sa|-nd)?)-(\d\.\d)")
_PUBLIC_DOMAIN = {
    "cc-publicdomain": "https://creativecommons.org/publicdomain/mark/1.0/",
    "cc-0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
_TOLD = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in License._fields)])
"""What a source tells of an image, with the row of the image in ``licenses.csv``."""

_FEW = 1_000
"""Licences held one by one: few, so that they stay in the processor's cache."""

_BATCH = 100_000
"""Licences dealt at a time."""

_STRETCH = 131_072
"""Images worked on at a time."""


def license_link(name: str) -> str:
    """Give the address of a licence by EOL's name for it, "" where there is none."""
    if matched := _CREATIVE_COMMONS.fullmatch(name):
        return f"https://creativecommons.org/licenses/{matched[1]}/{matched[2]}/"
    return _PUBLIC_DOMAIN.get(name, "")


def write_licenses(path: Path, catalog: Path, sources: Mapping[str, Source], stretch: int = _STRETCH) -> None:
    """Write a line for every image of the sources that tell licences.

    Args:
        path: The CSV to write, whole or not at all, in the order of the catalog.
        catalog: The final catalog; its rows of train_small repeat others and are passed over.
        sources: The sources, by name. Of an image they tell something of twice, the first counts.
        stretch: How many images are worked on at a time.

    Source: the published ``licenses.csv``.
    """
    begun = {name: _begun(source.licenses()) for name, source in sources.items()}
    told = {name: licenses for name, licenses in begun.items() if licenses is not None}
    telling = {name: sources[name] for name in told}
    dealt = scratch_beside(path)
    try:
        with committed(path) as scratch, scratch.open("wb") as text:
            text.write(csv_text(pa.table({name: [name] for name in _COLUMNS})))
            hashes = [hash_rows(images.select(["key"])) for images in _images(catalog, telling)]
            index = HashIndex(np.concatenate([np.empty(0, np.uint64), *hashes]))
            numbers = _deal(dealt, told, index, stretch)
            with ipc.open_file(dealt) as file:
                for number, images in enumerate(in_row_groups(_images(catalog, telling), stretch)):
                    batches = [file.get_batch(batch) for batch in numbers.get(number, [])]
                    known = pa.Table.from_batches(batches, _TOLD)
                    text.write(csv_text(_lines(images, known, number * stretch)))
    finally:
        with contextlib.suppress(OSError):  # on a disk that nobody may write to; what was wrong has been told
            dealt.unlink()


def _begun(licenses: Iterator[License]) -> Iterator[License] | None:
    """Give back what begins, None where there is nothing."""
    first = next(licenses, None)
    return None if first is None else itertools.chain([first], licenses)


def _images(catalog: Path, telling: Mapping[str, Source]) -> Iterator[pa.Table]:
    """Give the images of some sources, in the order of the catalog, each with source and natural key as one text."""
    parts = [column.catalog for source in telling.values() for column in source.columns]
    columns = list(dict.fromkeys([*_COLUMNS[:4], "split", "source", *parts]))
    for rows in pieces(catalog, columns):
        told = pc.is_in(rows["source"], value_set=pa.array(list(telling), pa.string()))
        images = rows.filter(pc.and_(told, pc.not_equal(rows["split"], "train_small"))).combine_chunks()
        keys = pa.nulls(len(images), pa.string())
        for source in telling.values():
            mine = pc.equal(images["source"], source.name).combine_chunks()
            keys = pc.replace_with_mask(keys, mine, _spelled(images.filter(mine), source))
        yield images.select(_COLUMNS[:4]).append_column("key", keys)


def _spelled(images: pa.Table, source: Source) -> pa.Array:
    """Write the natural keys of images of one source, with its name in front."""
    parts = [images[column.catalog].combine_chunks() for column in source.columns]
    if source.key.spelling == "/".join(
        ["{}"] * len(parts)
    ):  # done for all of them at once, many times as fast
        return pc.binary_join_element_wise(source.name, *(part.cast(pa.string()) for part in parts), "/")
    spell = f"{source.name}/{source.key.spelling}".format
    return pa.array(map(spell, *(part.to_pylist() for part in parts)), pa.string())


def _deal(
    path: Path, told: Mapping[str, Iterable[License]], index: HashIndex, stretch: int
) -> dict[int, list[int]]:
    """Write down what the sources tell, each batch of it about images of one stretch of the catalog.

    Args:
        path: The file to write.
        told: What each source tells.
        index: Of the keys of the images, in the order of the catalog.
        stretch: How many images a stretch has.

    Returns:
        The numbers of the batches about a stretch, in the order in which they were told.
    """
    numbers: dict[int, list[int]] = {}
    count = itertools.count()
    with ipc.new_file(path, _TOLD, options=ipc.IpcWriteOptions(compression="lz4")) as file:
        for found in (_found(licenses, index) for licenses in _collected(told)):
            stretches, starts = np.unique(found["row"].to_numpy() // stretch, return_index=True)
            sizes = np.diff(np.append(starts, len(found)))
            for number, start, size in zip(stretches.tolist(), starts, sizes, strict=True):
                file.write_batch(found.slice(start, size))
                numbers.setdefault(number, []).append(next(count))
    return numbers


def _collected(told: Mapping[str, Iterable[License]]) -> Iterator[pa.Table]:
    """Collect what the sources tell in tables, whose keys have the names of the sources in front."""
    for name, licenses in told.items():
        few = (
            [pa.array(texts, pa.string()) for texts in zip(*batch, strict=True)]
            for batch in batched(licenses, _FEW)
        )
        tables = (pa.table(columns, names=License._fields) for columns in few)
        for table in in_row_groups(tables, _BATCH):
            yield table.set_column(0, "key", pc.binary_join_element_wise(name, table["key"], "/"))


def _found(licenses: pa.Table, index: HashIndex) -> pa.RecordBatch:
    """Find the images that something is told of, and put what is told into their order."""
    which, rows = index.pairs(hash_rows(licenses.select(["key"])))
    order = np.argsort(rows, kind="stable")
    texts = licenses.take(pa.array(which[order])).combine_chunks()
    return pa.record_batch(
        [pa.array(rows[order]), *(text.combine_chunks() for text in texts.columns)], schema=_TOLD
    )


def _lines(images: pa.Table, told: pa.Table, start: int) -> pa.Table:
    """Join images with what is told of them.

    Args:
        images: A stretch of the catalog.
        told: What is told of it, and perhaps of others whose keys have the same hashes.
        start: Its first row.
    """
    rows = told["row"].to_numpy() - start
    same = pc.equal(told["key"], images["key"].take(pa.array(rows))).to_numpy()
    told, rows = told.filter(pa.array(same)), rows[same]
    first = np.full(len(images), len(told))
    first[rows[::-1]] = np.arange(len(told))[::-1]  # the last that is assigned stays
    found = told.take(pa.array(first, mask=first == len(told)))
    names = found["name"].fill_null("").combine_chunks().dictionary_encode()
    links = pa.array([license_link(name) for name in names.dictionary.to_pylist()], pa.string())
    owners = found["owner"].fill_null("")
    columns = [
        *images.select(_COLUMNS[:4]).columns,
        found["medium_url"],
        found["full_size_url"],
        names,
        pc.if_else(pc.equal(owners, ""), _UNKNOWN, owners),
        pa.DictionaryArray.from_arrays(names.indices, links),
        pa.repeat(_UNKNOWN, len(images)),
    ]
    return pa.table(columns, names=list(_COLUMNS))
