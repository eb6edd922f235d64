"""``licenses.csv``: licence and owner of each image.

The sources yield licences in their own order, but the file has the order of the catalog. So the licences are first
distributed to stretches of the catalog that fit into memory. The images of licences are found by the hashes of their keys,
in parts that fit into memory, too.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.license_names import license_url, spdx_name
from tol_luigi.core.source import License
from tol_luigi.store.catalogs import in_row_groups
from tol_luigi.store.csv_text import csv_text
from tol_luigi.store.hash_index import HashIndex, hash_rows
from tol_luigi.store.row_groups import pieces
from tol_luigi.store.spools import number_of_parts, spooled

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tol_luigi.core.source import Source
    from tol_luigi.store.hash_index import Hashes
    from tol_luigi.store.spools import Spool

__all__ = ["LICENSE_FIELDS", "images_with_licenses", "license_link", "write_licenses"]

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
_STATED = "stated"
LICENSE_FIELDS = License._fields[1:]
"""The columns with the licence of an image."""

_TEXTS = pa.schema([(name, pa.string()) for name in License._fields])
_LICENSES = _TEXTS.insert(0, pa.field("row", pa.int64()))
"""The licence of an image, with the row of the image in ``licenses.csv``."""

_HASHED = pa.schema([("hash", pa.uint64()), ("row", pa.int64())])
"""The hash of the key of an image, with its row."""

_BATCH = 100_000
"""Licences distributed at a time."""

_STRETCH = 131_072
"""Images per stretch."""

_PART = 1 << 21
"""Images whose keys are in an index at a time."""

_HELD = 1 << 18
"""Licences in memory before they are written to a scratch file."""


def license_link(name: str) -> str:
    """Return the URL of a licence by EOL's name for it, "" if unknown."""
    if matched := _CREATIVE_COMMONS.fullmatch(name):
        return f"https://creativecommons.org/licenses/{matched[1]}/{matched[2]}/"
    return _PUBLIC_DOMAIN.get(name, "")


def write_licenses(path: Path, catalog: Path, sources: Mapping[str, Source], stretch: int = _STRETCH) -> None:
    """Write one line for every image; the licence is empty if the source publishes none, and none is stated for all its images.

    Args:
        path: The CSV to write atomically, in the order of the catalog.
        catalog: The final catalog; its rows of train_small repeat others and are skipped.
        sources: The sources, by name. If a source has two licences for an image, the first is used.
        stretch: The number of images to process at a time.

    Source: the published ``licenses.csv``, which has the images of EOL only.
    """
    with committed(path) as scratch, scratch.open("wb") as text:
        text.write(csv_text(pa.table({name: [name] for name in _COLUMNS})))
        images = images_with_licenses(path, catalog, sources, _COLUMNS[:4], stretch=stretch)
        with contextlib.closing(images):
            stated = {source.license for source in sources.values()}
            for piece in images:
                text.write(csv_text(_lines(piece, stated)))


def images_with_licenses(
    output: Path,
    catalog: Path,
    sources: Mapping[str, Source],
    columns: Sequence[str],
    *,
    has_keys: bool = False,
    stretch: int = _STRETCH,
) -> Generator[pa.Table]:
    """Yield the images of a catalog with their licences, in the order of the catalog.

    Args:
        output: The file to be written; the scratch files are in its folder, and removed at the end.
        catalog: The final or the predicted catalog; rows of train_small repeat others and are skipped.
        sources: The sources, by name.
        columns: The columns of the catalog to read.
        has_keys: Whether to spell the natural keys of all images, not only of those that can have a licence.
        stretch: The number of images to process at a time.

    Yields:
        The columns, ``key`` (the source and the natural key, ``<source>/<key>``), and :data:`LICENSE_FIELDS`, which are ""
        if unknown. The licence of an image without one of its own is that stated for its source.
    """
    started = {name: _unless_empty(source.licenses()) for name, source in sources.items()}
    by_source = {name: licenses for name, licenses in started.items() if licenses is not None}
    spelled = sources if has_keys else {name: sources[name] for name in by_source}
    stated = {name: source.license for name, source in sources.items()}
    with spooled(output, _LICENSES, _HELD) as located:
        count = pq.read_metadata(catalog).num_rows
        keyed = _images(catalog, spelled, (), {})
        _distribute(output, by_source, keyed, located, count=count, stretch=stretch)
        tables = in_row_groups(_images(catalog, spelled, columns, stated), stretch)
        for number, images in enumerate(tables):
            yield _joined(images, located.part(number), number * stretch)


def _unless_empty(licenses: Iterator[pa.Table]) -> Iterator[pa.Table] | None:
    """Return an equivalent iterator, or None if it is empty."""
    first = next(filter(len, licenses), None)
    return None if first is None else itertools.chain([first], licenses)


def _images(
    catalog: Path, spelled: Mapping[str, Source], columns: Sequence[str], stated: Mapping[str, str]
) -> Iterator[pa.Table]:
    """Yield some columns of the images, in catalog order, with source and natural key as one string, and ``stated``.

    The key is null for images of other sources than those in ``spelled``, and ``stated`` is the licence stated for all images
    of the source, "" if there is none.
    """
    names, values = pa.array(list(stated), pa.string()), pa.array([*stated.values()], pa.string())
    parts = [column.catalog for source in spelled.values() for column in source.columns]
    for rows in pieces(catalog, list(dict.fromkeys([*columns, "split", "source", *parts]))):
        images = rows.filter(pc.not_equal(rows["split"], "train_small")).combine_chunks()
        keys = pa.nulls(len(images), pa.string())
        for source in spelled.values():
            mine = pc.equal(images["source"], source.name).combine_chunks()
            if pc.any(mine).as_py():
                keys = pc.replace_with_mask(keys, mine, _spelled(images.filter(mine), source))
        which = pc.index_in(images["source"].combine_chunks().cast(pa.string()), value_set=names)
        licenses = pc.fill_null(values.take(which), "")
        yield images.select(columns).append_column("key", keys).append_column(_STATED, licenses)


