"""The two catalogs, each as CSV with the published columns and as Parquet with more.

Both are written and read a row group at a time. One of the predicted catalog holds rows of one partition, so that a
worker reads its own rows only; those of the final catalog are all of the same size, which suits whoever reads it
through, and tell of any image id whether they hold it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tol_luigi.core.files import committed
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.store.csv_text import csv_text
from tol_luigi.store.row_groups import pieces, rows_with

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from tol_luigi.core.source import Column, SourceInfo

__all__ = [
    "CLASS_INDEX",
    "NAME_RULES",
    "catalog_schema",
    "count_by_split",
    "count_samples",
    "in_row_groups",
    "partition_rows",
    "predicted_schema",
    "write_catalog",
]

CLASS_INDEX = "class_index"

NAME_RULES = "name_rules"
"""The column of the rules that have touched a name: see :class:`~tol_luigi.core.name_rules.NameRule`."""

ROW_GROUP = 122_880
"""The most rows of a row group: as many as DuckDB works through at a time."""

_REPEATED = pa.dictionary(pa.int32(), pa.string())
"""Texts that stand in many rows: each is kept once in a row group, and pandas reads them as categories."""

_FALSE_FINDS = 0.02
"""How often a row group may seem to hold an id that it does not: so the filter of a full one has 128 KiB."""

_ID, _FLAGS = "treeoflife_id", "flags"
_FLAGS_IN_PARQUET = f"{_FLAGS}.list.element"


def _key_field(column: Column) -> pa.Field:
    if column.type is int:
        return pa.field(column.catalog, pa.int64())
    return pa.field(column.catalog, _REPEATED if column.repeats else pa.string())


def key_fields(sources: Iterable[SourceInfo]) -> list[pa.Field]:
    """Give the columns that natural keys have in the catalogs."""
    return [_key_field(column) for source in sources for column in source.columns]


def _public(known: Mapping[str, SourceInfo], used: Collection[str]) -> list[pa.Field]:
    # The columns of published sources are there in every catalog.
    present = [source for source in known.values() if source.is_published or source.name in used]
    return [
        pa.field("split", _REPEATED),
        pa.field(_ID, pa.string()),
        *key_fields(present),
        *(pa.field(rank, _REPEATED) for rank in RANK_LABELS),
        pa.field("common", _REPEATED),
    ]


def predicted_schema(known: Mapping[str, SourceInfo], used: Collection[str]) -> pa.Schema:
    """Give the columns of the predicted catalog: those of the CSV, then those that the stages after it need."""
    return pa.schema(
        [
            *_public(known, used),
            pa.field(CLASS_INDEX, _REPEATED),
            pa.field(NAME_RULES, _REPEATED),
            pa.field("source", _REPEATED),
            pa.field("partition", _REPEATED),
            pa.field("position", pa.int64()),
            pa.field("is_train_small", pa.bool_()),
            pa.field("excluded", _REPEATED),
            pa.field("exclusion", _REPEATED),
        ]
    )


def catalog_schema(known: Mapping[str, SourceInfo], used: Collection[str]) -> pa.Schema:
    """Give the columns of the final catalog: those of the CSV, then what is known of each picture."""
    return pa.schema(
        [
            *_public(known, used),
            pa.field(NAME_RULES, _REPEATED),
            pa.field("source", _REPEATED),
            pa.field("partition", _REPEATED),
            pa.field("shard", pa.int32()),
            pa.field("position", pa.int32()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("mode", _REPEATED),
            pa.field("format", _REPEATED),
            pa.field(_FLAGS, pa.list_(pa.string())),
            pa.field("sha256", pa.string()),
            pa.field("md5", pa.string()),
            pa.field("duplicate_of", pa.string()),
        ]
    )


def public_names(schema: pa.Schema) -> list[str]:
    """Give the columns of a catalog that its CSV has: up to ``common``, and the class index where there is one."""
    names = schema.names[: schema.get_field_index("common") + 1]
    return [*names, CLASS_INDEX] if CLASS_INDEX in schema.names else names


def in_row_groups(tables: Iterable[pa.Table], size: int = ROW_GROUP) -> Iterator[pa.Table]:
    """Put tables together and cut them again, so that each but the last has ``size`` rows; the order is kept."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        if count < size:
            continue
        rows = pa.concat_tables(waiting)
        whole = count - count % size
        yield from (rows.slice(start, size) for start in range(0, whole, size))
        waiting, count = [rows.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(waiting)


def write_catalog(
    csv_path: Path,
    parquet: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    progress: Callable[[int], None],
    *,
    by_id: bool = False,
) -> None:
    """Write a catalog in both forms, each whole or not at all; the Parquet file comes into place last.

    Args:
        csv_path: Where the CSV goes, with the published columns.
        parquet: Where the Parquet file goes, with all columns.
        schema: All columns.
        tables: The rows, in order, a row group each, or several where there are more than one holds.
        progress: Told the number of rows so far.
        by_id: Whether each row group is to tell which ids it holds; they should be of one size.
    """
    names, rows = public_names(schema), 0
    with contextlib.ExitStack() as stack:
        to_parquet = stack.enter_context(committed(parquet))
        to_csv = stack.enter_context(committed(csv_path))
        text = stack.enter_context(to_csv.open("wb"))
        text.write(csv_text(pa.table({name: [name] for name in names})))
        encoded = _cut(tables, schema)
        first = next(encoded, schema.empty_table())
        columnar = stack.enter_context(_writer(to_parquet, schema, ids=len(first) if by_id else 0))
        for piece in itertools.chain([first] if len(first) else [], encoded):
            columnar.write_table(piece)
            text.write(csv_text(piece.select(names)))
            rows += len(piece)
            progress(rows)


def _cut(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut tables that have more rows than a row group, and give them the columns of the catalog."""
    for table in tables:
        for start in range(0, len(table), ROW_GROUP):
            yield _encoded(table.slice(start, ROW_GROUP), schema)


def _writer(path: Path, schema: pa.Schema, *, ids: int) -> pq.ParquetWriter:
    """Open a Parquet file, each row group of which tells about so many ids."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        # of ids, hashes and most numbers there are as many as rows: a dictionary would only make them longer
        use_dictionary=[
            *(field.name for field in schema if pa.types.is_dictionary(field.type)),
            _FLAGS_IN_PARQUET,
        ],
        bloom_filter_options={_ID: {"ndv": ids, "fpp": _FALSE_FINDS}} if ids else None,
    )


def _encoded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table these columns, each of one piece, in a form that follows from its cells alone."""
    columns = [
        _once(table[field.name]) if pa.types.is_dictionary(field.type) else table[field.name].cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema).combine_chunks()


def _once(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Keep each text of a column once, in the order of first sight, and no text that is in no row."""
    if not pa.types.is_dictionary(column.type):
        return column.cast(pa.string()).combine_chunks().dictionary_encode()
    # First those that are in no row: of a partition's texts there are many times as many as its images of val have.
    return pa.chunked_array([_seen(piece) for piece in column.chunks], column.type).combine_chunks()


def _seen(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """Keep the texts that are in some row, in the order of first sight."""
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    rows = np.arange(len(codes))
    first = np.empty(len(encoded.dictionary) + 1, rows.dtype)  # the last one is that of nulls
    first[codes[::-1]] = rows[::-1]  # the last that is assigned stays
    seen = codes[(first[codes] == rows) & (codes >= 0)]
    renumbered = np.full(len(first), -1, np.int32)
    renumbered[seen] = np.arange(len(seen))
    indices = renumbered[codes]
    texts = encoded.dictionary.take(pa.array(seen))
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts)


def partition_rows(parquet: Path, source: str, partition: str, columns: list[str] | None = None) -> pa.Table:
    """Read the rows of one partition out of a predicted catalog, and nothing else."""
    return rows_with(parquet, {"source": [source], "partition": [partition]}, columns)


def count_samples(parquet: Path) -> dict[tuple[str, str, str], int]:
    """Count the images to be written, by (split, source, partition), out of a predicted catalog.

    An image of train_small counts under train as well, as it is in both.
    """
    grouping = ["split", "source", "partition", "is_train_small"]
    counts: dict[tuple[str, str, str], int] = {}
    for rows in pieces(parquet, [*grouping, "excluded"]):
        kept = rows.filter(pc.equal(rows["excluded"], "")).unify_dictionaries()
        for row in kept.group_by(grouping).aggregate([([], "count_all")]).to_pylist():
            for split in [row["split"], *(["train_small"] if row["is_train_small"] else [])]:
                key = split, row["source"], row["partition"]
                counts[key] = counts.get(key, 0) + row["count_all"]
    return counts


def count_by_split(parquet: Path) -> dict[str, int]:
    """Count the rows of each split of a final catalog; what statistics tell of a row group is not read.

    Args:
        parquet: The catalog.

    Returns:
        A number for each split, in the order of the catalog; none for a split without rows.
    """
    counts: Counter[str] = Counter()
    with pq.ParquetFile(parquet) as file:
        column = file.schema_arrow.get_field_index("split")
        for group in range(file.num_row_groups):
            known = file.metadata.row_group(group).column(column).statistics
            if known is not None and known.has_min_max and known.min == known.max:
                counts[known.min] += file.metadata.row_group(group).num_rows
            else:
                counts.update(file.read_row_group(group, ["split"])["split"].to_pylist())
    return dict(counts)
