"""A published mapping that is made up: of nearly all images of the sources, and of some that no source holds."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from _columns import chunks, fractions, uuids
from _sources import PUBLISHED_ID, class_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _columns import Numbers
    from _life import Life

_SHARE = 0.01
"""How many images it lacks, and how many more it has that no source holds."""

_VAL, _TRAIN_SMALL = 0.05, 0.1
_LACKING, _SPLIT, _SMALL = range(500, 503)
_CACHE = -512 * 1024  # in KiB
_TABLES = {
    "eol": "content_id INT, page_id INT",
    "inat21": "filename TEXT, cls_name TEXT, cls_num INT",
    "bioscan": "part INT, filename TEXT",
}


def make_mapping(path: Path, life: Life) -> None:
    """Write the four published tables, in the order in which the images lie: their ids have none."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for name, value in (("journal_mode", "off"), ("synchronous", "off"), ("cache_size", _CACHE)):
            database.execute(f"PRAGMA {name} = {value}")
        for source, columns in _TABLES.items():
            database.execute(f"CREATE TABLE {source} ({columns}, evobio10m_id TEXT PRIMARY KEY)")
        database.execute(
            "CREATE TABLE split (evobio10m_id TEXT PRIMARY KEY, is_val INTEGER, is_train_small INTEGER)"
        )
        database.execute("BEGIN")
        for source in _TABLES:  # each index on its own, so that it fits into the cache
            for numbers in _listed(life, source):
                _insert(
                    database, source, [*_keys(life, source, numbers), uuids(numbers, PUBLISHED_ID[source])]
                )
        for source in _TABLES:
            for numbers in _listed(life, source):
                ids = uuids(numbers, PUBLISHED_ID[source])
                is_val = fractions(numbers, _SPLIT) < _VAL
                is_small = ~is_val & (fractions(numbers, _SMALL) < _TRAIN_SMALL)
                flags = [pa.array(flag.astype(np.int8)) for flag in (is_val, is_small)]
                _insert(database, "split", [ids, *flags])
        database.execute("COMMIT")


def _listed(life: Life, source: str) -> Iterator[Numbers]:
    """Give the numbers of the images that it lists: those beyond the last one of a source are of images that are nowhere."""
    count = getattr(life.sizes, source)
    for numbers in chunks(0, count + max(1, int(count * _SHARE))):
        is_listed = (fractions(numbers, _LACKING) >= _SHARE) | (numbers >= count)
        if source == "eol":
            is_listed &= ~life.is_misnamed(numbers) & ~life.is_repeated(numbers)
        yield numbers[is_listed]


def _keys(life: Life, source: str, numbers: Numbers) -> list[pa.Array]:
    """Give the natural keys of images."""
    if source == "eol":
        return [pa.array(key) for key in life.eol(numbers)[:2]]
    if source == "bioscan":
        part = np.minimum(numbers // np.uint64(life.sizes.of_part), np.uint64(life.sizes.parts - 1))
        return [pa.array(part + np.uint64(1)), life.insect_files(numbers)[1]]
    number, name = class_of(life, numbers % np.uint64(life.sizes.inat21))
    return [life.inat21(numbers), name, pa.array(number)]


def _insert(database: sqlite3.Connection, table: str, columns: list[pa.Array]) -> None:
    places = ", ".join("?" * len(columns))
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 (the names are our own)