def _spelled(images: pa.Table, source: Source) -> pa.Array:
    """Return the natural keys of images of one source as strings, prefixed with its name."""
    parts = [images[column.catalog].combine_chunks() for column in source.columns]
    if source.key.spelling == "/".join(["{}"] * len(parts)):  # one operation on columns is many times as fast
        return pc.binary_join_element_wise(source.name, *(part.cast(pa.string()) for part in parts), "/")
    spell = f"{source.name}/{source.key.spelling}".format
    return pa.array(map(spell, *(part.to_pylist() for part in parts)), pa.string())


def _distribute(
    output: Path,
    by_source: Mapping[str, Iterable[pa.Table]],
    images: Iterable[pa.Table],
    located: Spool,
    *,
    count: int,
    stretch: int,
) -> None:
    """Add the licences to a spool, by the stretch of the catalog that contains their images.

    Args:
        output: The file to be written.
        by_source: The licences of each source.
        images: The images with their keys, in the order of the catalog.
        located: The spool.
        count: At least the number of images.
        stretch: The number of images per stretch.
    """
    if not by_source:
        return
    parts = number_of_parts(count, _PART)
    with spooled(output, _HASHED) as hashed, spooled(output, _TEXTS, _HELD) as waiting:
        start = 0
        for piece in images:
            rows = np.flatnonzero(pc.is_valid(piece["key"]))
            hashes = hash_rows(piece.select(["key"]).take(pa.array(rows)))
            hashed.add(pa.table([hashes, rows + start], schema=_HASHED), _parts_of(hashes, parts))
            start += len(piece)
        index = -1
        for part, licenses in _by_part(_tables(by_source), parts, waiting):
            if part != index:
                index, known = part, hashed.part(part)
                found = HashIndex(known["hash"].to_numpy())
                rows = known["row"].to_numpy()
            mine = _located(licenses, found, rows)
            located.add(mine, mine["row"].to_numpy() // stretch)


def _parts_of(hashes: Hashes, count: int) -> NDArray[np.int64]:
    """Return the part of each hash."""
    return ((hashes >> np.uint64(32)).astype(np.int64) * count) >> 32


def _by_part(tables: Iterator[pa.Table], parts: int, waiting: Spool) -> Iterator[tuple[int, pa.Table]]:
    """Yield licences with the part of the hashes of their keys, in the order of the parts."""
    if parts == 1:
        yield from ((0, table) for table in tables)
        return
    for table in tables:
        waiting.add(table, _parts_of(hash_rows(table.select(["key"])), parts))
    for part in range(parts):
        yield from ((part, table) for table in in_row_groups([waiting.part(part)], _BATCH))


def _tables(by_source: Mapping[str, Iterable[pa.Table]]) -> Iterator[pa.Table]:
    """Yield the licences as tables, with keys prefixed with the names of the sources."""
    for name, licenses in by_source.items():
        for table in in_row_groups(licenses, _BATCH):
            keys = pc.binary_join_element_wise(name, table["key"], "/")
            yield table.set_column(0, "key", keys)


def _located(licenses: pa.Table, index: HashIndex, rows: NDArray[np.int64]) -> pa.Table:
    """Return licences with the rows of their images, sorted by row."""
    which, found = index.pairs(hash_rows(licenses.select(["key"])))
    found = rows[found]
    order = np.argsort(found, kind="stable")
    texts = licenses.take(pa.array(which[order]))
    return pa.table([pa.array(found[order]), *texts.columns], schema=_LICENSES)


def _joined(images: pa.Table, licenses: pa.Table, start: int) -> pa.Table:
    """Join images with their licences.

    Args:
        images: A stretch of the catalog.
        licenses: Its licences, possibly with others whose keys have the same hashes.
        start: The first row of the stretch.
    """
    rows = licenses["row"].to_numpy() - start
    same = pc.equal(licenses["key"], images["key"].take(pa.array(rows))).to_numpy()
    licenses, rows = licenses.filter(pa.array(same)), rows[same]
    first = np.full(len(images), len(licenses))
    first[rows[::-1]] = np.arange(len(licenses))[::-1]  # the last assignment wins
    found = licenses.take(pa.array(first, mask=first == len(licenses)))
    for field in LICENSE_FIELDS:
        images = images.append_column(field, found[field].fill_null(""))
    place = images.column_names.index("name")
    name = pc.if_else(pc.equal(images["name"], ""), images[_STATED], images["name"])
    return images.set_column(place, "name", name).drop_columns([_STATED])


def _lines(images: pa.Table, stated: Collection[str]) -> pa.Table:
    """Return images with their licences as the lines of ``licenses.csv``; a stated licence has its link in any spelling."""
    names = images["name"].combine_chunks().dictionary_encode()
    texts = names.dictionary.to_pylist()
    links = pa.array(
        [license_link(name) or (license_url(spdx_name(name)) if name in stated else "") for name in texts],
        pa.string(),
    )
    owners = images["owner"]
    columns = [
        *images.select(_COLUMNS[:4]).columns,
        images["medium_url"],
        images["full_size_url"],
        names,
        pc.if_else(pc.equal(owners, ""), _UNKNOWN, owners),
        pa.DictionaryArray.from_arrays(names.indices, links),
        pa.repeat(_UNKNOWN, len(images)),
    ]
    return pa.table(columns, names=list(_COLUMNS))
